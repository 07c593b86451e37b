/** The warning that a kernel runs without a sandbox. */
import {
  ILabShell,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { Banner } from '../session/banner';
import { IModels, type Models } from '../tokens';

export const bannerPlugin: JupyterFrontEndPlugin<void> = {
  id: '@jupyter-zt/labextension:banner',
  description: 'Warns on every page while a kernel runs without a sandbox.',
  autoStart: true,
  requires: [IModels],
  optional: [ITranslator, ILabShell],
  activate: (
    app: JupyterFrontEnd,
    { session }: Models,
    translator: ITranslator | null,
    labShell: ILabShell | null
  ): void => {
    const trans = (translator ?? nullTranslator).load('jupyter_zt');
    // Only JupyterLab's own shell has a header; Notebook's has its top.
    app.shell.add(new Banner({ session, trans }), labShell ? 'header' : 'top', { rank: 0 });
  }
};
