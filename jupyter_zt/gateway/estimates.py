"""How many rows an action is expected to touch, asked of the target where a policy looks at it."""

from __future__ import annotations

from dataclasses import replace

from jupyter_zt.errors import ZTError
from jupyter_zt.gateway.rooms import Rooms
from jupyter_zt.gateway.sessions import LiveSession
from jupyter_zt.gateway.targets import Target
from jupyter_zt.gateway.unbroken import conclusive
from jupyter_zt.model import Action, Decision, Facts, LeastMasks, Verb, Verdict

_PLANNED = frozenset({Verb.SELECT, Verb.INSERT, Verb.UPDATE, Verb.DELETE, Verb.MERGE})


async def decide_estimated(
    rooms: Rooms, session: LiveSession, action: Action, target: Target, facts: Facts
) -> tuple[Facts, Decision]:
    """Policy's word where its policies ask how many rows an action touches.

    The target plans the command, on the lease that would run it, and does not run it. It is asked
    only for what policy would not deny even if no row were touched. Planning may call functions:
    what has one that is not listed is planned only where it would run without anybody's consent.

    Returns:
        The facts, with the estimate, and the decision. Without an estimate it is a denial.
    """
    if facts.verb not in _PLANNED:
        return facts, rooms.decide(session, action, target, facts)
    hopeful = replace(facts, estimated_rows=0)
    decision = rooms.decide(session, action, target, hopeful)
    if decision.verdict is Verdict.DENY:
        return facts, decision
    if decision.verdict is Verdict.HOLD and facts.unlisted_functions:
        names = ", ".join(sorted(facts.unlisted_functions))
        return facts, _unknown(
            decision, f"{names} may do anything, even when it is planned.", "Leave it out."
        )
    try:
        rows = await _estimate(rooms, session, action, target, facts, decision.obligations.masks)
    except ZTError as error:
        return facts, _unknown(decision, error.message, error.hint)
    facts = replace(facts, estimated_rows=rows)
    return facts, rooms.decide(session, action, target, facts)


def _unknown(decision: Decision, why: str, hint: str) -> Decision:
    return replace(
        decision,
        verdict=Verdict.DENY,
        code="estimate_unavailable",
        message=f"Policy asks how many rows this touches, which can't be told: {why}",
        hint=hint,
    )


async def _estimate(
    rooms: Rooms,
    session: LiveSession,
    action: Action,
    target: Target,
    facts: Facts,
    masks: LeastMasks,
) -> int | None:
    if target.leasing is not None and facts.writes:
        await target.leasing.check(facts, masks)
    ceilings = rooms.ceilings(session, action.agent)
    lease = await rooms.leases.take(session, target, facts, ceilings, action.agent, masks)
    try:
        comment = f"jupyter-zt session={session.id} action={action.id} plan"
        return await target.estimate(lease, action, comment)
    finally:
        await conclusive(rooms.leases.give_back(target, lease))
