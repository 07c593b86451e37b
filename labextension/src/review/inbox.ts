/**
 * The requests that this person may decide or has made, kept current by one long poll per page.
 *
 * A hidden page asks in short visits instead of holding a line open: browsers allow about six
 * connections per server, and each open JupyterLab page would take one for good.
 */
import { Poll } from '@lumino/polling';
import { Signal, type ISignal } from '@lumino/signaling';
import type { IDisposable } from '@lumino/disposable';

import type { Api } from '../api/client';
import { failureOf, type Failure } from '../api/failure';
import type { Approval } from '../api/types';

const WAIT_SECONDS = 25;
/** Between two answered polls. */
const PAUSE_MS = 50;
/** Between two visits of a hidden page. */
const HIDDEN_PAUSE_MS = 5_000;
/** Most between two tries while the gateway does not answer. */
const MAX_BACKOFF_MS = 30_000;

/** Approvals by what the reader can do about them. */
export interface Sections {
  /** Wait for the reader. Oldest first, so that nothing moves under the pointer. */
  toDecide: Approval[];
  /** Wait for others: the reader's own requests, and those of another role. */
  waiting: Approval[];
  /** Closed, or on its way to run. Newest first. */
  decided: Approval[];
}

/** Sorts approvals into the inbox's sections. */
export function sections(approvals: readonly Approval[]): Sections {
  const oldestFirst = [...approvals].sort(
    (a, b) => a.opened_at.localeCompare(b.opened_at) || a.id.localeCompare(b.id)
  );
  const open = oldestFirst.filter(approval => approval.state === 'open');
  return {
    toDecide: open.filter(decidable),
    waiting: open.filter(approval => !decidable(approval)),
    decided: oldestFirst.filter(approval => approval.state !== 'open').reverse()
  };
}

/** Whether the reader may decide it. The gateway has the last word; own requests are shut here too. */
export function decidable(approval: Approval): boolean {
  return approval.state === 'open' && approval.may_decide && !approval.mine;
}

/** Live list of approvals. */
export class Inbox implements IDisposable {
  /**
   * @param api - The server.
   * @param page - Tells whether the page is hidden; emits `visibilitychange`.
   */
  constructor(
    readonly api: Api,
    private readonly page: Document
  ) {
    this._poll = new Poll<void, unknown>({
      auto: false,
      name: '@jupyter-zt/labextension:inbox',
      standby: 'never',
      frequency: { interval: PAUSE_MS, backoff: true, max: MAX_BACKOFF_MS },
      factory: () => this._turn()
    });
    page.addEventListener('visibilitychange', this._onVisibilityChange);
  }

  /** Emitted when approvals, failure or liveness changed. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get approvals(): readonly Approval[] {
    return this._approvals;
  }

  /** Why the list may be out of date, or null while it is live. */
  get failure(): Failure | null {
    return this._failure;
  }

  /** Whether the gateway has answered once. */
  get loaded(): boolean {
    return this._loaded;
  }

  /** The server's time, as far as its last answer told. Milliseconds since 1970. */
  now(): number {
    return Date.now() + this.api.clockAheadMs;
  }

  start(): Promise<void> {
    return this._poll.start();
  }

  /** Asks again at once. */
  refresh(): void {
    this._line.abort();
    void this._poll.schedule({ interval: Poll.IMMEDIATE, phase: 'started' });
  }

  /** Takes in what a detail or a vote answered, ahead of the poll. */
  take(approval: Approval): void {
    const rest = this._approvals.filter(other => other.id !== approval.id);
    this._approvals = [...rest, approval];
    this._changed.emit();
  }

  get isDisposed(): boolean {
    return this._poll.isDisposed;
  }

  dispose(): void {
    if (this.isDisposed) {
      return;
    }
    this.page.removeEventListener('visibilitychange', this._onVisibilityChange);
    this._line.abort();
    this._poll.dispose();
    Signal.clearData(this);
  }

  private async _turn(): Promise<void> {
    const line = (this._line = new AbortController());
    // The first question after a failure must not wait: its answer tells that all is well again.
    const waitSeconds =
      this.page.hidden || this._failure !== null || !this._loaded ? 0 : WAIT_SECONDS;
    try {
      const list = await this.api.approvals(this._revision, waitSeconds, line.signal);
      if (line.signal.aborted) {
        return;
      }
      this._revision = list.revision;
      this._approvals = list.approvals;
      this._failure = null;
      this._loaded = true;
    } catch (error) {
      if (line.signal.aborted) {
        return;
      }
      this._failure = failureOf(error);
      if (this._failure.kind === 'logged_out') {
        // What others asked for is not for whoever sits here without a login.
        this._approvals = [];
        this._revision = '';
      }
      this._changed.emit();
      throw error;
    }
    this._changed.emit();
    if (this.page.hidden) {
      await pause(HIDDEN_PAUSE_MS, line.signal);
    }
  }

  private readonly _onVisibilityChange = (): void => {
    if (!this.page.hidden) {
      this.refresh();
    }
  };

  private readonly _poll: Poll<void, unknown>;
  private readonly _changed = new Signal<this, void>(this);
  private _line = new AbortController();
  private _approvals: readonly Approval[] = [];
  private _failure: Failure | null = null;
  private _loaded = false;
  private _revision = '';
}

/** Resolves after `ms`, or as soon as the signal aborts. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
