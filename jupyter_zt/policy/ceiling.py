"""Ceilings of agents and services, beside Cedar: whatever the policies say, they only take away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from jupyter_zt.model import Agent, Ceiling, Decision, Facts, Human, Service, Verdict

__all__ = ["within_ceiling", "within_service"]


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
    return _under(agent, "agent", connection, facts, decision)


def within_service(
    services: Mapping[str, Service],
    human: Human,
    connection: str,
    facts: Facts,
    decision: Decision,
) -> Decision:
    """The decision, or a denial where it goes beyond what the service may. As `within_ceiling`.

    Args:
        services: Those that are registered, by name.
        human: Who acts: a person, for whom nothing changes, or a service.
        connection: Name of the target.
        facts: What analysis found.
        decision: What the policies say.
    """
    if not human.is_service or decision.verdict is Verdict.DENY:
        return decision
    service = services.get(human.subject)
    if service is None:
        return _denied(
            decision,
            "unknown_service",
            f"The service {human.subject} is not registered any more.",
            "An administrator registers services in gateway.yaml.",
        )
    return _under(service, "service", connection, facts, decision)


def _under(
    ceiling: Ceiling, kind: str, connection: str, facts: Facts, decision: Decision
) -> Decision:
    """Rules 3 to 5."""
    who = f"{kind} {ceiling.name}"
    instead = "Run it yourself" if kind == "agent" else "Run it as a person"
    if connection not in ceiling.connections:
        return _denied(
            decision,
            f"{kind}_connection",
            f"The {who} may not use {connection}.",
            f"It may use: {', '.join(sorted(ceiling.connections))}. {instead}, if you may.",
        )
    if facts.verb not in ceiling.verbs:
        verbs = ", ".join(sorted(verb.value for verb in ceiling.verbs))
        return _denied(
            decision,
            f"{kind}_action",
            f"The {who} may not do this: {facts.verb.value}.",
            f"It may: {verbs}. {instead}, if you may.",
        )
    if decision.verdict is Verdict.HOLD and not ceiling.may_ask:
        return _denied(
            decision,
            f"{kind}_may_not_ask",
            f"This needs another person's approval, and the {who} may not ask for one.",
            f"{instead}: it is then held for approval.",
        )
    return decision


def _denied(decision: Decision, code: str, message: str, hint: str) -> Decision:
    return replace(decision, verdict=Verdict.DENY, code=code, message=message, hint=hint)
