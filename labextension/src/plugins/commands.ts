/** The commands behind the buttons, and their keys. None of them decides anything. */
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { URLExt } from '@jupyterlab/coreutils';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { refreshIcon } from '@jupyterlab/ui-components';

import { CommandIds } from '../commands';
import { APPROVALS_CLASS } from '../review/view';
import { IModels, type Models } from '../tokens';

export const commandsPlugin: JupyterFrontEndPlugin<void> = {
  id: '@jupyter-zt/labextension:commands',
  description: 'Commands of the inbox.',
  autoStart: true,
  requires: [IModels],
  optional: [ITranslator, ICommandPalette],
  activate: (
    app: JupyterFrontEnd,
    { inbox, desk, session }: Models,
    translator: ITranslator | null,
    palette: ICommandPalette | null
  ): void => {
    const { commands } = app;
    const trans = (translator ?? nullTranslator).load('jupyter_zt');

    commands.addCommand(CommandIds.refresh, {
      label: trans.__('Try now'),
      caption: trans.__('Ask the gateway for requests now'),
      icon: refreshIcon,
      execute: () => {
        inbox.refresh();
        session.refresh();
      }
    });
    commands.addCommand(CommandIds.login, {
      label: trans.__('Log in'),
      caption: trans.__('Log in again, then come back to this page'),
      execute: () => {
        const { baseUrl } = app.serviceManager.serverSettings;
        const back = window.location.pathname + window.location.search;
        const query = URLExt.objectToQueryString({ next: back });
        window.location.assign(`${URLExt.join(baseUrl, 'login')}${query}`);
      }
    });
    commands.addCommand(CommandIds.next, {
      label: trans.__('Next Request'),
      execute: () => desk.move(1)
    });
    commands.addCommand(CommandIds.previous, {
      label: trans.__('Previous Request'),
      execute: () => desk.move(-1)
    });
    commands.addCommand(CommandIds.approve, {
      label: trans.__('Approve…'),
      caption: trans.__('Approve the open request; asks before anything is sent (A)'),
      isEnabled: () => desk.canDecide,
      execute: () => {
        desk.begin('approving');
      }
    });
    commands.addCommand(CommandIds.deny, {
      label: trans.__('Deny…'),
      caption: trans.__('Deny the open request with a reason (D)'),
      isEnabled: () => desk.canDecide,
      execute: () => {
        desk.begin('denying');
      }
    });
    commands.addCommand(CommandIds.back, {
      label: trans.__('Back'),
      execute: () => {
        desk.back();
      }
    });

    const selector = `.${APPROVALS_CLASS}`;
    for (const [key, command] of [
      ['J', CommandIds.next],
      ['K', CommandIds.previous],
      ['A', CommandIds.approve],
      ['D', CommandIds.deny]
    ] as const) {
      commands.addKeyBinding({ command, keys: [key], selector });
    }
    palette?.addItem({ command: CommandIds.open, category: trans.__('Zero Trust') });
    palette?.addItem({ command: CommandIds.next, category: trans.__('Zero Trust') });
  }
};
