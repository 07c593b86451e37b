"""`identity:` of gateway.yaml."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from jupyter_zt.gateway.section import Section
from jupyter_zt.identity import ASYMMETRIC_ALGORITHMS

_Member = str | Annotated[dict[str, str], Field(min_length=1)]


def _are_asymmetric(algorithms: list[str]) -> list[str]:
    unknown = sorted(set(algorithms) - ASYMMETRIC_ALGORITHMS)
    if unknown:
        allowed = ", ".join(sorted(ASYMMETRIC_ALGORITHMS))
        msg = f"{', '.join(unknown)} can't be used here; write some of {allowed}"
        raise ValueError(msg)
    return algorithms


Algorithms = Annotated[list[str], Field(min_length=1), AfterValidator(_are_asymmetric)]
"""Allowed signatures; `none` and HMAC can't be named."""


class IdentitySettings(Section):
    """Whose tokens are believed, and who has which role.

    Attributes:
        algorithms: Allowed signatures of ID tokens; `none` and HMAC can't be named.
        groups_claim: Claim that lists a person's groups.
        subject_claim: Claim that names a person: the same for every client, and for ever.
        roles: Role -> groups by name, or claims that a person must all have
            (`jupyter_zt.identity.RoleMap`).
        cli_client_id: Public client of `jupyter zt login`; "" where nobody logs in that way.
        cli_scopes: What it asks for besides `openid`.
    """

    provider: Literal["openid"] = "openid"
    issuer: str = Field(pattern=r"^https?://")
    audiences: list[str] = Field(min_length=1)
    algorithms: Algorithms = Field(default=["RS256"])
    groups_claim: str = Field(default="groups", min_length=1)
    subject_claim: str = Field(default="sub", min_length=1)
    roles: dict[Literal["analyst", "reviewer", "auditor", "admin"], list[_Member]]
    cli_client_id: str = ""
    cli_scopes: list[str] = Field(default=["profile", "offline_access"])

    @property
    def accepted_audiences(self) -> list[str]:
        """Client ids whose tokens are believed, the command line's among them."""
        own = [self.cli_client_id] if self.cli_client_id else []
        return list(dict.fromkeys([*self.audiences, *own]))
