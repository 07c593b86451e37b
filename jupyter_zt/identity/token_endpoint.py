"""Authlib's OAuth client on a kept httpx client.

Authlib's own httpx integration is a new HTTP client per OAuth client (19 ms each) and is moving to
httpx2; here its protocol core (URLs, bodies, client authentication, parsing) is used, and httpx
carries it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.client import OAuth2Client

from jupyter_zt.identity.transport import exchange


class TokenEndpoint(OAuth2Client):  # type: ignore[misc]  # Authlib has no types
    """One exchange with the token or the revocation endpoint. Keep none: it remembers its token.

    Args:
        http: The kept HTTP client.
        client: Authlib's options: client id and secret, redirect URI, scope.
    """

    def __init__(self, http: httpx.AsyncClient, **client: Any) -> None:
        super().__init__(session=None, code_challenge_method="S256", **client)
        self._http = http

    async def _send(
        self, url: str, body: str, headers: Mapping[str, str] | None, auth: ClientAuth
    ) -> httpx.Response:
        uri, signed_headers, content = auth.prepare("POST", url, dict(headers or {}), body)
        answer = await exchange(self._http, "POST", uri, headers=signed_headers, content=content)
        if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
            # Not the provider's word on the login: it will be asked again.
            answer.raise_for_status()
        return answer

    async def _fetch_token(
        self,
        url: str,
        body: str = "",
        headers: Mapping[str, str] | None = None,
        auth: ClientAuth | None = None,
        method: str = "POST",
        **_: Any,
    ) -> dict[str, Any]:
        return dict(self.parse_response_token(await self._send(url, body, headers, auth)))

    async def _refresh_token(
        self,
        url: str,
        refresh_token: str | None = None,
        body: str = "",
        headers: Mapping[str, str] | None = None,
        auth: ClientAuth | None = None,
        **_: Any,
    ) -> dict[str, Any]:
        return dict(self.parse_response_token(await self._send(url, body, headers, auth)))

    async def _http_post(
        self,
        url: str,
        body: str | None = None,
        auth: ClientAuth | None = None,
        headers: Mapping[str, str] | None = None,
        **_: Any,
    ) -> httpx.Response:
        return await self._send(url, body or "", headers, auth)
