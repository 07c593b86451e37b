/** The broker's `/zt/api`, typed. */
import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

import { Failure, failureFrom } from './failure';
import type { Approval, ApprovalList, Person, Session, VoteRequest } from './types';

/** What the models need from the server; tests give their own. */
export interface Api {
  /** Answers when the revision is no longer `after`, or when the wait is over. */
  approvals(after: string, waitSeconds: number, signal: AbortSignal): Promise<ApprovalList>;
  approval(id: string): Promise<Approval>;
  vote(id: string, request: VoteRequest): Promise<Approval>;
  me(): Promise<Person>;
  sessions(): Promise<Session[]>;
  /** Milliseconds that the server's clock is ahead of this one, from its last answer. */
  readonly clockAheadMs: number;
}

/** An answer that takes this much longer than asked for is given up: the line is dead. */
const GRACE_SECONDS = 15;

/** Speaks to the Jupyter server that serves this page, with its XSRF token. */
export class Client implements Api {
  constructor(private readonly settings: ServerConnection.ISettings) {}

  get clockAheadMs(): number {
    return this._clockAheadMs;
  }

  approvals(after: string, waitSeconds: number, signal: AbortSignal): Promise<ApprovalList> {
    const query = URLExt.objectToQueryString({ after, wait_seconds: String(waitSeconds) });
    return this._request(`approvals${query}`, { signal }, waitSeconds);
  }

  approval(id: string): Promise<Approval> {
    return this._request(`approvals/${encodeURIComponent(id)}`);
  }

  vote(id: string, request: VoteRequest): Promise<Approval> {
    return this._request(`approvals/${encodeURIComponent(id)}/votes`, {
      method: 'POST',
      // The browser would call a text `text/plain`, which a form of another site can send, too.
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(request)
    });
  }

  me(): Promise<Person> {
    return this._request('me');
  }

  sessions(): Promise<Session[]> {
    return this._request('sessions');
  }

  private async _request<T>(path: string, init: RequestInit = {}, waitSeconds = 0): Promise<T> {
    const url = this.settings.baseUrl + 'zt/api/' + path;
    const deadline = AbortSignal.timeout((waitSeconds + GRACE_SECONDS) * 1000);
    const signal = init.signal ? AbortSignal.any([init.signal, deadline]) : deadline;
    const response = await ServerConnection.makeRequest(url, { ...init, signal }, this.settings);
    const text = await response.text();
    if (response.redirected && !response.headers.get('Content-Type')?.includes('json')) {
      // The server sent the page's request on to its login page.
      throw new Failure('logged_out', 'not_authenticated', '', '');
    }
    const body = parse(text);
    if (!response.ok) {
      throw failureFrom(response.status, body);
    }
    const date = Date.parse(response.headers.get('Date') ?? '');
    this._clockAheadMs = Number.isNaN(date) ? 0 : date - Date.now();
    return body as T;
  }

  private _clockAheadMs = 0;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
