/** Requests as the gateway lists them, and a gateway small enough to look through. */
import type { Api } from '../src/api/client';
import { Failure } from '../src/api/failure';
import type { Approval, ApprovalList, Person, Session, VoteRequest } from '../src/api/types';

/** A request of somebody else that the reader may decide. */
export function approval(changes: Partial<Approval> = {}): Approval {
  return {
    id: 'p_1',
    action: 'a_1',
    state: 'open',
    digest: 'd'.repeat(64),
    command: 'UPDATE t SET a = 1 WHERE id = 2',
    parameters: [],
    connection: 'warehouse',
    requester: { subject: '1', name: 'analyst', service: false },
    agent: null,
    notebook: 'tour.ipynb',
    reasons: ['changes rows'],
    facts: { verb: 'update' },
    reviewer_role: 'reviewer',
    quorum: '1',
    votes: [],
    opened_at: '2026-01-01T12:00:00Z',
    expires_at: '2026-01-01T12:10:00Z',
    mine: false,
    may_decide: true,
    ...changes
  };
}

/** Holds requests, answers a poll when asked for another revision or told to, keeps votes. */
export class Gateway implements Api {
  readonly clockAheadMs = 0;
  readonly votes: { id: string; request: VoteRequest }[] = [];
  readonly waits: number[] = [];
  failure: Failure | null = null;
  person: Person = {
    issuer: 'i',
    subject: '2',
    name: 'reviewer',
    roles: ['reviewer'],
    service: false,
    unsandboxed: false,
    gateway: { state: 'ok' }
  };
  running: Session[] = [];

  constructor(private list: Approval[] = []) {}

  /** Another state of the world. Waiting polls are answered. */
  becomes(list: Approval[]): void {
    this.list = list;
    this.revision++;
    this.answer();
  }

  /** From now on nothing but this failure; null ends it. */
  fails(failure: Failure | null): void {
    this.failure = failure;
    this.answer();
  }

  async approvals(after: string, waitSeconds: number, signal: AbortSignal): Promise<ApprovalList> {
    this.waits.push(waitSeconds);
    if (waitSeconds > 0 && after === String(this.revision) && this.failure === null) {
      await new Promise<void>(resolve => {
        this.answer = resolve;
        signal.addEventListener('abort', () => {
          resolve();
        });
      });
    }
    if (signal.aborted) {
      throw new Error('aborted');
    }
    this.refuse();
    return { revision: String(this.revision), approvals: copy(this.list) };
  }

  approval(id: string): Promise<Approval> {
    this.refuse();
    const found = this.list.find(item => item.id === id);
    return found
      ? Promise.resolve(copy(found))
      : Promise.reject(new Failure('refused', 'unknown_approval', 'There is none.', ''));
  }

  vote(id: string, request: VoteRequest): Promise<Approval> {
    this.refuse();
    this.votes.push({ id, request });
    const found = this.list.find(item => item.id === id);
    if (found?.digest !== request.digest) {
      return Promise.reject(new Failure('refused', 'digest_differs', 'Not what was shown.', ''));
    }
    found.state = request.approve ? 'approved' : 'denied';
    this.revision++;
    return Promise.resolve(copy(found));
  }

  me(): Promise<Person> {
    return this.failure ? Promise.reject(this.failure) : Promise.resolve(this.person);
  }

  sessions(): Promise<Session[]> {
    return this.failure ? Promise.reject(this.failure) : Promise.resolve(this.running);
  }

  private refuse(): void {
    if (this.failure) {
      throw this.failure;
    }
  }

  private revision = 1;
  private answer = (): void => undefined;
}

/** Resolves when `condition` holds after a change of `model`. */
export function until(
  model: { changed: { connect(slot: () => void): boolean; disconnect(slot: () => void): boolean } },
  condition: () => boolean
): Promise<void> {
  return new Promise(resolve => {
    const look = (): void => {
      if (condition()) {
        model.changed.disconnect(look);
        resolve();
      }
    };
    model.changed.connect(look);
    look();
  });
}

/** As over the wire: nobody shares an object with the gateway. */
function copy<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}
