"""The client's half of proof of possession (RFC 9449, section 4.2): a key, and proofs made with it.

ES256, because it is the fastest to sign and to verify of what both sides may use: 19 and 54 us
with OpenSSL, where Ed25519 takes 25 and 72.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Callable

from joserfc import jws
from joserfc.jwk import ECKey

ALGORITHM = "ES256"
TYPE = "dpop+jwt"


class ProofKey:
    """A private key that never leaves this process, and is never written down.

    Args:
        now: Wall clock, seconds since 1970.
        randomness: Makes a URL-safe text of that many random bytes.

    Attributes:
        thumbprint: What tokens that are bound to it say (``cnf.jkt``, RFC 7638).
    """

    def __init__(
        self,
        *,
        now: Callable[[], float] = time.time,
        randomness: Callable[[int], str] = secrets.token_urlsafe,
    ) -> None:
        self._key = ECKey.generate_key("P-256")
        self._now = now
        self._randomness = randomness
        self._header = {
            "typ": TYPE,
            "alg": ALGORITHM,
            "jwk": self._key.as_dict(private=False),
        }
        self.thumbprint = self._key.thumbprint()

    def prove(self, method: str, url: str, token: str = "") -> str:
        """A proof for one request.

        Args:
            method: Of the request (``htm``).
            url: Of the request, without query and fragment (``htu``).
            token: That the request shows; "" at the token endpoint.
        """
        claims: dict[str, object] = {
            "jti": self._randomness(16),
            "htm": method,
            "htu": url,
            "iat": int(self._now()),
        }
        if token:
            claims["ath"] = token_hash(hashlib.sha256(token.encode()).digest())
        payload = json.dumps(claims, separators=(",", ":"))
        return jws.serialize_compact(self._header, payload, self._key, algorithms=[ALGORITHM])


def token_hash(digest: bytes) -> str:
    """The ``ath`` of a token with this SHA-256 digest (RFC 9449, section 4.2)."""
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
