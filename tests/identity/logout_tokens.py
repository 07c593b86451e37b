"""Logout tokens as a provider makes them, and as nobody should."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from typing import Any

import httpx
from joserfc import jwt
from joserfc.jwk import Key

from jupyter_zt.identity.demo_provider import DemoProvider
from tests.identity import world

EVENTS = {"http://schemas.openid.net/event/backchannel-logout": {}}


def logout_token(
    issuer: str, key: Key, header: Mapping[str, Any] | None = None, **changes: Any
) -> str:
    """A logout token; None takes a claim or a part of the header out."""
    now = int(time.time())
    claims = {
        "iss": issuer,
        "aud": world.CLIENT_ID,
        "iat": now,
        "exp": now + 120,
        "jti": secrets.token_hex(16),
        "sub": "analyst",
        "events": EVENTS,
        **changes,
    }
    head = {"alg": "RS256", "kid": key.kid, "typ": "logout+jwt", **(header or {})}
    return jwt.encode(
        {name: value for name, value in head.items() if value is not None},
        {name: value for name, value in claims.items() if value is not None},
        key,
        default_type=None,
    )


def of_demo(provider: DemoProvider, sub: str, **changes: Any) -> str:
    """The demo provider's own."""
    return logout_token(provider.memory.issuer, provider.memory.key, sub=sub, **changes)


def send(server: str, token: str, **options: Any) -> httpx.Response:
    """As a provider sends it: no cookies, and nothing that a page of the server would know."""
    return httpx.post(f"{server}/zt/backchannel-logout", data={"logout_token": token}, **options)
