/** Who is logged in, their kernels' sessions, and whether the gateway answers. */
import { Poll } from '@lumino/polling';
import { Signal, type ISignal } from '@lumino/signaling';
import type { IDisposable } from '@lumino/disposable';

import type { Api } from '../api/client';
import { failureOf, type Failure } from '../api/failure';
import type { Person, Session } from '../api/types';

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
  get me(): Person | null {
    return this._me;
  }

  /** Open ones first, then the newest sealed ones. */
  get sessions(): readonly Session[] {
    return this._sessions;
  }

  get failure(): Failure | null {
    return this._failure;
  }

  /** Whether kernels run, or would run, without a sandbox. */
  get unsandboxed(): boolean {
    const exposed = ({ state, sandbox }: Session): boolean =>
      state === 'open' && sandbox.state === 'unsandboxed';
    return (this._me?.unsandboxed ?? false) || this._sessions.some(exposed);
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
      // The broker itself knows the person while the gateway is away.
      this._me = await this.api.me();
      this._sessions = ordered(await this.api.sessions());
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
  private _me: Person | null = null;
  private _sessions: readonly Session[] = [];
  private _failure: Failure | null = null;
}

function ordered(sessions: readonly Session[]): Session[] {
  const rank = (session: Session): number => (session.state === 'open' ? 0 : 1);
  return [...sessions].sort((a, b) => rank(a) - rank(b) || b.opened_at.localeCompare(a.opened_at));
}
