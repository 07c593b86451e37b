"""A registered agent: a program that acts for a human, within a ceiling of its own."""

from __future__ import annotations

from dataclasses import dataclass

from jupyter_zt.model.facts import Verb


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent and its ceiling. A session gets what its human and its agent both may.

    Attributes:
        owner: Who answers for it.
        connections: Those that it may use.
        verbs: What it may do there.
        may_ask: Whether its actions may wait for an approval; otherwise what policy would hold is
            denied. It never decides on one.
        max_rows: Of one result; None where only the connection's own limit counts.
        statement_seconds: Of one statement, at the target; None as above.
    """

    name: str
    owner: str
    connections: frozenset[str]
    verbs: frozenset[Verb]
    may_ask: bool = False
    max_rows: int | None = None
    statement_seconds: float | None = None
