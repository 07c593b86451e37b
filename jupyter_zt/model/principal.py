"""Who acts: a verified human, perhaps an agent acting for that human, in one live session."""

from __future__ import annotations

from dataclasses import dataclass, field

ANALYST = "analyst"
REVIEWER = "reviewer"
AUDITOR = "auditor"
ADMIN = "admin"
ROLES = (ANALYST, REVIEWER, AUDITOR, ADMIN)


@dataclass(frozen=True, slots=True)
class Human:
    """A person as the identity provider vouches for them.

    Attributes:
        issuer: OpenID issuer (`iss`).
        subject: Stable identifier at that issuer (`sub`). Only (issuer, subject) identifies.
        name: For display only (`preferred_username`, `name` or `email`).
        roles: Roles of Jupyter ZT that the groups claim maps to.
    """

    issuer: str
    subject: str
    name: str
    roles: frozenset[str] = field(default_factory=frozenset)

    @property
    def key(self) -> str:
        """Identity as one string: ``<issuer>#<subject>``."""
        return f"{self.issuer}#{self.subject}"


@dataclass(frozen=True, slots=True)
class Principal:
    """Human + agent + session. An agent acts *for* a human and never has more rights."""

    human: Human
    session: str
    agent: str | None = None
