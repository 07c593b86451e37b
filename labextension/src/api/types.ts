/** The gateway's words as they arrive through `/zt/api`. Numbers that go into records are strings. */

/** Every error's body. */
export interface Problem {
  /** Stable, machine-readable: `own_action`. */
  code: string;
  /** One sentence for a person. */
  message: string;
  /** What to do next, or "". */
  hint: string;
}

/** Who is asking, as the gateway sees them. */
export interface Me {
  issuer: string;
  subject: string;
  name: string;
  roles: string[];
}

/** One connection that may be named in an action. */
export interface ConnectionInfo {
  name: string;
  kind: string;
  description: string;
}

/** How a kernel is confined. */
export interface Sandbox {
  state: 'sandboxed' | 'unsandboxed';
  detail: string;
}

/** One kernel's session. */
export interface SessionInfo {
  id: string;
  human: string;
  agent: string | null;
  notebook: string;
  kernel: string;
  sandbox: Sandbox;
  opened_at: string;
  expires_at: string;
  state: 'open' | 'sealed';
  connections: ConnectionInfo[];
}

/** Where an approval stands. */
export type ApprovalState =
  | 'open'
  | 'approved'
  | 'executing'
  | 'executed'
  | 'denied'
  | 'expired'
  | 'cancelled'
  | 'voided'
  | 'outcome_unknown';

/** One person's word. */
export interface Vote {
  name: string;
  approve: boolean;
  reason: string;
  at: string;
}

/** A held action, with the exact command that will run if it is approved. */
export interface Approval {
  id: string;
  action: string;
  state: ApprovalState;
  /** Hex SHA-256 over everything that consent is bound to. */
  digest: string;
  command: string;
  parameters: (string | number | boolean | null)[];
  connection: string;
  requester: { subject: string; name: string };
  agent: string | null;
  notebook: string;
  reasons: string[];
  facts: Record<string, unknown>;
  reviewer_role: string;
  quorum: string;
  votes: Vote[];
  opened_at: string;
  expires_at: string;
  /** Whether the reader asked for it. */
  mine: boolean;
  /** Whether the reader may decide it. */
  may_decide: boolean;
}

/** Answer of the long poll. */
export interface ApprovalList {
  revision: string;
  approvals: Approval[];
}

/** A decision, bound to the digest of what was shown. */
export interface VoteRequest {
  approve: boolean;
  reason: string;
  digest: string;
}
