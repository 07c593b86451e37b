/** Icons, drawn in the theme's colours by JupyterLab's icon classes. */
import { LabIcon } from '@jupyterlab/ui-components';

/** A shield with a check: the panel. */
export const shieldIcon = new LabIcon({
  name: 'jupyter-zt:shield',
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">
  <path class="jp-icon3" fill="#616161" d="M12 1 3 5v6c0 5.6 3.8 10.7 9 12 5.2-1.3 9-6.4 9-12V5l-9-4zm-1.8 16L6 12.8l1.4-1.4 2.8 2.8 6.4-6.4L18 9.2 10.2 17z"/>
</svg>`
});

/** A shield with a bar through it: no sandbox. */
export const noShieldIcon = new LabIcon({
  name: 'jupyter-zt:no-shield',
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">
  <path class="jp-icon-warn0" fill="#f57c00" d="M12 1 3 5v6c0 5.6 3.8 10.7 9 12 5.2-1.3 9-6.4 9-12V5l-9-4zm-1 5h2v8h-2V6zm0 10h2v2h-2v-2z"/>
</svg>`
});

/** A notebook with a seal: a recording. */
export const recordingIcon = new LabIcon({
  name: 'jupyter-zt:recording',
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 22 22">
  <path class="jp-icon-warn0 jp-icon-selectable" fill="#EF6C00" d="M18.7 3.3v9.2a6 6 0 0 0-1.9-.8V5.1H5.1v11.7h6.6c.1.7.4 1.3.8 1.9H3.3V3.3h15.4z"/>
  <circle class="jp-icon-brand0 jp-icon-selectable" fill="#1976D2" cx="16.3" cy="16.6" r="4.2"/>
  <path class="jp-icon-selectable-inverse" fill="#fff" d="m15.6 18.6-1.9-1.9.8-.8 1.1 1.1 2.4-2.5.8.8-3.2 3.3z"/>
</svg>`
});
