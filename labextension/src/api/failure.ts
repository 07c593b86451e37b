/** What goes wrong between the page and the gateway, in the few kinds that a person can act on. */
import type { Problem } from './types';

/**
 * - `logged_out`: the login is over; a new one helps.
 * - `unreachable`: the Jupyter server or the gateway does not answer; waiting helps.
 * - `refused`: the gateway answered no, and says why.
 */
export type FailureKind = 'logged_out' | 'unreachable' | 'refused';

/** An answer that is not the one asked for. */
export class Failure extends Error implements Problem {
  constructor(
    readonly kind: FailureKind,
    readonly code: string,
    message: string,
    readonly hint: string
  ) {
    super(message);
    this.name = 'Failure';
  }
}

/** Codes of the gateway and the broker that a new login cures. */
const LOGIN_CODES = new Set(['not_authenticated', 'login_expired', 'login_required']);

/** Statuses which proxies, the broker and the gateway use for "not there". */
const ABSENT = new Set([404, 502, 503, 504]);

/**
 * The failure that an HTTP answer stands for.
 *
 * @param status - HTTP status, 400 or more.
 * @param body - The parsed body; `{code, message, hint}` when the gateway spoke, else anything.
 */
export function failureFrom(status: number, body: unknown): Failure {
  const problem = problemIn(body);
  if (status === 401 || (problem !== null && LOGIN_CODES.has(problem.code))) {
    return new Failure(
      'logged_out',
      problem?.code ?? 'not_authenticated',
      problem?.message ?? '',
      problem?.hint ?? ''
    );
  }
  if (status === 503 || (problem === null && ABSENT.has(status))) {
    return new Failure(
      'unreachable',
      problem?.code ?? 'unavailable',
      problem?.message ?? '',
      problem?.hint ?? ''
    );
  }
  if (problem !== null) {
    return new Failure('refused', problem.code, problem.message, problem.hint);
  }
  return new Failure('refused', `http_${status}`, `The server answered ${status}.`, '');
}

/** Whatever was thrown, as a failure. */
export function failureOf(error: unknown): Failure {
  if (error instanceof Failure) {
    return error;
  }
  const message = error instanceof Error ? error.message : String(error);
  return new Failure('unreachable', 'no_answer', message, '');
}

function problemIn(body: unknown): Problem | null {
  if (typeof body !== 'object' || body === null) {
    return null;
  }
  const { code, message, hint } = body as Record<string, unknown>;
  if (typeof code !== 'string' || typeof message !== 'string') {
    return null;
  }
  return { code, message, hint: typeof hint === 'string' ? hint : '' };
}
