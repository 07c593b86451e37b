"""Signed tokens of one issuer, for us, now: what ID tokens and logout tokens have in common."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Protocol

from joserfc import jws, jwt
from joserfc.errors import (
    BadSignatureError,
    ExpiredTokenError,
    InvalidClaimError,
    JoseError,
    MissingClaimError,
)
from joserfc.jwk import Key

from jupyter_zt.errors import AuthenticationError, ConfigError
from jupyter_zt.identity.unique_names import UniqueNames

ASYMMETRIC_ALGORITHMS = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)
SKEW_SECONDS = 60
_MAX_TOKEN_BYTES = 16_384


@dataclass(frozen=True, slots=True)
class TokenKind:
    """What makes a signed token one of this kind and no other (RFC 8725, section 3.11).

    Attributes:
        name: For messages.
        types: Accepted `typ` of the header, in lower case; "" for a header without one.
        said: What a claim `typ` may say, in lower case. No standard has it, but Keycloak tells its
            tokens apart in this way: an access token of its looks like an ID token else.
        essential: Claims that it must have, besides `iss` and `aud`.
    """

    name: str
    types: frozenset[str]
    said: str
    essential: tuple[str, ...]


ID_TOKEN = TokenKind("ID token", frozenset({"", "jwt"}), "id", ("sub", "exp", "iat"))


class KeyFinder(Protocol):
    """Knows an issuer's public keys."""

    async def find(self, kid: str | None, algorithm: str) -> Key:
        """The one key that may have signed a token with this header.

        Raises:
            AuthenticationError: `unknown_key`.
            UnavailableError: `identity_provider_unreachable`, while no keys are known.
        """


class SignedTokens:
    """Opens the signed tokens of one issuer.

    Args:
        issuer: The only issuer believed.
        audiences: Client ids whose tokens are accepted.
        algorithms: Allowed signature algorithms. Asymmetric ones only: `none` and HMAC can't be
            configured.
        keys: The issuer's.
        now: Wall clock, seconds since 1970.
    """

    def __init__(
        self,
        issuer: str,
        audiences: Collection[str],
        algorithms: Collection[str],
        keys: KeyFinder,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        forbidden = sorted(set(algorithms) - ASYMMETRIC_ALGORITHMS)
        if forbidden or not algorithms or not audiences:
            raise ConfigError(
                f"ID tokens can't be verified with audiences {sorted(audiences)} and algorithms "
                f"{sorted(algorithms)}.",
                hint=f"Name at least one audience, and algorithms of: "
                f"{', '.join(sorted(ASYMMETRIC_ALGORITHMS))}.",
            )
        self.issuer = issuer
        self._keys = keys
        self.audiences = frozenset(audiences)
        self._algorithms = sorted(algorithms)
        self._now = now

    async def open(self, token: str, kind: TokenKind) -> tuple[dict[str, Any], str]:
        """The claims of a token that is the issuer's word, for us, now; and its `alg`.

        Raises:
            AuthenticationError: `login_expired` after `exp` (`token_expired` where it is no ID
                token), else `bad_token`, `bad_signature`, `wrong_token_type`, `unknown_key`,
                `algorithm_not_allowed`, `wrong_issuer`, `wrong_audience` or `token_not_yet_valid`.
            UnavailableError: `identity_provider_unreachable` while no keys are known.
        """
        # (1) Signed by the provider's key, with an algorithm that is allowed.
        header, payload = await self.payload(token, kind)
        try:
            claims = unique_names(payload)
            if not isinstance(claims, dict):
                raise _bad(kind, "it holds no claims")
            # (2) Another kind of token with a good signature is not this one.
            _check_kind(header, claims, kind)
            # (3) Issuer, audience, times (Core section 3.1.3.7).
            self._registry(kind).validate(claims)
        except (JoseError, ValueError, RecursionError) as error:
            raise _refusal(error, kind) from error
        self._check_audience(claims, kind)
        return claims, str(header["alg"])

    async def payload(self, token: str, kind: TokenKind) -> tuple[dict[str, Any], bytes]:
        """Header and payload of a token with a good signature, and no more than that.

        Raises:
            AuthenticationError: `bad_token`, `bad_signature`, `algorithm_not_allowed`,
                `unknown_key`.
            UnavailableError: `identity_provider_unreachable` while no keys are known.
        """
        # The header only chooses among what is allowed; nothing in it is believed.
        header = _unverified_header(token, kind.name)
        algorithm, kid = header.get("alg"), header.get("kid")
        if algorithm not in self._algorithms:
            raise AuthenticationError(
                f"The {kind.name} is signed with an algorithm that is not allowed here.",
                code="algorithm_not_allowed",
                hint=f"Allowed: {', '.join(self._algorithms)}.",
            )
        if kid is not None and not isinstance(kid, str):
            raise _bad(kind, "its key id has no valid form")
        key = await self._keys.find(kid, algorithm)
        try:
            opened = jws.deserialize_compact(token, key, algorithms=[algorithm])
        except (JoseError, ValueError, RecursionError) as error:
            raise _refusal(error, kind) from error
        return opened.headers(), opened.payload

    def _registry(self, kind: TokenKind) -> jwt.JWTClaimsRegistry:
        essential: dict[str, jwt.ClaimsOption] = {
            name: {"essential": True} for name in kind.essential
        }
        return jwt.JWTClaimsRegistry(
            now=lambda: int(self._now()),
            leeway=SKEW_SECONDS,
            iss={"essential": True, "value": self.issuer},
            aud={"essential": True, "values": sorted(self.audiences)},
            **essential,
        )

    def _check_audience(self, claims: dict[str, Any], kind: TokenKind) -> None:
        # Core section 3.1.3.7, 3 to 5: no audience that we don't know; with several of them, or
        # when given, `azp` must be one of us.
        audiences = {claims["aud"]} if isinstance(claims["aud"], str) else set(claims["aud"])
        party = claims.get("azp")
        if audiences - self.audiences or (party is None and len(audiences) > 1):
            raise AuthenticationError(
                f"The {kind.name} was issued for somebody else too.", code="wrong_audience"
            )
        if party is not None and party not in self.audiences:
            raise AuthenticationError(
                f"The {kind.name} was issued to another party.", code="wrong_audience"
            )


def unique_names(text: str | bytes) -> object:
    """Parsed JSON in which no object names a member twice. Raises ValueError."""
    return json.loads(text, cls=UniqueNames)


def _unverified_header(token: str, name: str) -> dict[str, Any]:
    if len(token) > _MAX_TOKEN_BYTES:
        raise AuthenticationError(f"The {name} is too long.", code="bad_token")
    try:
        return jws.extract_compact(token.encode("ascii")).headers()
    except (JoseError, ValueError, TypeError, RecursionError) as error:
        raise AuthenticationError(f"This is no signed {name}.", code="bad_token") from error


def _check_kind(header: dict[str, Any], claims: dict[str, Any], kind: TokenKind) -> None:
    # RFC 7515, section 4.1.9: compared without case, and "application/" may be left out.
    media_type = str(header.get("typ", "")).lower().removeprefix("application/")
    said = str(claims.get("typ", kind.said)).lower()
    if media_type not in kind.types or said != kind.said:
        raise AuthenticationError(f"This is no {kind.name}.", code="wrong_token_type")


def _bad(kind: TokenKind, detail: str) -> AuthenticationError:
    return AuthenticationError(f"The {kind.name} can't be used: {detail}.", code="bad_token")


def _refusal(error: Exception, kind: TokenKind) -> AuthenticationError:
    claim = getattr(error, "claim", "")
    match error:
        case ExpiredTokenError() if kind is not ID_TOKEN:
            return AuthenticationError(f"The {kind.name} has expired.", code="token_expired")
        case ExpiredTokenError():
            return AuthenticationError(
                "The login has expired.", code="login_expired", hint="Log in again."
            )
        case BadSignatureError():
            return AuthenticationError(
                f"The {kind.name}'s signature is not the provider's.", code="bad_signature"
            )
        case InvalidClaimError() if claim in {"nbf", "iat"}:
            return AuthenticationError(
                f"The {kind.name} is not valid yet.", code="token_not_yet_valid"
            )
        case InvalidClaimError() if claim == "iss":
            return AuthenticationError(
                f"The {kind.name} comes from another issuer.", code="wrong_issuer"
            )
        case InvalidClaimError() if claim == "aud":
            return AuthenticationError(
                f"The {kind.name} was issued for somebody else.", code="wrong_audience"
            )
        case MissingClaimError():
            return _bad(kind, f"it lacks {claim}")
        case _:
            return _bad(kind, "it has no valid form")
