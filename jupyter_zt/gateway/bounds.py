"""What one client may take of the gateway: bytes of a request, and connections.

A kernel is hostile until shown otherwise, and every session shares the gateway's memory and file
descriptors. What goes over is refused while it comes in, before it is kept.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from jupyter_zt.gateway.problems import BodyTooLargeError, problem
from jupyter_zt.identity.peers import is_own_peer

logger = logging.getLogger(__name__)

MAX_HEAD_BYTES = 64 * 1024
"""Request line and headers."""

MAX_SESSION_CONNECTIONS = 64
"""Of one session: every action that may run at once, and what cancels it."""

MAX_SESSION_BODY_BYTES = 4 << 20
MAX_CONTROL_BODY_BYTES = 64 << 20
"""A cell with the outputs that still fit into a record."""


class BodyLimit:
    """An ASGI app whose requests have bodies of at most so many bytes.

    Args:
        app: Has the problem handlers of `jupyter_zt.gateway.problems`.
        max_bytes: Of one body.
    """

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._max_bytes:
                raise BodyTooLargeError(self._max_bytes)
            return message

        if scope["type"] == "http" and _announced(scope) > self._max_bytes:
            await problem(BodyTooLargeError(self._max_bytes).error)(scope, receive, send)
            return
        await self._app(scope, counted, send)


def _announced(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0


class BoundedProtocol(HttpToolsProtocol):
    """HTTP/1.1 whose requests have a bounded head. The parser itself would keep any length."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self._head_bytes = 0
        self._in_body = False
        super().__init__(*args, **options)

    def data_received(self, data: bytes) -> None:
        """As uvicorn's; hangs up on a head that does not end."""
        if not self._in_body:
            self._head_bytes += len(data)
        super().data_received(data)
        if not self._in_body and self._head_bytes > MAX_HEAD_BYTES:
            self.transport.abort()

    def on_headers_complete(self) -> None:
        """The head has ended."""
        self._in_body = True
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The body has ended, and the next head may begin."""
        self._in_body, self._head_bytes = False, 0
        super().on_message_complete()


class SessionProtocol(BoundedProtocol):
    """The same on a session's socket, for one user, who gets so many connections and no more."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """As uvicorn's; hangs up on another user, and on one connection too many."""
        super().connection_made(transport)
        if not is_own_peer(transport.get_extra_info("socket")):
            logger.warning("another user tried the socket of a session")
            transport.abort()
        elif len(self.connections) > MAX_SESSION_CONNECTIONS:
            transport.abort()
