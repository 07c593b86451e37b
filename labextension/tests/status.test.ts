import { nullTranslator } from '@jupyterlab/translation';

import { Failure } from '../src/api/failure';
import type { Session } from '../src/api/types';
import { SessionStatus } from '../src/session/status';
import { statusWords } from '../src/session/words';
import { Gateway, until } from './fixtures';

const trans = nullTranslator.load('jupyter_zt');

function running(changes: Partial<Session> = {}): Session {
  return {
    id: 's_1',
    human: 'analyst',
    service: false,
    agent: null,
    notebook: 'tour.ipynb',
    kernel: 'k',
    sandbox: { state: 'sandboxed', detail: 'bubblewrap' },
    opened_at: '2026-01-01T12:00:00Z',
    expires_at: '2026-01-01T13:00:00Z',
    state: 'open',
    connections: [],
    recording: 'ok',
    recording_file: 'tour.zt.ipynb',
    ...changes
  };
}

describe('session status', () => {
  let gateway: Gateway;
  let status: SessionStatus;

  async function asked(): Promise<void> {
    status = new SessionStatus(gateway);
    void status.start();
    await until(status, () => status.failure !== null || status.me !== null);
  }

  beforeEach(() => {
    gateway = new Gateway();
  });

  afterEach(() => {
    status.dispose();
  });

  it('names the person and says that their kernels are confined', async () => {
    gateway.running = [running()];
    await asked();
    expect(statusWords(status, trans)).toEqual(['reviewer · sandboxed', true]);
  });

  it('shouts when a kernel runs without a sandbox', async () => {
    gateway.running = [running({ sandbox: { state: 'unsandboxed', detail: '' } })];
    await asked();
    expect(status.unsandboxed).toBe(true);
    expect(statusWords(status, trans)).toEqual(['reviewer · NO SANDBOX', false]);
  });

  it('shouts before the first kernel when the server has no sandbox', async () => {
    gateway.person.unsandboxed = true;
    await asked();
    expect(status.unsandboxed).toBe(true);
  });

  it('calms down when the exposed kernel is gone', async () => {
    gateway.running = [running({ state: 'sealed', sandbox: { state: 'unsandboxed', detail: '' } })];
    await asked();
    expect(status.unsandboxed).toBe(false);
  });

  it('lists open sessions before sealed ones', async () => {
    gateway.running = [running({ id: 's_1', state: 'sealed' }), running({ id: 's_2' })];
    await asked();
    expect(status.sessions.map(({ id }) => id)).toEqual(['s_2', 's_1']);
  });

  it('knows nobody after a logout', async () => {
    gateway.failure = new Failure('logged_out', 'login_expired', '', '');
    await asked();
    expect([status.me, statusWords(status, trans)[0]]).toEqual([null, 'logged out']);
  });
});
