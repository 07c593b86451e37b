/**
 * The reviewer's desk: which request lies open, and the steps to a decision.
 *
 * Rules:
 * 1. A decision is sent with the digest of the detail that was fetched and is on display.
 * 2. When that request changes meanwhile, the step falls back to reading the new text.
 * 3. Approving takes two steps, and the second exists only for the detail of the first.
 */
import { Signal, type ISignal } from '@lumino/signaling';

import { failureOf, type Failure } from '../api/failure';
import type { Approval } from '../api/types';
import { decidable, sections, type Inbox } from './inbox';

/** What a person is asked to confirm. */
export type Question = 'approving' | 'denying';

/** `reading`: the detail is shown; a question: waits for its answer; `sending`: on its way. */
export type Step = 'reading' | Question | 'sending';

/** What last happened, to be said aloud. */
export type Notice =
  | { kind: 'decided'; approval: Approval; approved: boolean }
  | { kind: 'closed'; approval: Approval }
  | { kind: 'changed' };

/** One person's work on the inbox. */
export class Desk {
  constructor(private readonly inbox: Inbox) {
    inbox.changed.connect(this._onInboxChanged, this);
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Id of the open request, or "". */
  get selected(): string {
    return this._selected;
  }

  /** What is on display, and what a decision is bound to. Null while it loads. */
  get detail(): Approval | null {
    return this._detail;
  }

  get step(): Step {
    return this._step;
  }

  get failure(): Failure | null {
    return this._failure;
  }

  get notice(): Notice | null {
    return this._notice;
  }

  /** Opens a request, or closes the open one when `id` is "". */
  select(id: string): Promise<void> {
    this._notice = null;
    return this._open(id);
  }

  /**
   * Opens the request `by` places further on among those that are open.
   *
   * @param by - 1 for the next, -1 for the one before.
   */
  async move(by: number): Promise<void> {
    const { toDecide, waiting } = sections(this.inbox.approvals);
    const ids = [...toDecide, ...waiting].map(approval => approval.id);
    const at = ids.indexOf(this._selected);
    const next = at < 0 ? 0 : Math.min(Math.max(at + by, 0), ids.length - 1);
    const id = ids[next];
    if (id !== undefined && id !== this._selected) {
      await this.select(id);
    }
  }

  /** Whether the open request waits for this person's decision. */
  get canDecide(): boolean {
    return (
      this._detail !== null &&
      decidable(this._detail) &&
      this._step !== 'sending' &&
      this.inbox.failure === null
    );
  }

  /** First step: asks to confirm. Decides nothing. */
  begin(question: Question): void {
    if (this.canDecide && this._step === 'reading') {
      this._step = question;
      this._failure = null;
      this._notice = null;
      this._changed.emit();
    }
  }

  /** Takes the first step back. */
  back(): void {
    if (this._step === 'approving' || this._step === 'denying') {
      this._step = 'reading';
      this._changed.emit();
    }
  }

  /**
   * Second step: sends the decision that the first step began.
   *
   * @param asked - Which question the person answered; nothing is sent for another one.
   * @param reason - In the reviewer's words; the requester reads it.
   */
  async confirm(asked: Question, reason: string): Promise<void> {
    const detail = this._detail;
    if (detail === null || !decidable(detail) || this._step !== asked) {
      return;
    }
    const approve = asked === 'approving';
    this._step = 'sending';
    this._changed.emit();
    try {
      const after = await this.inbox.api.vote(detail.id, {
        approve,
        reason: reason.trim(),
        digest: detail.digest
      });
      const following = this._following(detail.id);
      this._step = 'reading';
      this._selected = '';
      this._detail = null;
      this._notice = { kind: 'decided', approval: after, approved: approve };
      this.inbox.take(after);
      await this._open(following);
    } catch (error) {
      this._step = asked;
      this._failure = failureOf(error);
      this._changed.emit();
    }
  }

  private async _open(id: string): Promise<void> {
    this._selected = id;
    this._detail = null;
    this._step = 'reading';
    this._failure = null;
    this._changed.emit();
    if (id === '') {
      return;
    }
    try {
      const detail = await this.inbox.api.approval(id);
      if (this._selected === id) {
        this._detail = detail;
      }
    } catch (error) {
      if (this._selected === id) {
        this._failure = failureOf(error);
      }
    }
    this._changed.emit();
  }

  private _onInboxChanged(): void {
    const listed = this.inbox.approvals.find(approval => approval.id === this._selected);
    if (this._selected === '' || this._step === 'sending') {
      return;
    }
    if (listed === undefined) {
      void this._open('');
    } else if (this._detail !== null && listed.digest !== this._detail.digest) {
      this._notice = { kind: 'changed' };
      void this._open(listed.id);
    } else if (this._detail?.state === 'open' && listed.state !== 'open') {
      this._notice = { kind: 'closed', approval: listed };
      void this._open('');
    } else if (this._detail !== null && listed.digest === this._detail.digest) {
      // Votes, time and rights move on; what will run stays the one on display.
      const { state, votes, expires_at, may_decide, mine } = listed;
      this._detail = { ...this._detail, state, votes, expires_at, may_decide, mine };
      this._changed.emit();
    }
  }

  /** The request to read after this one, or "". */
  private _following(id: string): string {
    const ids = sections(this.inbox.approvals).toDecide.map(approval => approval.id);
    const rest = ids.slice(ids.indexOf(id) + 1);
    return rest[0] ?? ids.find(other => other !== id) ?? '';
  }

  private readonly _changed = new Signal<this, void>(this);
  private _selected = '';
  private _detail: Approval | null = null;
  private _step: Step = 'reading';
  private _failure: Failure | null = null;
  private _notice: Notice | null = null;
}
