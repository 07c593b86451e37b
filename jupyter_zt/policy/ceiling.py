"""An agent's ceiling, beside Cedar: whatever the policies say, it only takes away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from jupyter_zt.model import Agent, Decision, Facts, Verdict

__all__ = ["within_ceiling"]


def within_ceiling(
    agents: Mapping[str, Agent], name: str | None, connection: str, facts: Facts, decision: Decision
) -> Decision:
    """The decision, or a denial where it goes beyond what the agent may.

    (1) Without an agent, the human's own rights count. A denial stays what it is.
    (2) Only a registered agent acts.
    (3) On its connections, (4) with its verbs,
    (5) and what has to be approved, only where it may ask.

    Args:
        agents: Those that are registered, by name.
        name: The agent that acts, if one does.
        connection: Name of the target.
        facts: What analysis found.
        decision: What the policies say to human and agent.
    """
    if name is None or decision.verdict is Verdict.DENY:
        return decision
    agent = agents.get(name)
    if agent is None:
        return _denied(
            decision,
            "unknown_agent",
            "The agent that this names is not registered.",
            f"There are: {', '.join(sorted(agents)) or 'none'}. An administrator registers agents "
            "in gateway.yaml.",
        )
    if connection not in agent.connections:
        return _denied(
            decision,
            "agent_connection",
            f"The agent {name} may not use {connection}.",
            f"It may use: {', '.join(sorted(agent.connections))}. Run it yourself, if you may.",
        )
    if facts.verb not in agent.verbs:
        verbs = ", ".join(sorted(verb.value for verb in agent.verbs))
        return _denied(
            decision,
            "agent_action",
            f"The agent {name} may not do this: {facts.verb.value}.",
            f"It may: {verbs}. Run it yourself, if you may.",
        )
    if decision.verdict is Verdict.HOLD and not agent.may_ask:
        return _denied(
            decision,
            "agent_may_not_ask",
            f"This needs another person's approval, and the agent {name} may not ask for one.",
            "Run it yourself: it is then held for approval.",
        )
    return decision


def _denied(decision: Decision, code: str, message: str, hint: str) -> Decision:
    return replace(decision, verdict=Verdict.DENY, code=code, message=message, hint=hint)
