/**
 * The gateway's words as they arrive through `/zt/api`, made from its OpenAPI document.
 *
 * `schema.ts` is generated: see CONTRIBUTING.md. Numbers that go into records are strings.
 */
import type { ApprovalInfo, Me, SessionInfo } from './schema';

export type {
  ApprovalInfo as Approval,
  ApprovalList,
  ConnectionInfo,
  Problem,
  Sandbox,
  VoteInfo as Vote,
  VoteRequest
} from './schema';

/** Who is asking; the broker adds how it and the gateway stand. */
export interface Person extends Me {
  /** Whether kernels run without a sandbox on this server. */
  unsandboxed: boolean;
  gateway: { state: 'ok' | 'unreachable' };
}

/** One kernel's session; the broker adds how its recording stands. */
export interface Session extends SessionInfo {
  /** `behind`: cells wait for the gateway; `failed`: it refuses one for good. */
  recording: 'ok' | 'behind' | 'failed';
  recording_file: string;
}

/** Where an approval stands. */
export type ApprovalState = ApprovalInfo['state'];
