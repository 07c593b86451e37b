"""Is this ID token the word of our identity provider, for us, now?"""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Collection

import httpx

from jupyter_zt.errors import AuthenticationError
from jupyter_zt.identity.claims import Claims, claims_from
from jupyter_zt.identity.provider import Provider
from jupyter_zt.identity.signed_tokens import ID_TOKEN, SKEW_SECONDS, SignedTokens

__all__ = ["SKEW_SECONDS", "VERDICT_SECONDS", "TokenVerifier"]

VERDICT_SECONDS = 300
_MAX_VERDICTS = 4096


class TokenVerifier:
    """Verifies ID tokens of one issuer, and remembers the verdicts.

    Args:
        issuer: The only issuer believed.
        audiences: Client ids whose tokens are accepted.
        algorithms: Allowed signature algorithms, as `SignedTokens` takes them.
        http: The kept HTTP client for discovery and keys.
        groups_claim: Name of the claim that lists the person's groups; "" to read none.
        subject_claim: Claim that names the person.
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
        subject_claim: str = "sub",
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.provider = Provider(issuer, http, monotonic=monotonic)
        self.signed = SignedTokens(issuer, audiences, algorithms, self.provider.keys, now=now)
        self._groups_claim = groups_claim
        self._subject_claim = subject_claim
        self._now = now
        self._verdicts: OrderedDict[bytes, tuple[Claims, float, int]] = OrderedDict()

    async def verify(self, id_token: str) -> Claims:
        """The claims of an ID token that is the provider's word, for us, now.

        Raises:
            AuthenticationError: As `SignedTokens.open`, or `pairwise_subjects`, `too_many_groups`.
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

        # (2) Signature, kind, issuer, audience, times.
        verified, algorithm = await self.signed.open(id_token, ID_TOKEN)

        # (3) Who that is: the same person by the same name, whichever client they use.
        await self._check_one_name_each()
        claims = claims_from(
            verified,
            algorithm=algorithm,
            groups_claim=self._groups_claim,
            subject_claim=self._subject_claim,
        )

        # (4) Remember. A bounded time, so that a key withdrawn by the provider is noticed.
        self._remember(digest, claims)
        return claims

    async def _check_one_name_each(self) -> None:
        """Pairwise subjects (Core section 8.1) would make one person two: they could approve."""
        if len(self.signed.audiences) < 2 or self._subject_claim != "sub":
            return
        if (await self.provider.metadata()).only_pairwise:
            raise AuthenticationError(
                "This identity provider names a person differently for each client.",
                code="pairwise_subjects",
                hint="Set subject_claim to one that is the same for all clients (Entra ID: oid), "
                "or use one client only.",
            )

    def _remember(self, digest: bytes, claims: Claims) -> None:
        until = min(claims.expires_at.timestamp(), self._now() + VERDICT_SECONDS)
        self._verdicts[digest] = (claims, until, self.provider.keys.generation)
        if len(self._verdicts) > _MAX_VERDICTS:
            self._verdicts.popitem(last=False)
