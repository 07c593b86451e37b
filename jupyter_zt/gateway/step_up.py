"""Actions for which a person must have shown who they are a short time ago (`@step_up`)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from jupyter_zt.gateway.sessions import LiveSession
from jupyter_zt.model import Decision, Verdict


def stepped_up(session: LiveSession, decision: Decision, now: datetime) -> Decision:
    """A denial where the person's login is too old for the decision, or of unknown age.

    Looked at when the action is asked for: nobody has to log in again while others consent.
    """
    seconds = decision.obligations.step_up_seconds
    if decision.verdict is Verdict.DENY or not seconds:
        return decision
    shown = session.authenticated_at
    if shown is not None and now - shown <= timedelta(seconds=seconds):
        return decision
    if shown is None:
        hint = "The identity provider says no time of login (auth_time): ask an administrator."
    else:
        hint = "Log out and log in again, then run it again."
    return replace(
        decision,
        verdict=Verdict.DENY,
        code="step_up_required",
        message=f"This needs a login that is at most {seconds} seconds old.",
        hint=hint,
    )
