"""The life of one tool cell, from the session's socket to its record.

`run` is the list of ARCHITECTURE.md, in its order. Each room is walked through once, and none
calls back here. `resume` enters at the same point where a held action waited when the gateway
stopped.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from sqlalchemy import Connection

from jupyter_zt.approvals import HeldAction
from jupyter_zt.errors import ConflictError, NotFoundError, ZTError
from jupyter_zt.gateway.budgets import Meter
from jupyter_zt.gateway.deliver import deliver
from jupyter_zt.gateway.endings import abandon, fail
from jupyter_zt.gateway.estimates import decide_estimated
from jupyter_zt.gateway.histories import remember, store_history, write_history
from jupyter_zt.gateway.holding import await_consent, hold, leasable
from jupyter_zt.gateway.rooms import Rooms, together
from jupyter_zt.gateway.sessions import LiveSession
from jupyter_zt.gateway.step_up import stepped_up
from jupyter_zt.gateway.stream import AnswerStream
from jupyter_zt.gateway.targets import unknown_connection
from jupyter_zt.gateway.telling import completed, refuse
from jupyter_zt.gateway.unbroken import conclusive, unbroken
from jupyter_zt.gateway.understood import Understood
from jupyter_zt.gateway.wire import ActionRequest
from jupyter_zt.model import (
    Action,
    Approval,
    ApprovalState,
    Decision,
    Facts,
    Lease,
    RecordDraft,
    RecordKind,
    Verdict,
)

MAX_ACTIONS_AT_ONCE = 32
"""Of one session, running or held: the target and the reviewers are everybody's."""

_LEASE_GONE = frozenset({"lease_refused", "lease_expired"})
logger = logging.getLogger(__name__)


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
    agent = session.acting_as(request.agent)
    action = Action(
        id=f"a_{secrets.token_hex(16)}",
        session=session.id,
        connection=request.connection,
        command=request.command,
        parameters=tuple(request.parameters),
        cell=request.cell,
        cause=request.cause,
        agent=agent,
        max_rows=request.max_rows,
    )
    _name_task(action.id)
    if agent is not None:
        session.acting[action.id] = agent
    try:
        await _walk(rooms, session, action, stream, started)
    finally:
        if not rooms.stopping:
            session.acting.pop(action.id, None)


async def _walk(
    rooms: Rooms, session: LiveSession, action: Action, stream: AnswerStream, started: float
) -> None:
    # (2) Analyze: command -> facts. What can't be understood is a fact too.
    target = rooms.targets.get(action.connection)
    if target is None:
        facts = unknown_connection(action.connection, sorted(rooms.targets))
    else:
        facts = rooms.analyze(action, target)
    # (3) Decide: facts + principal -> allow, hold or deny.
    if target is not None and rooms.policies.current.asks_estimates:
        facts, decision = await decide_estimated(rooms, session, action, target, facts)
    else:
        decision = rooms.decide(session, action, target, facts)
    decision = stepped_up(session, decision, rooms.clock())
    if decision.verdict is Verdict.HOLD and target is not None:
        decision = await leasable(target, facts, decision)
    #     Budgets only ever tighten what policy said.
    meter = rooms.budgets.meter(session, action)
    if meter.counts and target is not None and decision.verdict is not Verdict.DENY:
        foreseen = rooms.foresee(session, action, target, held=decision.verdict is Verdict.HOLD)
        decision = rooms.budgets.charge(meter, decision, foreseen)
    # (4) Record the intent and the decision, durably, before anything goes upstream.
    drafts = [_intent(action, facts, decision), _decision(action, decision)]
    changes: list[Callable[[Connection], object]] = [meter.write] if meter.unstored else []
    held: HeldAction | None = None
    if decision.verdict is Verdict.HOLD and target is not None:
        held = hold(rooms, session, Understood(action, target, facts, decision))
        drafts.append(rooms.consent.opened_draft(held))
        changes.append(partial(rooms.approvals.add, held=held))
    elif decision.verdict is Verdict.ALLOW:
        drafts.append(
            RecordDraft(RecordKind.EXECUTE_START, session.id, fields={"action": action.id})
        )
    if held is None and remember(session, target, facts, decision.verdict):
        changes.append(partial(write_history, session=session))
    records = await unbroken(rooms.records.append(drafts, also=together(changes)))
    meter.stored()
    session.cell_actions.setdefault(action.cell, []).append(str(records[0].seq))
    stream.event("accepted", action=action.id, record=str(records[0].leaf))
    if decision.verdict is Verdict.DENY or target is None:
        refuse(stream, decision, facts, records[1])
        return
    if held is not None:
        rooms.changes.notify()
    # (5) to (10)
    understood = Understood(action, target, facts, decision)
    await _carry_out(rooms, session, understood, held, meter, stream, started)


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
    facts = rooms.analyze(held.action, target)
    if "estimated_rows" in held.facts:
        facts = replace(facts, estimated_rows=int(str(held.facts["estimated_rows"])))
    decision = rooms.decide(session, held.action, target, facts)
    understood = Understood(held.action, target, facts, decision)
    stream.event("accepted", action=action_id, record="")
    meter = rooms.budgets.meter(session, held.action)
    try:
        await _carry_out(rooms, session, understood, held, meter, stream, time.monotonic())
    finally:
        if not rooms.stopping:
            session.acting.pop(action_id, None)


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
    understood: Understood,
    held: HeldAction | None,
    meter: Meter,
    stream: AnswerStream,
    started: float,
) -> None:
    action, target = understood.action, understood.target
    executing: Approval | None = None
    lease: Lease | None = None
    try:
        # (5) Hold: wait for the people whom the decision asks for.
        if held is not None:
            executing = await await_consent(rooms, session, understood, held, stream)
            if executing is None:
                return
            started = time.monotonic()
            if remember(session, target, understood.facts, Verdict.ALLOW):
                await asyncio.to_thread(store_history, rooms.engine, session)
        # (6) Lease: a short-lived, least-privilege identity at the target.
        lease = await rooms.leases.take(
            session,
            target,
            understood.facts,
            rooms.ceilings(session, action.agent),
            action.agent,
            understood.decision.obligations.masks,
        )
        # (7) Execute as that identity, (8) mask what comes back, and
        # (9) record the result, durably, before the first row (or the end marker) is released.
        delivered = await deliver(rooms, session, understood, lease, meter, stream, executing)
    except asyncio.CancelledError:
        # The requester is gone, or pressed stop. When the gateway itself stops, what is held
        # stays held; what was executing is found by the recovery at the next start.
        if not rooms.stopping:
            await conclusive(abandon(rooms, session, action, held, executing))
        raise
    except ZTError as error:
        if error.code in _LEASE_GONE:
            rooms.leases.forget(session, target, action.agent)
        await conclusive(fail(rooms, session, understood, error, held, executing, stream))
        return
    except Exception:
        logger.exception("action %s failed inside the gateway", action.id)
        failure = ZTError("The gateway failed.", hint="Its log has the details.")
        await conclusive(fail(rooms, session, understood, failure, held, executing, stream))
        return
    finally:
        await conclusive(rooms.leases.give_back(target, lease))
        if meter.unstored:  # it failed, or was cancelled, half way
            await conclusive(asyncio.to_thread(rooms.budgets.store, meter))
    # (10) Tell the requester what this was.
    voted = rooms.approvals.get(held.approval.id) if held else None
    completed(stream, understood.facts, delivered, voted, time.monotonic() - started)


def _name_task(action_id: str) -> None:
    """By this name the action can be cancelled."""
    task = asyncio.current_task()
    if task is not None:
        task.set_name(action_id)


def _intent(action: Action, facts: Facts, decision: Decision) -> RecordDraft:
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
            "policy": decision.policy_digest,
            **({"max_rows": str(action.max_rows)} if action.max_rows else {}),
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
            "obligations": decision.obligations.to_json(),
        },
    )
