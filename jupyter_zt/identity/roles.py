"""Which roles a person has, by what their identity provider says of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jupyter_zt.identity.claims import Claims
from jupyter_zt.model import Human

Member = str | Mapping[str, str]
"""Who has a role: everybody in a group, by its name, or everybody with all of these claims."""

RoleMap = Mapping[str, Sequence[Member]]
"""Role -> who has it: ``{"reviewer": ["stewards", {"email": "eva@example.org"}]}``."""


def human_from_claims(claims: Claims, role_map: RoleMap) -> Human:
    """The person of these claims, with the roles that the map gives them."""
    roles = frozenset(
        role
        for role, members in role_map.items()
        if any(_is_member(claims, member) for member in members)
    )
    return Human(issuer=claims.iss, subject=claims.subject, name=claims.name, roles=roles)


def _is_member(claims: Claims, member: Member) -> bool:
    if isinstance(member, str):
        return member in claims.groups
    return bool(member) and all(_has(claims, name, value) for name, value in member.items())


def _has(claims: Claims, name: str, value: str) -> bool:
    # Core section 5.7: an e-mail address that nobody verified is whatever somebody has typed in.
    if name == "email" and claims.raw.get("email_verified") is not True:
        return False
    found = claims.raw.get(name)
    return found == value or (isinstance(found, list) and value in found)
