import './common.css';
import './outputs.css';
import './panel.css';
