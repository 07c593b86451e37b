/** Starts the models: the one long poll of the page, and the session's status. */
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';

import { Client } from '../api/client';
import { Desk } from '../review/desk';
import { Inbox } from '../review/inbox';
import { SessionStatus } from '../session/status';
import { IModels, type Models } from '../tokens';

export const modelsPlugin: JupyterFrontEndPlugin<Models> = {
  id: '@jupyter-zt/labextension:models',
  description: 'Keeps approvals and sessions current.',
  autoStart: true,
  provides: IModels,
  activate: (app: JupyterFrontEnd): Models => {
    const client = new Client(app.serviceManager.serverSettings);
    const inbox = new Inbox(client, document);
    const session = new SessionStatus(client);
    // A kernel that starts or stops opens or seals a session.
    app.serviceManager.sessions.runningChanged.connect(() => {
      session.refresh();
    });
    // When one of the two learns that the gateway is back, or gone, the other asks as well.
    let kind = inbox.failure?.kind;
    inbox.changed.connect(() => {
      if (kind !== inbox.failure?.kind) {
        kind = inbox.failure?.kind;
        session.refresh();
      }
    });
    void inbox.start();
    void session.start();
    return { inbox, desk: new Desk(inbox), session };
  }
};
