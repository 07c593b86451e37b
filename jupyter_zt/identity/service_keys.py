"""A service's keys: public ones at the gateway, its private one where the service runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey, import_key

from jupyter_zt.errors import AuthenticationError, ConfigError
from jupyter_zt.identity.keys import choose, public_key

_PEM: Final = "-----BEGIN "
_OF_CURVE: Final = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512", "Ed25519": "EdDSA"}


class KnownKeys:
    """Public keys that an administrator has written down (`KeyFinder`).

    Args:
        read: Gives them as they are now: a key that is taken away is good for nothing at once.
    """

    def __init__(self, read: Callable[[], list[Key]]) -> None:
        self._read = read

    async def find(self, kid: str | None, algorithm: str) -> Key:
        """As `KeyFinder`. Raises ConfigError where they can't be read any more, too."""
        key = choose(self._read(), kid, algorithm)
        if key is None:
            raise AuthenticationError(
                "The service has no key that could have signed this.",
                code="unknown_key",
                hint="Its public key is among services: in gateway.yaml.",
            )
        return key


def public_keys(text: str) -> list[Key]:
    """The public keys of a text: a JWK, a JWK set, or PEM.

    Each has a key id: its own, or else its thumbprint (RFC 7638).

    Raises:
        ConfigError: `bad_key`: one of them is no public key for signatures; `private_key`.
    """
    found = []
    for entry in _entries(text):
        key = public_key(entry)
        if key is None or not _algorithm(key):
            if isinstance(entry, dict) and ("d" in entry or "k" in entry):
                raise ConfigError(
                    "This is a private key: it belongs to the service, and to nobody else.",
                    code="private_key",
                    hint="Make the service a new key, and write only the public half here.",
                )
            raise _bad_key()
        found.append(_named(entry))
    if not found:
        raise _bad_key()
    return found


def private_key(text: str) -> tuple[Key, str]:
    """A service's own key, from a JWK or PEM, and the algorithm that it signs with.

    Raises:
        ConfigError: `bad_key`.
    """
    try:
        entries = _entries(text)
        key = _named(entries[0])
    except (ConfigError, JoseError, ValueError, TypeError, IndexError):
        raise _bad_key() from None  # whatever it says, it may quote the key
    algorithm = _algorithm(key)
    if len(entries) != 1 or not key.is_private or not algorithm:
        raise _bad_key()
    return key, algorithm


def _entries(text: str) -> list[dict[str, Any]]:
    if text.lstrip().startswith(_PEM):
        return [_of_pem(text)]
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise _bad_key() from None
    listed = document.get("keys", [document]) if isinstance(document, dict) else None
    if not isinstance(listed, list) or not all(isinstance(entry, dict) for entry in listed):
        raise _bad_key()
    return listed


def _of_pem(text: str) -> dict[str, Any]:
    for kind in (ECKey, OKPKey, RSAKey):
        try:
            key = kind.import_key(text)
        except (JoseError, ValueError, TypeError):
            continue
        return dict(key.as_dict(private=key.is_private))
    raise _bad_key()


def _named(entry: dict[str, Any]) -> Key:
    key = import_key(entry)
    return key if key.get("kid") else import_key({**entry, "kid": key.thumbprint()})


def _algorithm(key: Key) -> str:
    """What it signs with; "" where it can't be used."""
    if isinstance(key, OctKey):
        return ""
    if isinstance(key, RSAKey):
        return str(key.get("alg") or "PS256")
    return _OF_CURVE.get(str(key.get("crv")), "")


def _bad_key() -> ConfigError:
    return ConfigError(
        "This is no key for signatures.",
        code="bad_key",
        hint="A JWK (or a set of them) or PEM, of the kinds Ed25519, P-256, P-384, P-521, or RSA "
        "from 2048 bits.",
    )
