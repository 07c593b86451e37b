"""Tokens of a login on their way into a keyring or a private file, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping

from joserfc import jws
from joserfc.errors import JoseError

from jupyter_zt.errors import AuthenticationError
from jupyter_zt.identity.claims import claims_from
from jupyter_zt.identity.relying_party import Tokens

_NAMES = ("id_token", "access_token", "refresh_token")


def dump_tokens(tokens: Tokens) -> dict[str, str]:
    """What `load_tokens` needs. Secret."""
    return {name: str(getattr(tokens, name)) for name in _NAMES}


def load_tokens(kept: Mapping[str, object]) -> Tokens:
    """Tokens that were verified when they came and were kept since where only their owner writes.

    So no signature is checked here: an expired ID token still says what a renewal is compared with.

    Raises:
        AuthenticationError: `bad_token`: these are none.
    """
    try:
        texts = {name: kept[name] for name in _NAMES}
        if not all(isinstance(text, str) for text in texts.values()):
            raise _unusable()
        id_token, access_token, refresh_token = (str(texts[name]) for name in _NAMES)
        signed = jws.extract_compact(id_token.encode("ascii"))
        claims = claims_from(
            json.loads(signed.payload),
            algorithm=str(signed.headers()["alg"]),
            groups_claim="",
        )
    except (JoseError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise _unusable() from error
    return Tokens(id_token, access_token, refresh_token, claims)


def _unusable() -> AuthenticationError:
    return AuthenticationError(
        "The login that was kept can't be used.", code="bad_token", hint="Log in again."
    )
