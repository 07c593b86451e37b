"""Holding an action until the people whom policy asks for have consented to exactly it."""

from __future__ import annotations

import contextlib
import secrets
from dataclasses import replace
from datetime import timedelta

from jupyter_zt.approvals import HeldAction, approval_digest, open_approval
from jupyter_zt.errors import ConflictError, LogUnavailableError, PermissionDeniedError, ZTError
from jupyter_zt.gateway.rooms import Rooms
from jupyter_zt.gateway.sessions import LiveSession
from jupyter_zt.gateway.stream import AnswerStream
from jupyter_zt.gateway.targets import Target
from jupyter_zt.gateway.telling import tell_closed, tell_held, tell_void
from jupyter_zt.gateway.unbroken import unbroken
from jupyter_zt.gateway.understood import Understood
from jupyter_zt.model import Action, Approval, ApprovalState, Decision, Facts, Verdict

CHECK_EXPIRY_SECONDS = 30


async def leasable(target: Target, facts: Facts, decision: Decision) -> Decision:
    """Nobody is asked for what no lease could allow: it is denied at once."""
    if target.leasing is None:
        return decision
    try:
        await target.leasing.check(facts, decision.obligations.masks)
    except PermissionDeniedError as error:
        return replace(
            decision,
            verdict=Verdict.DENY,
            code=error.code,
            message=error.message,
            hint=error.hint,
        )
    return decision


def hold(rooms: Rooms, session: LiveSession, understood: Understood) -> HeldAction:
    """A new request for consent, bound to the action by its digest."""
    nonce = secrets.token_hex(16)
    action, decision = understood.action, understood.decision
    digest = digest_of(session, understood.target, understood.facts, decision, action, nonce)
    approval = open_approval(
        approval_id=f"p_{secrets.token_hex(16)}",
        action=action.id,
        digest=digest,
        principal=session.principal(action.agent),
        decision=decision,
        now=rooms.clock(),
        ttl=timedelta(seconds=rooms.config.values.approvals.expires_seconds),
    )
    return HeldAction(
        approval=approval,
        action=action,
        agent=action.agent,
        nonce=nonce,
        facts=understood.facts.to_json(),
        reasons=decision.reasons,
        policy_digest=decision.policy_digest,
    )


async def await_consent(
    rooms: Rooms,
    session: LiveSession,
    understood: Understood,
    held: HeldAction,
    stream: AnswerStream,
) -> Approval | None:
    """Waits, and returns the approval in execution; or tells why not and returns None."""
    approval = held.approval
    tell_held(stream, held)
    await stream.flush()
    while held.approval.state is ApprovalState.OPEN:
        revision = rooms.changes.revision
        left = (approval.expires_at - rooms.clock()).total_seconds()
        if left <= 0:
            with contextlib.suppress(ConflictError):  # a vote came just before
                await unbroken(rooms.consent.expire(held))
        else:
            await rooms.changes.wait(revision, min(left, CHECK_EXPIRY_SECONDS))
        held = rooms.approvals.get(approval.id)
    if held.approval.state is not ApprovalState.APPROVED:
        tell_closed(stream, held)
        return None
    # What is about to be sent is looked at again: same session and login, same policy's word,
    # same bytes. Any difference voids the consent.
    try:
        session.check_alive(rooms.clock())
        decision = rooms.decide(session, held.action, understood.target, understood.facts)
        if decision.verdict is Verdict.DENY:
            raise ConflictError("Policy now denies this.", code="policy_changed")
        if not understood.decision.obligations.covers(decision.obligations):
            # What the session did meanwhile made policy stricter than what people were asked for.
            raise ConflictError("Policy now asks for more consent.", code="policy_changed")
        digest = digest_of(
            session, understood.target, understood.facts, decision, held.action, held.nonce
        )
        executing = await unbroken(rooms.consent.begin(held, digest))
    except LogUnavailableError:
        raise
    except ZTError as error:
        await unbroken(rooms.consent.void(rooms.approvals.get(approval.id), error.code))
        tell_void(stream, error)
        return None
    stream.event("approved", by=[vote.human.name for vote in executing.votes])
    await stream.flush()
    return executing


def digest_of(
    session: LiveSession,
    target: Target,
    facts: Facts,
    decision: Decision,
    action: Action,
    nonce: str,
) -> str:
    """What the consent is bound to, computed from what is about to be asked or sent."""
    return approval_digest(
        action,
        session.principal(action.agent),
        privileges=target.privileges(facts),
        policy_digest=decision.policy_digest,
        nonce=nonce,
    )
