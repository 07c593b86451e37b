"""A provider's signing keys: cached, chosen by `kid`, `use` and `alg`, refetched at a limited rate.

Rules, in this order:

1. Only public keys for signatures are kept; one key that can't be read doesn't spoil the set.
2. An unknown `kid` means that the provider may have rotated its keys: fetch again, but at most once
   in `REFETCH_SECONDS`, whatever tokens come in (no storm of made-up kids).
3. A provider that is down doesn't matter as long as keys are there.
4. No keys at all: closed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey, import_key
from joserfc.jws import JWSRegistry

from jupyter_zt.errors import AuthenticationError, UnavailableError

REFETCH_SECONDS = 10.0
RETRY_SECONDS = 1.0
MAX_AGE_SECONDS = 3600.0
_MIN_RSA_BITS = 2048


class SigningKeys:
    """The cached keys of one provider.

    Args:
        fetch: Gets the JWK set; raises UnavailableError.
        monotonic: Clock in seconds.

    Attributes:
        generation: Grows whenever the set of keys changes: verdicts of older keys are void.
    """

    def __init__(
        self,
        fetch: Callable[[], Awaitable[dict[str, Any]]],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.generation = 0
        self._fetch = fetch
        self._monotonic = monotonic
        self._keys: list[Key] = []
        self._thumbprints: frozenset[str] = frozenset()
        self._stale_at = float("-inf")
        self._fetch_allowed_at = float("-inf")
        self._fetching = asyncio.Lock()

    async def find(self, kid: str | None, algorithm: str) -> Key:
        """The one key that may have signed a token with this header.

        Raises:
            AuthenticationError: `unknown_key`.
            UnavailableError: `identity_provider_unreachable`, when no keys are there.
        """
        if self._monotonic() >= self._stale_at:
            await self._refetch()
        key = self._choose(kid, algorithm)
        if key is None and await self._refetch():
            key = self._choose(kid, algorithm)
        if key is None:
            raise AuthenticationError(
                "The identity provider has no key that could have signed this token.",
                code="unknown_key",
            )
        return key

    def _choose(self, kid: str | None, algorithm: str) -> Key | None:
        return choose(self._keys, kid, algorithm)

    async def _refetch(self) -> bool:
        """Fetch if the rate allows it; tells whether the set changed."""
        async with self._fetching:
            if self._monotonic() < self._fetch_allowed_at:
                if self._keys:
                    return False
                raise UnavailableError(
                    "The identity provider's keys can't be fetched.",
                    code="identity_provider_unreachable",
                    hint="Try again in a minute; if it stays so, tell the administrator.",
                )
            try:
                document = await self._fetch()
            except UnavailableError:
                now = self._monotonic()
                if not self._keys:
                    self._fetch_allowed_at = now + RETRY_SECONDS
                    raise
                self._fetch_allowed_at = self._stale_at = now + REFETCH_SECONDS
                return False
            now = self._monotonic()
            self._fetch_allowed_at = now + REFETCH_SECONDS
            self._stale_at = now + MAX_AGE_SECONDS
            return self._replace(document)

    def _replace(self, document: dict[str, Any]) -> bool:
        listed = document.get("keys")
        entries = listed if isinstance(listed, list) else []
        keys = [key for entry in entries if (key := public_key(entry))]
        # The kid counts: a key that got another name is another candidate.
        prints = frozenset(f"{key.get('kid')} {key.thumbprint()}" for key in keys)
        if prints == self._thumbprints:
            return False
        self._keys, self._thumbprints = keys, prints
        self.generation += 1
        return True


def choose(keys: Sequence[Key], kid: str | None, algorithm: str) -> Key | None:
    """The one key that may have signed a token with this header; None where it is not one."""
    # Core section 10.1: with or without a kid in the header, only one key may be meant.
    fitting = [key for key in keys if _fits(key, kid, algorithm)]
    return fitting[0] if len(fitting) == 1 else None


def public_key(entry: object) -> Key | None:
    """A JWK as a key that is public and strong enough; None where it is not."""
    if not isinstance(entry, dict):
        return None
    try:
        key = import_key(entry)
    except (JoseError, ValueError, TypeError):
        return None
    if isinstance(key, OctKey) or key.is_private:
        return None
    if isinstance(key, RSAKey) and key.public_key.key_size < _MIN_RSA_BITS:
        return None
    return key


def _fits(key: RSAKey | ECKey | OKPKey | OctKey, kid: str | None, algorithm: str) -> bool:
    if kid is not None and key.get("kid") != kid:
        return False
    if "verify" not in (key.get("key_ops") or ["verify"]):
        return False
    # joserfc compares the key's type, curve, `use` and `alg` with the algorithm.
    return bool(JWSRegistry.filter_algorithms(key, [algorithm]))
