/** The session's state in few words. */
import type { TranslationBundle } from '@jupyterlab/translation';

import type { Session } from '../api/types';
import type { SessionStatus } from './status';

/** The status in a few words, and whether all is as it should be. */
export function statusWords(session: SessionStatus, trans: TranslationBundle): [string, boolean] {
  const { me, failure } = session;
  if (failure?.kind === 'logged_out') {
    return [trans.__('logged out'), false];
  }
  if (failure) {
    return [trans.__('gateway not reachable'), false];
  }
  if (me === null) {
    return [trans.__('zero trust'), true];
  }
  if (session.unsandboxed) {
    return [trans.__('%1 · NO SANDBOX', me.name), false];
  }
  const open = session.sessions.some(({ state }) => state === 'open');
  return [open ? trans.__('%1 · sandboxed', me.name) : me.name, true];
}

/** How the recording stands, in a word, and its colour. */
export function recordingWords(session: Session, trans: TranslationBundle): [string, string] {
  if (session.recording === 'failed') {
    return [trans.__('recording has gaps'), 'bad'];
  }
  if (session.state === 'sealed') {
    return [trans.__('sealed'), 'quiet'];
  }
  if (session.state === 'revoked') {
    return [trans.__('revoked'), 'bad'];
  }
  if (session.state === 'suspended') {
    return [trans.__('suspended: log in again'), 'warn'];
  }
  return session.recording === 'behind'
    ? [trans.__('recording is behind'), 'warn']
    : [trans.__('recording'), 'recording'];
}
