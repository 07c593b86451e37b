/** The plugins of Jupyter ZT: one file each, in `plugins/`. */
import type { JupyterFrontEndPlugin } from '@jupyterlab/application';

import { bannerPlugin } from './plugins/banner';
import { commandsPlugin } from './plugins/commands';
import { modelsPlugin } from './plugins/models';
import { panelPlugin } from './plugins/panel';
import { recordingPlugin } from './plugins/recording';
import { statusBarPlugin } from './plugins/statusbar';
import { trustPlugin } from './plugins/trust';

export * from './tokens';

const plugins: JupyterFrontEndPlugin<unknown>[] = [
  modelsPlugin,
  commandsPlugin,
  panelPlugin,
  statusBarPlugin,
  bannerPlugin,
  recordingPlugin,
  trustPlugin
];

export default plugins;
