/**
 * The gateway's words as they arrive through `/zt/api`, made from its OpenAPI document.
 *
 * `schema.ts` is generated: see CONTRIBUTING.md. Numbers that go into records are strings.
 */
import type { ApprovalInfo } from './schema';

export type {
  ApprovalInfo as Approval,
  ApprovalList,
  ConnectionInfo,
  Me,
  Problem,
  Sandbox,
  SessionInfo,
  VoteInfo as Vote,
  VoteRequest
} from './schema';

/** Where an approval stands. */
export type ApprovalState = ApprovalInfo['state'];
