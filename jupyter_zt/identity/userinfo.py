"""More about a person than their ID token says (OpenID Connect Core 1.0, section 5.3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import httpx

from jupyter_zt.errors import AuthenticationError
from jupyter_zt.identity.provider import Provider, unreachable
from jupyter_zt.identity.signed_tokens import unique_names
from jupyter_zt.identity.transport import exchange

# What an ID token is checked by: these are never taken from elsewhere.
_REGISTERED = (
    "iss sub aud exp iat nbf jti nonce auth_time acr amr azp at_hash c_hash s_hash sid typ"
)
_OF_THE_ID_TOKEN: Final = frozenset(_REGISTERED.split())


async def read_userinfo(provider: Provider, access_token: str, sub: str) -> Mapping[str, Any]:
    """The claims at the provider's userinfo endpoint, without those of an ID token's own.

    Args:
        provider: Where.
        access_token: Of the same login as the ID token.
        sub: Of the verified ID token.

    Raises:
        AuthenticationError: `foreign_token`: they are about somebody else; `login_refused`: the
            provider doesn't take the access token.
        UnavailableError: `identity_provider_unreachable`, also when the answer is unusable.
    """
    endpoint = (await provider.metadata()).userinfo_endpoint
    if not endpoint:
        raise unreachable(provider.issuer, "it has no userinfo endpoint")
    headers = {"Accept": "application/json", "Authorization": f"Bearer {access_token}"}
    try:
        answer = await exchange(provider.http, "GET", endpoint, headers=headers)
        if answer.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
            raise AuthenticationError(
                "The identity provider tells nothing about this person any more.",
                code="login_refused",
                hint="Log in again.",
            )
        answer.raise_for_status()
        claims = unique_names(answer.content)
    except (httpx.HTTPError, ValueError, RecursionError) as error:
        raise unreachable(provider.issuer, f"GET {endpoint}: {type(error).__name__}") from error
    # Section 5.3.2: without this, somebody else's access token would lend their groups.
    if not isinstance(claims, dict) or claims.get("sub") != sub:
        raise AuthenticationError(
            "What the identity provider tells is about somebody else.",
            code="foreign_token",
            hint="Log in again.",
        )
    return {name: value for name, value in claims.items() if name not in _OF_THE_ID_TOKEN}
