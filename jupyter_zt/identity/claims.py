"""What an identity provider vouches for, and which roles that gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from jupyter_zt.errors import AuthenticationError
from jupyter_zt.model import Human

_MAX_NAME_CHARACTERS = 120


@dataclass(frozen=True, slots=True)
class Claims:
    """The verified claims of one ID token (OpenID Connect Core 1.0, section 2).

    Attributes:
        iss: Issuer, equal to the configured one.
        sub: Stable identifier at that issuer.
        name: For display only: `preferred_username`, `name`, `email` or `sub`, the first there is.
        groups: Values of the groups claim; empty when there is none.
        issued_at: UTC.
        expires_at: UTC, as the token says, without the allowed clock skew.
        algorithm: The signature's `alg`; `at_hash` is computed with its hash.
        raw: Every claim, read-only.
    """

    iss: str
    sub: str
    name: str
    groups: tuple[str, ...]
    issued_at: datetime
    expires_at: datetime
    algorithm: str
    raw: Mapping[str, Any] = field(repr=False, compare=False)


def claims_from(verified: Mapping[str, Any], *, algorithm: str, groups_claim: str) -> Claims:
    """Read the claims of a token whose signature and registered claims are verified.

    Raises:
        AuthenticationError: `bad_token` when the subject or the groups have no sensible form.
    """
    subject = verified["sub"]
    # Core section 2: at most 255 ASCII characters. It becomes part of records and of keys.
    if not (0 < len(subject) <= 255 and subject.isascii() and subject.isprintable()):
        raise AuthenticationError("The ID token's subject has no valid form.", code="bad_token")
    return Claims(
        iss=verified["iss"],
        sub=subject,
        name=_display_name(verified),
        groups=_groups(verified.get(groups_claim)),
        issued_at=datetime.fromtimestamp(verified["iat"], UTC),
        expires_at=datetime.fromtimestamp(verified["exp"], UTC),
        algorithm=algorithm,
        raw=MappingProxyType(dict(verified)),
    )


def human_from_claims(claims: Claims, role_map: Mapping[str, Sequence[str]]) -> Human:
    """The person of these claims, with the roles that their groups map to.

    Args:
        claims: Verified claims.
        role_map: Role -> groups whose members have it (``{"analyst": ["analysts"]}``).
    """
    groups = frozenset(claims.groups)
    roles = frozenset(role for role, members in role_map.items() if not groups.isdisjoint(members))
    return Human(issuer=claims.iss, subject=claims.sub, name=claims.name, roles=roles)


def _display_name(verified: Mapping[str, Any]) -> str:
    for claim in ("preferred_username", "name", "email"):
        value = verified.get(claim)
        if isinstance(value, str) and value.strip():
            printable = "".join(letter for letter in value if letter.isprintable())
            return printable.strip()[:_MAX_NAME_CHARACTERS]
    return str(verified["sub"])


def _groups(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, list) and all(isinstance(group, str) for group in value):
        return tuple(value)
    raise AuthenticationError("The ID token's groups are not a list of names.", code="bad_token")
