/** The status bar item. */
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { IStatusBar } from '@jupyterlab/statusbar';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { StatusItem } from '../session/statusitem';
import { IModels, type Models } from '../tokens';

export const statusBarPlugin: JupyterFrontEndPlugin<void> = {
  id: '@jupyter-zt/labextension:status',
  description: 'Identity and sandbox state in the status bar.',
  autoStart: true,
  requires: [IModels],
  optional: [ITranslator, IStatusBar],
  activate: (
    app: JupyterFrontEnd,
    { session }: Models,
    translator: ITranslator | null,
    statusBar: IStatusBar | null
  ): void => {
    const trans = (translator ?? nullTranslator).load('jupyter_zt');
    statusBar?.registerStatusItem(statusBarPlugin.id, {
      align: 'left',
      rank: -1,
      item: new StatusItem({ session, commands: app.commands, trans })
    });
  }
};
