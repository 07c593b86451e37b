"""What an identity provider vouches for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from jupyter_zt.errors import AuthenticationError

_MAX_NAME_CHARACTERS = 120


@dataclass(frozen=True, slots=True)
class Claims:
    """The verified claims of one ID token (OpenID Connect Core 1.0, section 2).

    Attributes:
        iss: Issuer, equal to the configured one.
        sub: Stable identifier at that issuer, for the client that the token is for.
        subject: Names the person in principals and records: `sub`, or the configured claim.
        name: For display only: `preferred_username`, `name`, `email` or `sub`, the first there is.
        groups: Values of the groups claim; empty when there is none.
        issued_at: UTC.
        expires_at: UTC, as the token says, without the allowed clock skew.
        algorithm: The signature's `alg`; `at_hash` is computed with its hash.
        raw: Every claim, read-only.
    """

    iss: str
    sub: str
    subject: str
    name: str
    groups: tuple[str, ...]
    issued_at: datetime
    expires_at: datetime
    algorithm: str
    raw: Mapping[str, Any] = field(repr=False, compare=False)


def claims_from(
    verified: Mapping[str, Any], *, algorithm: str, groups_claim: str, subject_claim: str = "sub"
) -> Claims:
    """Read the claims of a token whose signature and registered claims are verified.

    Raises:
        AuthenticationError: `bad_token` when the subject, the groups or the times have no sensible
            form; `too_many_groups` when the provider left the groups out.
    """
    return Claims(
        iss=verified["iss"],
        sub=_identifier(verified, "sub"),
        subject=_identifier(verified, subject_claim),
        name=_display_name(verified),
        groups=_groups(verified, groups_claim),
        issued_at=_moment(verified["iat"]),
        expires_at=_moment(verified["exp"]),
        algorithm=algorithm,
        raw=MappingProxyType(dict(verified)),
    )


def _identifier(verified: Mapping[str, Any], claim: str) -> str:
    value = verified.get(claim)
    # Core section 2: at most 255 ASCII characters. It becomes part of records and of keys.
    if isinstance(value, str) and 0 < len(value) <= 255 and value.isascii() and value.isprintable():
        return value
    raise AuthenticationError(f"The ID token's {claim} has no valid form.", code="bad_token")


def _moment(seconds: float) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError) as error:
        raise AuthenticationError("The ID token names no valid time.", code="bad_token") from error


def _display_name(verified: Mapping[str, Any]) -> str:
    for claim in ("preferred_username", "name", "email"):
        value = verified.get(claim)
        if isinstance(value, str) and value.strip():
            printable = "".join(letter for letter in value if letter.isprintable())
            return printable.strip()[:_MAX_NAME_CHARACTERS]
    return str(verified["sub"])


def _groups(verified: Mapping[str, Any], claim: str) -> tuple[str, ...]:
    value = verified.get(claim)
    if value is None:
        _check_left_out(verified, claim)
        return ()
    if isinstance(value, list) and all(isinstance(group, str) for group in value):
        return tuple(value)
    raise AuthenticationError("The ID token's groups are not a list of names.", code="bad_token")


def _check_left_out(verified: Mapping[str, Any], claim: str) -> None:
    # Core section 5.6.2: the claim is elsewhere. Entra ID does so above 200 groups ("overage").
    elsewhere = verified.get("_claim_names")
    if claim and isinstance(elsewhere, Mapping) and claim in elsewhere:
        raise AuthenticationError(
            "The identity provider left this person's groups out: there are too many.",
            code="too_many_groups",
            hint="An administrator can limit the claim to the groups that are assigned to this "
            "application, or use application roles (docs/identity.md).",
        )
