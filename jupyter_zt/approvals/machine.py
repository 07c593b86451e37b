"""The approval state machine. No IO; the clock is passed in.

::

    OPEN --vote(approve), quorum--> APPROVED --begin--> EXECUTING --finish--> EXECUTED
    OPEN --vote(deny)--> DENIED
    OPEN, APPROVED --expire--> EXPIRED, --cancel--> CANCELLED, --void--> VOIDED
    EXECUTING --restore (after a crash), finish--> OUTCOME_UNKNOWN

Rules, in the order in which they are checked:

1. Only an open approval can be voted on. A closed one stays closed.
2. Past `expires_at` every question is answered by EXPIRED; an approved one that has not begun
   expires too. No setting makes a timeout consent.
3. The requester can't vote, in whatever role; no service can vote at all.
4. Only members of the reviewer role can vote.
5. One person has one vote, whichever groups they are in.
6. The digest of what the voter saw must be the digest of what will run.
7. One denial closes. Consent needs `quorum` distinct people.
8. APPROVED becomes EXECUTING once. The store repeats this check inside its transaction.
"""

from __future__ import annotations

import hmac
from dataclasses import replace
from datetime import datetime, timedelta

from jupyter_zt.errors import ConflictError, InvalidInputError, PermissionDeniedError
from jupyter_zt.model import Approval, ApprovalState, Decision, Human, Principal, Vote

MAX_REASON_CHARACTERS = 2000


def open_approval(
    *,
    approval_id: str,
    action: str,
    digest: str,
    principal: Principal,
    decision: Decision,
    now: datetime,
    ttl: timedelta,
) -> Approval:
    """A new request for consent, as the decision's obligations ask."""
    return Approval(
        id=approval_id,
        action=action,
        session=principal.session,
        digest=digest,
        requester=principal.human,
        reviewer_role=decision.obligations.reviewer_role,
        quorum=max(1, decision.obligations.quorum),
        state=ApprovalState.OPEN,
        opened_at=now,
        expires_at=now + ttl,
    )


def may_decide(approval: Approval, human: Human) -> bool:
    """Whether this person could vote, as far as who they are goes (rules 3 to 5)."""
    return (
        not human.is_service
        and not _same_person(approval.requester, human)
        and approval.reviewer_role in human.roles
        and not any(_same_person(vote.human, human) for vote in approval.votes)
    )


def vote(
    approval: Approval, human: Human, *, approve: bool, reason: str, digest: str, now: datetime
) -> Approval:
    """Counts one person's word.

    Raises:
        ConflictError: It is closed, or the digest is not that of what will run.
        PermissionDeniedError: The voter is the requester, is no reviewer, or has voted.
        InvalidInputError: The reason is too long, or a denial gives none.
    """
    _check_open(approval, now)
    _check_voter(approval, human)
    # (6): did they see what will run?
    if not hmac.compare_digest(digest.encode(), approval.digest.encode()):
        raise ConflictError(
            "What was shown is not what would run.",
            code="digest_differs",
            hint="Reload the request and read it again.",
        )
    _check_reason(approve=approve, reason=reason)
    # (7): what does it amount to?
    votes = (*approval.votes, Vote(human=human, approve=approve, reason=reason, at=now))
    state = ApprovalState.OPEN
    if not approve:
        state = ApprovalState.DENIED
    elif len(votes) >= approval.quorum:
        state = ApprovalState.APPROVED
    return replace(approval, votes=votes, state=state)


def _check_open(approval: Approval, now: datetime) -> None:
    """Rules 1 and 2."""
    if approval.state is not ApprovalState.OPEN:
        msg = f"This request is already {approval.state.value}."
        raise ConflictError(msg, code="already_decided")
    if now >= approval.expires_at:
        raise ConflictError("This request has expired.", code="approval_expired")


def _check_voter(approval: Approval, human: Human) -> None:
    """Rules 3 to 5."""
    if human.is_service:
        raise PermissionDeniedError("A service decides nothing.", code="service_may_not_decide")
    if _same_person(approval.requester, human):
        raise PermissionDeniedError(
            "Nobody decides their own action.",
            code="own_action",
            hint=f"Ask another person with the role {approval.reviewer_role}.",
        )
    if approval.reviewer_role not in human.roles:
        raise PermissionDeniedError(
            f"Only people with the role {approval.reviewer_role} decide this.",
            code="not_a_reviewer",
        )
    if any(_same_person(earlier.human, human) for earlier in approval.votes):
        raise PermissionDeniedError("You have already voted on this.", code="voted_already")


def _check_reason(*, approve: bool, reason: str) -> None:
    if len(reason) > MAX_REASON_CHARACTERS:
        msg = f"A reason has at most {MAX_REASON_CHARACTERS} characters."
        raise InvalidInputError(msg, code="reason_too_long")
    if not approve and not reason.strip():
        raise InvalidInputError(
            "A denial needs a reason.",
            code="reason_missing",
            hint="Tell the requester what to change.",
        )


def expire(approval: Approval, now: datetime) -> Approval:
    """EXPIRED when its time is over and nothing has begun; else unchanged."""
    waiting = approval.state in {ApprovalState.OPEN, ApprovalState.APPROVED}
    if waiting and now >= approval.expires_at:
        return replace(approval, state=ApprovalState.EXPIRED)
    return approval


def cancel(approval: Approval) -> Approval:
    """The requester no longer waits. Unchanged once execution has begun or it is closed."""
    if approval.state in {ApprovalState.OPEN, ApprovalState.APPROVED}:
        return replace(approval, state=ApprovalState.CANCELLED)
    return approval


def void(approval: Approval) -> Approval:
    """What would run is no longer what was approved."""
    if approval.state in {ApprovalState.OPEN, ApprovalState.APPROVED}:
        return replace(approval, state=ApprovalState.VOIDED)
    return approval


def begin(approval: Approval, *, digest: str, now: datetime) -> Approval:
    """APPROVED to EXECUTING, the only way to run a held action (rule 8).

    Raises:
        ConflictError: It is not approved, its time is over, or `digest` (recomputed from what is
            about to be sent) differs from what was approved.
    """
    if approval.state is not ApprovalState.APPROVED:
        msg = f"This request is {approval.state.value}, not approved."
        raise ConflictError(msg, code="not_approved")
    if now >= approval.expires_at:
        raise ConflictError("The approval has expired.", code="approval_expired")
    if not hmac.compare_digest(digest.encode(), approval.digest.encode()):
        raise ConflictError("What would run is not what was approved.", code="digest_differs")
    return replace(approval, state=ApprovalState.EXECUTING)


def finish(approval: Approval, *, outcome_known: bool) -> Approval:
    """EXECUTING to EXECUTED, or to OUTCOME_UNKNOWN where the target's answer never came."""
    if approval.state is not ApprovalState.EXECUTING:
        msg = f"This request is {approval.state.value}, not executing."
        raise ConflictError(msg, code="not_executing")
    state = ApprovalState.EXECUTED if outcome_known else ApprovalState.OUTCOME_UNKNOWN
    return replace(approval, state=state)


def restore(approval: Approval) -> Approval:
    """After a crash: what was executing has an unknown outcome and is never run again."""
    if approval.state is ApprovalState.EXECUTING:
        return replace(approval, state=ApprovalState.OUTCOME_UNKNOWN)
    return approval


def _same_person(one: Human, other: Human) -> bool:
    return (one.issuer, one.subject) == (other.issuer, other.subject)
