"""The life of one tool cell, from the session's socket to its record.

`run` is the list of ARCHITECTURE.md, in its order. Each room is walked through once, and none
calls back here. `resume` enters at the same point where a held action waited when the gateway
stopped.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from dataclasses import dataclass, replace
from datetime import timedelta

from jupyter_zt.approvals import HeldAction, approval_digest, open_approval
from jupyter_zt.errors import (
    ConfigError,
    ConflictError,
    InvalidInputError,
    LogUnavailableError,
    NotFoundError,
    PermissionDeniedError,
    TargetError,
    ZTError,
)
from jupyter_zt.gateway.deliver import Delivered, deliver
from jupyter_zt.gateway.rooms import Rooms
from jupyter_zt.gateway.sessions import LiveSession
from jupyter_zt.gateway.stream import AnswerStream
from jupyter_zt.gateway.targets import Target, unknown_connection
from jupyter_zt.gateway.unbroken import conclusive, unbroken
from jupyter_zt.gateway.wire import ActionRequest
from jupyter_zt.model import (
    Action,
    Approval,
    ApprovalState,
    Decision,
    Facts,
    Lease,
    Record,
    RecordDraft,
    RecordKind,
    Verdict,
)

CHECK_EXPIRY_SECONDS = 30
MAX_ACTIONS_AT_ONCE = 32
"""Of one session, running or held: the target and the reviewers are everybody's."""

_LEASE_GONE = frozenset({"lease_refused", "lease_expired"})
_NOTHING_CHANGED = (TargetError, InvalidInputError, PermissionDeniedError, ConfigError)
"""Errors that come before a write is committed, or that say themselves that it may have been."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Understood:
    """An action with what analysis and policy said of it."""

    action: Action
    target: Target
    facts: Facts
    decision: Decision


async def run(
    rooms: Rooms, session: LiveSession, request: ActionRequest, stream: AnswerStream
) -> None:
    """Runs one action of a live session and streams its answer.

    Raises:
        ZTError: Before anything was recorded: the session is over, the log is not durable. What
            happens later is told in the stream.
    """
    started = time.monotonic()
    # (1) Authenticate: the socket says which session this is; is it still alive, and its human
    #     still logged in?
    _admit(rooms, session)
    action = Action(
        id=f"a_{secrets.token_hex(16)}",
        session=session.id,
        connection=request.connection,
        command=request.command,
        parameters=tuple(request.parameters),
        cell=request.cell,
        cause=request.cause,
    )
    _name_task(action.id)
    # (2) Analyze: command -> facts. What can't be understood is a fact too.
    target = rooms.targets.get(action.connection)
    if target is None:
        facts = unknown_connection(action.connection, sorted(rooms.targets))
    else:
        facts = target.analyze(action)
    # (3) Decide: facts + principal -> allow, hold or deny.
    decision = rooms.decide(session, action, target, facts)
    if decision.verdict is Verdict.HOLD and target is not None:
        decision = await _leasable(target, facts, decision)
    # (4) Record the intent and the decision, durably, before anything goes upstream.
    drafts = [_intent(action, facts), _decision(action, decision)]
    held: HeldAction | None = None
    if decision.verdict is Verdict.HOLD and target is not None:
        held = _hold(rooms, session, _Understood(action, target, facts, decision))
        drafts.append(rooms.consent.opened_draft(held))
    elif decision.verdict is Verdict.ALLOW:
        drafts.append(
            RecordDraft(RecordKind.EXECUTE_START, session.id, fields={"action": action.id})
        )
    records = await unbroken(
        rooms.records.append(
            drafts,
            also=(lambda connection, _: rooms.approvals.add(connection, held)) if held else None,
        )
    )
    session.cell_actions.setdefault(action.cell, []).append(str(records[0].seq))
    stream.event("accepted", action=action.id, record=str(records[0].leaf))
    if decision.verdict is Verdict.DENY or target is None:
        _refuse(stream, decision, facts, records[1])
        return
    if held is not None:
        rooms.changes.notify()
    # (5) to (10)
    understood = _Understood(action, target, facts, decision)
    await _carry_out(rooms, session, understood, held, stream, started)


async def resume(rooms: Rooms, session: LiveSession, action_id: str, stream: AnswerStream) -> None:
    """Goes on waiting for an action that was held when the gateway stopped.

    Raises:
        NotFoundError: This session holds no such action.
        ConflictError: It is over, or somebody waits for it already.
    """
    _admit(rooms, session)
    if any(task.get_name() == action_id for task in session.running):
        raise ConflictError(
            "This action is under way.",
            code="action_under_way",
            hint="Its answer goes to who asked first.",
        )
    held = rooms.approvals.for_action(action_id)
    if held.approval.session != session.id:
        raise NotFoundError("This session holds no such action.", code="unknown_action")
    if held.approval.state not in {ApprovalState.OPEN, ApprovalState.APPROVED}:
        msg = f"This action is over: {held.approval.state.value}."
        raise ConflictError(msg, code="action_over", hint="Run the cell again to ask again.")
    # From here to the name nothing is awaited: of two at once, the second finds the first.
    _name_task(action_id)
    target = rooms.targets.get(held.action.connection)
    if target is None:
        await rooms.consent.void(held, "unknown_connection")
        raise ConflictError("This connection is no longer configured.", code="action_over")
    facts = target.analyze(held.action)
    decision = rooms.decide(session, held.action, target, facts)
    understood = _Understood(held.action, target, facts, decision)
    stream.event("accepted", action=action_id, record="")
    await _carry_out(rooms, session, understood, held, stream, time.monotonic())


def _admit(rooms: Rooms, session: LiveSession) -> None:
    session.check_alive(rooms.clock())
    if len(session.running) > MAX_ACTIONS_AT_ONCE:
        raise ConflictError(
            f"This session has {MAX_ACTIONS_AT_ONCE} actions under way.",
            code="too_many_actions",
            hint="Wait for one to end, or stop it.",
        )


async def _carry_out(
    rooms: Rooms,
    session: LiveSession,
    understood: _Understood,
    held: HeldAction | None,
    stream: AnswerStream,
    started: float,
) -> None:
    action, target = understood.action, understood.target
    executing: Approval | None = None
    lease: Lease | None = None
    try:
        # (5) Hold: wait for the people whom the decision asks for.
        if held is not None:
            executing = await _consent(rooms, session, understood, held, stream)
            if executing is None:
                return
            started = time.monotonic()
        # (6) Lease: a short-lived, least-privilege identity at the target.
        lease = await rooms.leases.take(session, target, understood.facts)
        # (7) Execute as that identity, (8) mask what comes back, and
        # (9) record the result, durably, before the first row (or the end marker) is released.
        delivered = await deliver(
            rooms, session, action, target, understood.facts, lease, stream, executing
        )
    except asyncio.CancelledError:
        # The requester is gone, or pressed stop. When the gateway itself stops, what is held
        # stays held; what was executing is found by the recovery at the next start.
        if not rooms.stopping:
            await conclusive(_abandon(rooms, session, action, held, executing))
        raise
    except ZTError as error:
        if error.code in _LEASE_GONE:
            rooms.leases.forget(session, target)
        await conclusive(_fail(rooms, session, understood, error, held, executing, stream))
        return
    except Exception:
        logger.exception("action %s failed inside the gateway", action.id)
        failure = ZTError("The gateway failed.", hint="Its log has the details.")
        await conclusive(_fail(rooms, session, understood, failure, held, executing, stream))
        return
    finally:
        await conclusive(rooms.leases.give_back(target, lease))
    # (10) Tell the requester what this was.
    _complete(
        stream, understood, delivered, held and rooms.approvals.get(held.approval.id), started
    )


async def _consent(
    rooms: Rooms,
    session: LiveSession,
    understood: _Understood,
    held: HeldAction,
    stream: AnswerStream,
) -> Approval | None:
    """Waits, and returns the approval in execution; or tells why not and returns None."""
    approval = held.approval
    stream.event(
        "held",
        approval={
            "id": approval.id,
            "reviewer_role": approval.reviewer_role,
            "quorum": str(approval.quorum),
            "reasons": list(held.reasons),
            "expires_at": approval.expires_at.isoformat(),
            "digest": approval.digest,
        },
    )
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
        _tell_closed(stream, held)
        return None
    # What is about to be sent is looked at again: same session and login, same policy's word,
    # same bytes. Any difference voids the consent.
    try:
        session.check_alive(rooms.clock())
        decision = rooms.decide(session, held.action, understood.target, understood.facts)
        if decision.verdict is Verdict.DENY:
            raise ConflictError("Policy now denies this.", code="policy_changed")
        digest = _digest(
            session, understood.target, understood.facts, decision, held.action, held.nonce
        )
        executing = await unbroken(rooms.consent.begin(held, digest))
    except LogUnavailableError:
        raise
    except ZTError as error:
        await unbroken(rooms.consent.void(rooms.approvals.get(approval.id), error.code))
        stream.event(
            "error",
            status="denied",
            code="approval_void",
            message=f"The approval no longer holds: {error.message}",
            hint="Run the cell again to ask again.",
            who="",
            record="",
        )
        return None
    stream.event("approved", by=[vote.human.name for vote in executing.votes])
    return executing


async def _leasable(target: Target, facts: Facts, decision: Decision) -> Decision:
    """Nobody is asked for what no lease could allow: it is denied at once."""
    if target.leasing is None:
        return decision
    try:
        await target.leasing.check(facts)
    except PermissionDeniedError as error:
        return replace(
            decision,
            verdict=Verdict.DENY,
            code=error.code,
            message=error.message,
            hint=error.hint,
        )
    return decision


def _name_task(action_id: str) -> None:
    """By this name the action can be cancelled."""
    task = asyncio.current_task()
    if task is not None:
        task.set_name(action_id)


def _hold(rooms: Rooms, session: LiveSession, understood: _Understood) -> HeldAction:
    nonce = secrets.token_hex(16)
    action, decision = understood.action, understood.decision
    digest = _digest(session, understood.target, understood.facts, decision, action, nonce)
    approval = open_approval(
        approval_id=f"p_{secrets.token_hex(16)}",
        action=action.id,
        digest=digest,
        principal=session.principal,
        decision=decision,
        now=rooms.clock(),
        ttl=timedelta(seconds=rooms.config.values.approvals.expires_seconds),
    )
    return HeldAction(
        approval=approval,
        action=action,
        agent=session.agent,
        nonce=nonce,
        facts=understood.facts.to_json(),
        reasons=decision.reasons,
        policy_digest=decision.policy_digest,
    )


def _digest(
    session: LiveSession,
    target: Target,
    facts: Facts,
    decision: Decision,
    action: Action,
    nonce: str,
) -> str:
    return approval_digest(
        action,
        session.principal,
        privileges=target.privileges(facts),
        policy_digest=decision.policy_digest,
        nonce=nonce,
    )


def _intent(action: Action, facts: Facts) -> RecordDraft:
    parameters = repr(action.parameters).encode() if action.parameters else b""
    return RecordDraft(
        RecordKind.INTENT,
        action.session,
        fields={
            "action": action.id,
            "connection": action.connection,
            "cell": action.cell,
            "cause": action.cause,
            "facts": facts.to_json(),
        },
        bodies={
            "command": action.command.encode("utf-8", "surrogatepass"),
            **({"parameters": parameters} if parameters else {}),
        },
    )


def _decision(action: Action, decision: Decision) -> RecordDraft:
    return RecordDraft(
        RecordKind.DECISION,
        action.session,
        fields={
            "action": action.id,
            "verdict": decision.verdict.value,
            "code": decision.code,
            "reasons": list(decision.reasons),
            "policies": list(decision.policies),
            "policy": decision.policy_digest,
        },
    )


def _refuse(stream: AnswerStream, decision: Decision, facts: Facts, record: Record) -> None:
    stream.event(
        "error",
        status="denied",
        code=decision.code,
        message=decision.message,
        hint=decision.hint,
        who=f"whoever keeps the policy ({', '.join(decision.policies)})"
        if decision.policies
        else "",
        record=str(record.leaf),
        position=facts.position,
    )


def _tell_closed(stream: AnswerStream, held: HeldAction) -> None:
    approval = held.approval
    status, message, hint = "denied", "", "Run the cell again to ask again."
    if approval.state is ApprovalState.DENIED:
        last = approval.votes[-1]
        message = f"{last.human.name} denied this: {last.reason}"
        hint = ""
    elif approval.state is ApprovalState.EXPIRED:
        status, message = "expired", "Nobody decided in time, so this was not run."
    elif approval.state is ApprovalState.CANCELLED:
        status, message = "cancelled", "This request was cancelled."
    else:
        message = f"This request is {approval.state.value}."
    stream.event(
        "error",
        status=status,
        code=f"approval_{approval.state.value}",
        message=message,
        hint=hint,
        who=f"People with the role {approval.reviewer_role}",
        record="",
    )


async def _abandon(
    rooms: Rooms,
    session: LiveSession,
    action: Action,
    held: HeldAction | None,
    executing: Approval | None,
) -> None:
    """The requester went away: a waiting approval is cancelled, a running statement is stopped."""
    if held is not None and executing is None:
        held = rooms.approvals.get(held.approval.id)
        if held.approval.state is not ApprovalState.EXECUTING:
            await rooms.consent.cancel(held, "requester_gone")
            return
        executing = held.approval
    # Whether a write that was cut off had been committed, only the target knows.
    kind = RecordKind.ERROR if executing is None else RecordKind.UNKNOWN_OUTCOME
    await rooms.close_execution(
        RecordDraft(
            kind,
            session.id,
            fields={"action": action.id, "status": "cancelled", "code": "cancelled"},
        ),
        executing,
        outcome_known=executing is None,
    )


async def _fail(
    rooms: Rooms,
    session: LiveSession,
    understood: _Understood,
    error: ZTError,
    held: HeldAction | None,
    executing: Approval | None,
    stream: AnswerStream,
) -> None:
    """The target refused or failed, or a part of the gateway did: recorded, then told."""
    try:
        record = await _record_failure(rooms, session, understood, error, held, executing)
    except ZTError as unrecorded:
        # The action stays open in the log: the seal, or the next start, says so.
        logger.error("the end of %s is not recorded: %s", understood.action.id, unrecorded)  # noqa: TRY400
        record = None
    stream.event(
        "error",
        status="limit" if error.code.startswith("over_") else "failed",
        code=error.code,
        message=error.message,
        hint=error.hint,
        who=f"The owner of connection {understood.action.connection}",
        record=str(record.leaf) if record else "",
        position=getattr(error, "position", 0),
    )


async def _record_failure(
    rooms: Rooms,
    session: LiveSession,
    understood: _Understood,
    error: ZTError,
    held: HeldAction | None,
    executing: Approval | None,
) -> Record | None:
    if held is not None and executing is None:
        # It failed while it waited: nobody is to consent to it any more.
        await rooms.consent.cancel(rooms.approvals.get(held.approval.id), error.code)
        return None
    unknown = getattr(error, "outcome_unknown", False) or (
        executing is not None and not isinstance(error, _NOTHING_CHANGED)
    )
    draft = RecordDraft(
        RecordKind.UNKNOWN_OUTCOME if unknown else RecordKind.ERROR,
        session.id,
        fields={
            "action": understood.action.id,
            "status": "failed",
            "code": error.code,
            "sqlstate": getattr(error, "sqlstate", ""),
        },
    )
    return await rooms.close_execution(draft, executing, outcome_known=not unknown)


def _complete(
    stream: AnswerStream,
    understood: _Understood,
    delivered: Delivered,
    held: HeldAction | None,
    started: float,
) -> None:
    stream.event(
        "result",
        status="completed",
        verb=understood.facts.verb.value,
        rows=str(delivered.rows),
        bytes=str(delivered.size_bytes),
        record=str(delivered.record.leaf),
        seconds=round(time.monotonic() - started, 6),
        truncated=delivered.truncated,
        approved_by=[vote.human.name for vote in held.approval.votes] if held else [],
        command_tag=delivered.command_tag,
        **({"body": delivered.body} if delivered.body is not None else {}),
    )
