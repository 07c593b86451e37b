"""Programs that act: an agent for a human, a service for itself. Each within a ceiling."""

from __future__ import annotations

from dataclasses import dataclass

from jupyter_zt.model.facts import Verb
from jupyter_zt.model.principal import SERVICES, Human


@dataclass(frozen=True, slots=True)
class Ceiling:
    """What a registered program can do at most, whatever policies permit.

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


@dataclass(frozen=True, slots=True)
class Agent(Ceiling):
    """A program that acts for a human. A session gets what its human and its agent both may."""


@dataclass(frozen=True, slots=True)
class Service(Ceiling):
    """A program that acts for itself: a nightly notebook, a step of a build.

    Attributes:
        roles: For policies. None of those that decide or administer.
    """

    roles: frozenset[str] = frozenset()

    @property
    def principal(self) -> Human:
        """Who acts, where a person would stand. It is none, and says so (`Human.is_service`)."""
        return Human(SERVICES, self.name, f"service {self.name}", self.roles)
