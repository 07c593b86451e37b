/** Who is logged in, their kernels' sessions, and whether the gateway answers. */
import { Poll } from '@lumino/polling';
import { Signal, type ISignal } from '@lumino/signaling';
import type { IDisposable } from '@lumino/disposable';

import type { Api } from '../api/client';
import { failureOf, type Failure } from '../api/failure';
import type { Me, SessionInfo } from '../api/types';

const INTERVAL_MS = 20_000;
const MAX_BACKOFF_MS = 60_000;

/** Refreshed in a slow rhythm, and when something happened. */
export class SessionStatus implements IDisposable {
  constructor(private readonly api: Api) {
    this._poll = new Poll<void, unknown>({
      auto: false,
      name: '@jupyter-zt/labextension:session',
      standby: 'when-hidden',
      frequency: { interval: INTERVAL_MS, backoff: true, max: MAX_BACKOFF_MS },
      factory: () => this._turn()
    });
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Null until the gateway has said. */
  get me(): Me | null {
    return this._me;
  }

  /** Open ones first, then the newest sealed ones. */
  get sessions(): readonly SessionInfo[] {
    return this._sessions;
  }

  get failure(): Failure | null {
    return this._failure;
  }

  /** Open sessions whose kernel runs without a sandbox. */
  get unsandboxed(): SessionInfo[] {
    return this._sessions.filter(
      session => session.state === 'open' && session.sandbox.state === 'unsandboxed'
    );
  }

  start(): Promise<void> {
    return this._poll.start();
  }

  /** Asks again at once. */
  refresh(): void {
    void this._poll.refresh();
  }

  get isDisposed(): boolean {
    return this._poll.isDisposed;
  }

  dispose(): void {
    if (!this.isDisposed) {
      this._poll.dispose();
      Signal.clearData(this);
    }
  }

  private async _turn(): Promise<void> {
    try {
      const [me, sessions] = await Promise.all([this.api.me(), this.api.sessions()]);
      this._me = me;
      this._sessions = ordered(sessions);
      this._failure = null;
    } catch (error) {
      this._failure = failureOf(error);
      if (this._failure.kind === 'logged_out') {
        this._me = null;
        this._sessions = [];
      }
      this._changed.emit();
      throw error;
    }
    this._changed.emit();
  }

  private readonly _poll: Poll<void, unknown>;
  private readonly _changed = new Signal<this, void>(this);
  private _me: Me | null = null;
  private _sessions: readonly SessionInfo[] = [];
  private _failure: Failure | null = null;
}

function ordered(sessions: readonly SessionInfo[]): SessionInfo[] {
  const rank = (session: SessionInfo): number => (session.state === 'open' ? 0 : 1);
  return [...sessions].sort((a, b) => rank(a) - rank(b) || b.opened_at.localeCompare(a.opened_at));
}
