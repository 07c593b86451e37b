"""A service's half: what it shows at the token endpoint. Nothing of it is a secret that is sent."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from joserfc import jws

from jupyter_zt.identity.proof_key import ProofKey
from jupyter_zt.identity.service_assertions import ASSERTION_TYPE, JWT_BEARER, PREFIX
from jupyter_zt.identity.service_keys import private_key

__all__ = ["ServiceClient", "vouched_for", "with_own_key"]

_LIFETIME_SECONDS = 60


@dataclass(frozen=True, slots=True)
class ServiceClient:
    """A registered service at its gateway (an `Asker`, as `TokenClient` is).

    Attributes:
        gateway: Base address.
        id: As the gateway knows it.
        show: Gives what one request for a token shows, each time anew. Raises `ZTError`.
        key: Proves each request.
    """

    gateway: str
    id: str
    show: Callable[[], dict[str, str]] = field(repr=False)
    key: ProofKey = field(default_factory=ProofKey, repr=False)

    def credentials(self) -> dict[str, str]:
        """Parameters of a request for a token."""
        return {"client_id": self.id} | self.show()


def with_own_key(gateway: str, name: str, read_key: Callable[[], str]) -> ServiceClient:
    """A service that signs for itself (RFC 7523, section 2.2).

    Args:
        gateway: Base address.
        name: Of the service.
        read_key: Gives its private key, JWK or PEM. It is read for each token, and not kept.
    """

    def show() -> dict[str, str]:
        key, algorithm = private_key(read_key())
        now = int(time.time())
        claims = {
            "iss": PREFIX + name,
            "sub": PREFIX + name,
            "aud": gateway.rstrip("/"),
            "iat": now,
            "exp": now + _LIFETIME_SECONDS,
            "jti": secrets.token_urlsafe(16),
        }
        header = {"typ": "client-authentication+jwt", "alg": algorithm, "kid": key.get("kid")}
        assertion = jws.serialize_compact(header, json.dumps(claims), key, algorithms=[algorithm])
        return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}

    return ServiceClient(gateway, PREFIX + name, show)


def vouched_for(gateway: str, name: str, read_assertion: Callable[[], str]) -> ServiceClient:
    """A service that a trusted issuer vouches for (RFC 7523, section 2.1).

    Args:
        gateway: Base address.
        name: Of the service.
        read_assertion: Gives the issuer's latest token.
    """

    def show() -> dict[str, str]:
        return {"grant_type": JWT_BEARER, "assertion": read_assertion().strip()}

    return ServiceClient(gateway, PREFIX + name, show)
