/** The side panel "Zero trust". */
import {
  ILayoutRestorer,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { CommandIds } from '../commands';
import { shieldIcon } from '../icons';
import { ZeroTrustPanel } from '../panel/panel';
import { sections, type Inbox } from '../review/inbox';
import { APPROVALS_CLASS } from '../review/view';
import { IModels, type Models } from '../tokens';

/** Above the property inspector and the debugger. */
const RANK = 100;

export const panelPlugin: JupyterFrontEndPlugin<void> = {
  id: '@jupyter-zt/labextension:panel',
  description: 'Side panel with approvals and session.',
  autoStart: true,
  requires: [IModels],
  optional: [ITranslator, ILayoutRestorer],
  activate: (
    app: JupyterFrontEnd,
    models: Models,
    translator: ITranslator | null,
    restorer: ILayoutRestorer | null
  ): void => {
    const trans = (translator ?? nullTranslator).load('jupyter_zt');
    const panel = new ZeroTrustPanel({ ...models, commands: app.commands, trans });
    app.shell.add(panel, 'right', { rank: RANK });
    restorer?.add(panel, panel.id);
    openOnceIfAwaited(app, models.inbox, panel.id);
    app.commands.addCommand(CommandIds.open, {
      label: trans.__('Open Approvals'),
      caption: trans.__('Open the side panel with approvals and session'),
      icon: shieldIcon,
      execute: async () => {
        app.shell.activateById(panel.id);
        panel.node.querySelector<HTMLElement>(`.${APPROVALS_CLASS}`)?.focus();
        if (models.desk.selected === '') {
          await models.desk.move(1);
        }
      }
    });
  }
};

/**
 * Shows the panel when the page opens and somebody already waits for the reader. What comes later
 * is counted on the tab alone: nothing moves under the hands of a person at work.
 */
function openOnceIfAwaited(app: JupyterFrontEnd, inbox: Inbox, id: string): void {
  const look = (): void => {
    if (!inbox.loaded) {
      return;
    }
    inbox.changed.disconnect(look);
    if (sections(inbox.approvals).toDecide.length > 0) {
      void app.restored.then(() => {
        app.shell.activateById(id);
      });
    }
  };
  inbox.changed.connect(look);
}
