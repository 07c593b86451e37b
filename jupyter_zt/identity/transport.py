"""How we speak with a provider: over a protected connection, within bounds, and with nobody else.

1. https, or http on this machine. Authlib has such a check too, but the environment variable
   ``AUTHLIB_INSECURE_TRANSPORT`` switches it off.
2. A redirect is not followed: codes, secrets and tokens go to the address that discovery named.
3. An answer is read up to a size and for a time; one that is compressed, which nobody asked for,
   is not read at all.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

import httpx

MAX_ANSWER_BYTES = 1 << 20
MAX_ANSWER_SECONDS = 20.0


def is_protected(url: str) -> bool:
    """Whether requests to this address can be read or changed by nobody on the way."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    if not host:
        return False
    if parts.scheme == "https":
        return True
    return parts.scheme == "http" and _is_this_machine(host)


async def exchange(
    http: httpx.AsyncClient,
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    content: str | bytes | None = None,
) -> httpx.Response:
    """One request, and its whole answer.

    Raises:
        httpx.HTTPError: No answer, or one that is a redirect, compressed, too large or too slow.
    """
    asked = httpx.Headers(dict(headers or {}))
    asked["Accept-Encoding"] = "identity"
    request = http.build_request(method, url, headers=asked, content=content)
    try:
        async with asyncio.timeout(MAX_ANSWER_SECONDS):
            answer = await http.send(request, stream=True, follow_redirects=False)
            try:
                return await _read(answer, request)
            finally:
                await answer.aclose()
    except TimeoutError as error:
        raise httpx.ReadTimeout("the answer takes too long", request=request) from error


async def _read(answer: httpx.Response, request: httpx.Request) -> httpx.Response:
    if answer.is_redirect:
        raise httpx.RemoteProtocolError("a redirect is not followed", request=request)
    if answer.headers.get("content-encoding", "identity") != "identity":
        raise httpx.RemoteProtocolError("the answer is compressed", request=request)
    body = bytearray()
    async for part in answer.aiter_raw():
        body += part
        if len(body) > MAX_ANSWER_BYTES:
            raise httpx.RemoteProtocolError("the answer is too large", request=request)
    return httpx.Response(
        answer.status_code, headers=answer.headers, content=bytes(body), request=request
    )


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped.is_loopback
    return address.is_loopback
