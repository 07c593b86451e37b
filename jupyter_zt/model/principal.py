"""Who acts: a verified human, perhaps an agent acting for that human, in one live session."""

from __future__ import annotations

from dataclasses import dataclass, field

ANALYST = "analyst"
REVIEWER = "reviewer"
AUDITOR = "auditor"
ADMIN = "admin"
ROLES = (ANALYST, REVIEWER, AUDITOR, ADMIN)

SERVICES = "urn:jupyter-zt:services"
"""Issuer of services: those that this gateway's own registry names. No OpenID issuer is a URN."""


@dataclass(frozen=True, slots=True)
class Human:
    """A person as the identity provider vouches for them; or a service, in a person's place.

    Attributes:
        issuer: OpenID issuer (`iss`); `SERVICES` for a service.
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

    @property
    def is_service(self) -> bool:
        """Whether it is no person, but a registered service."""
        return self.issuer == SERVICES


@dataclass(frozen=True, slots=True)
class Principal:
    """Human + agent + session. An agent acts *for* a human and never has more rights."""

    human: Human
    session: str
    agent: str | None = None
