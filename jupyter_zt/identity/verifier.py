"""Is this ID token the word of our identity provider, for us, now?"""

from __future__ import annotations

import hashlib
import json
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from typing import Any

import httpx
from joserfc import jws, jwt
from joserfc.errors import (
    BadSignatureError,
    ExpiredTokenError,
    InvalidClaimError,
    JoseError,
    MissingClaimError,
)

from jupyter_zt.errors import AuthenticationError, ConfigError
from jupyter_zt.identity.claims import Claims, claims_from
from jupyter_zt.identity.provider import Provider

ASYMMETRIC_ALGORITHMS = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)
SKEW_SECONDS = 60
VERDICT_SECONDS = 300
_MAX_TOKEN_BYTES = 16_384
_MAX_VERDICTS = 4096


class TokenVerifier:
    """Verifies ID tokens of one issuer, and remembers the verdicts.

    Args:
        issuer: The only issuer believed.
        audiences: Client ids whose tokens are accepted.
        algorithms: Allowed signature algorithms. Asymmetric ones only: `none` and HMAC can't be
            configured.
        http: The kept HTTP client for discovery and keys.
        groups_claim: Name of the claim that lists the person's groups.
        now: Wall clock, seconds since 1970.
        monotonic: Clock for rate limits, in seconds.
    """

    def __init__(
        self,
        issuer: str,
        audiences: Collection[str],
        algorithms: Collection[str],
        http: httpx.AsyncClient,
        *,
        groups_claim: str = "groups",
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        forbidden = sorted(set(algorithms) - ASYMMETRIC_ALGORITHMS)
        if forbidden or not algorithms or not audiences:
            raise ConfigError(
                f"ID tokens can't be verified with audiences {sorted(audiences)} and algorithms "
                f"{sorted(algorithms)}.",
                hint=f"Name at least one audience, and algorithms of: "
                f"{', '.join(sorted(ASYMMETRIC_ALGORITHMS))}.",
            )
        self.provider = Provider(issuer, http, monotonic=monotonic)
        self._audiences = frozenset(audiences)
        self._algorithms = sorted(algorithms)
        self._groups_claim = groups_claim
        self._now = now
        self._registry = jwt.JWTClaimsRegistry(
            now=lambda: int(now()),
            leeway=SKEW_SECONDS,
            iss={"essential": True, "value": issuer},
            sub={"essential": True},
            aud={"essential": True, "values": sorted(self._audiences)},
            exp={"essential": True},
            iat={"essential": True},
        )
        self._verdicts: OrderedDict[bytes, tuple[Claims, float, int]] = OrderedDict()

    async def verify(self, id_token: str) -> Claims:
        """The claims of an ID token that is the provider's word, for us, now.

        Raises:
            AuthenticationError: `login_expired` after `exp`, else `bad_token`, `bad_signature`,
                `algorithm_not_allowed`, `unknown_key`, `wrong_issuer`, `wrong_audience` or
                `token_not_yet_valid`.
            UnavailableError: `identity_provider_unreachable` while no keys are known.
        """
        # (1) Seen a moment ago, with the same keys, and not expired since?
        digest = hashlib.sha256(id_token.encode("utf-8", "surrogatepass")).digest()
        remembered = self._verdicts.get(digest)
        if remembered is not None:
            claims, believed_until, generation = remembered
            if self._now() < believed_until and generation == self.provider.keys.generation:
                return claims
            del self._verdicts[digest]

        # (2) The header only chooses among what is allowed; nothing in it is believed.
        header = _unverified_header(id_token)
        algorithm, kid = header.get("alg"), header.get("kid")
        if algorithm not in self._algorithms:
            raise AuthenticationError(
                "The ID token is signed with an algorithm that is not allowed here.",
                code="algorithm_not_allowed",
                hint=f"Allowed: {', '.join(self._algorithms)}.",
            )
        if kid is not None and not isinstance(kid, str):
            raise AuthenticationError("The ID token's key id has no valid form.", code="bad_token")
        key = await self.provider.keys.find(kid, algorithm)

        # (3) Signature, then the registered claims (Core section 3.1.3.7).
        try:
            token = jwt.decode(id_token, key, algorithms=[algorithm], decoder_cls=_UniqueNames)
            self._registry.validate(token.claims)
        except (JoseError, ValueError) as error:
            raise _refusal(error) from error
        self._check_audience(token.claims)
        claims = claims_from(token.claims, algorithm=algorithm, groups_claim=self._groups_claim)

        # (4) Remember. A bounded time, so that a key withdrawn by the provider is noticed.
        self._remember(digest, claims)
        return claims

    def _check_audience(self, claims: dict[str, Any]) -> None:
        # Core section 3.1.3.7, 3 to 5: no audience that we don't know; with several of them, or
        # when given, `azp` must be one of us.
        audiences = {claims["aud"]} if isinstance(claims["aud"], str) else set(claims["aud"])
        party = claims.get("azp")
        strangers = audiences - self._audiences
        if strangers or (party is None and len(audiences) > 1):
            raise AuthenticationError(
                "The ID token was issued for somebody else too.", code="wrong_audience"
            )
        if party is not None and party not in self._audiences:
            raise AuthenticationError(
                "The ID token was issued to another party.", code="wrong_audience"
            )

    def _remember(self, digest: bytes, claims: Claims) -> None:
        until = min(claims.expires_at.timestamp(), self._now() + VERDICT_SECONDS)
        self._verdicts[digest] = (claims, until, self.provider.keys.generation)
        if len(self._verdicts) > _MAX_VERDICTS:
            self._verdicts.popitem(last=False)


class _UniqueNames(json.JSONDecoder):
    """Refuses an object that names a claim twice (RFC 7519, section 4: names must be unique)."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, object_pairs_hook=_unique)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a claim is named twice")
    return members


def _unverified_header(id_token: str) -> dict[str, Any]:
    if len(id_token) > _MAX_TOKEN_BYTES:
        raise AuthenticationError("The ID token is too long.", code="bad_token")
    try:
        return jws.extract_compact(id_token.encode("ascii")).headers()
    except (JoseError, ValueError, TypeError) as error:
        raise AuthenticationError("This is no signed ID token.", code="bad_token") from error


def _refusal(error: Exception) -> AuthenticationError:
    claim = getattr(error, "claim", "")
    match error:
        case ExpiredTokenError():
            return AuthenticationError(
                "The login has expired.", code="login_expired", hint="Log in again."
            )
        case BadSignatureError():
            return AuthenticationError(
                "The ID token's signature is not the provider's.", code="bad_signature"
            )
        case InvalidClaimError() if claim in {"nbf", "iat"}:
            return AuthenticationError("The ID token is not valid yet.", code="token_not_yet_valid")
        case InvalidClaimError() if claim == "iss":
            return AuthenticationError(
                "The ID token comes from another issuer.", code="wrong_issuer"
            )
        case InvalidClaimError() if claim == "aud":
            return AuthenticationError(
                "The ID token was issued for somebody else.", code="wrong_audience"
            )
        case MissingClaimError():
            return AuthenticationError(f"The ID token lacks {claim}.", code="bad_token")
        case _:
            return AuthenticationError("The ID token has no valid form.", code="bad_token")
