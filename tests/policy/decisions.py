"""Decisions about one command, as the tests of policy ask for them."""

from __future__ import annotations

from collections.abc import Collection
from importlib import resources

from jupyter_zt.model import Action, Decision, Facts, Human, Principal
from jupyter_zt.policy import PolicySet, analyze_postgres

CONNECTIONS = ("warehouse", "crm", "llm")
DEMO = resources.files("jupyter_zt.policy").joinpath("packs", "demo.cedar").read_bytes()


def principal(roles: Collection[str] = ("analyst",), agent: str | None = None) -> Principal:
    human = Human("https://idp.example", "ana", "Ana", frozenset(roles))
    return Principal(human, "s_1", agent)


def decide(
    policies: PolicySet,
    command: str,
    *,
    roles: Collection[str] = ("analyst",),
    agent: str | None = None,
    connection: str = "warehouse",
    kind: str = "postgres",
    facts: Facts | None = None,
) -> Decision:
    action = Action("a_1", "s_1", connection, command)
    found = analyze_postgres(command) if facts is None else facts
    return policies.decide(principal(roles, agent), action, kind, found)
