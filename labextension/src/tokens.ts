/** What the plugins share, and what other extensions may ask for. */
import { Token } from '@lumino/coreutils';

import type { Desk } from './review/desk';
import type { Inbox } from './review/inbox';
import type { SessionStatus } from './session/status';

/** One set per page: one long poll, one desk. */
export interface Models {
  readonly inbox: Inbox;
  readonly desk: Desk;
  readonly session: SessionStatus;
}

export const IModels = new Token<Models>(
  '@jupyter-zt/labextension:IModels',
  'Approvals and sessions of Jupyter ZT, kept current.'
);
