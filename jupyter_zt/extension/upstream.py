"""Kept connections of the relay to the gateway: HTTP/1.1 over TLS, one request at a time on each.

Bytes of an answer are passed on as they come; only where it ends is looked at.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import deque
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import httptools

from jupyter_zt.errors import UnavailableError
from jupyter_zt.identity.gateway_tls import untrusted

__all__ = ["Upstream", "UpstreamPool"]

CONNECT_SECONDS: Final = 5.0
DEAD_SECONDS = 15
"""After which a gateway whose host does not answer is given up, also while a command runs."""
IDLE_SECONDS: Final = 60.0
"""Less than the gateway keeps an idle connection."""
_MAX_IDLE: Final = 16


class Waiting(Protocol):
    """Who waits for an answer."""

    def passed(self, data: bytes) -> None:
        """Some of its bytes."""

    def finished(self, status: int) -> None:
        """It was the last of them."""

    def broken(self) -> None:
        """There will be no more, and it was not the end."""

    def hold(self) -> None:
        """Send no more for now."""

    def go_on(self) -> None:
        """There is room again."""


class Upstream(asyncio.Protocol):
    """One connection."""

    def __init__(self, pool: UpstreamPool) -> None:
        self._pool = pool
        self._transport: asyncio.Transport | None = None
        self._waiting: Waiting | None = None
        self._is_complete = self._keeps = False
        self._parser = httptools.HttpResponseParser(self)
        self._expiry: asyncio.TimerHandle | None = None

    def carry(self, waiting: Waiting) -> None:
        """The next request is theirs."""
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None
        self._waiting = waiting
        self._is_complete = False

    def write(self, data: bytes) -> None:
        """Some bytes of the request."""
        if self._transport is not None:
            self._transport.write(data)

    def abort(self) -> None:
        """Hang up: the gateway cancels what it does for this request."""
        self._waiting = None
        if self._transport is not None:
            self._transport.abort()

    def hold(self) -> None:
        """Read no more for now."""
        if self._transport is not None:
            self._transport.pause_reading()

    def go_on(self) -> None:
        """Read again."""
        if self._transport is not None:
            self._transport.resume_reading()

    def rest(self) -> None:
        """Nobody needs it for now."""
        self._expiry = asyncio.get_running_loop().call_later(IDLE_SECONDS, self.abort)

    # ------------------------------------------------------------------ asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 (a stream's)
        self._transport = transport
        _notice_death(transport.get_extra_info("socket"))

    def data_received(self, data: bytes) -> None:
        """Some of an answer; nothing else is ever said."""
        waiting = self._waiting
        if waiting is None:
            self.abort()
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.abort()
            waiting.broken()
            return
        waiting.passed(data)
        if self._is_complete:
            self._finish(waiting)

    def connection_lost(self, _error: Exception | None) -> None:
        """The gateway has hung up, or we have."""
        self._pool.lost(self)
        if self._expiry is not None:
            self._expiry.cancel()
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.broken()

    def pause_writing(self) -> None:
        """The gateway takes no more of a request for now."""
        if self._waiting is not None:
            self._waiting.hold()

    def resume_writing(self) -> None:
        """It does again."""
        if self._waiting is not None:
            self._waiting.go_on()

    # ------------------------------------------------------------------ httptools

    def on_message_complete(self) -> None:
        """The answer has ended."""
        self._is_complete = True
        self._keeps = self._parser.should_keep_alive()  # not known any more after this

    def _finish(self, waiting: Waiting) -> None:
        status = self._parser.get_status_code()
        self._waiting = None
        self._parser = httptools.HttpResponseParser(self)
        if self._keeps:
            self._pool.give_back(self)
        else:
            self.abort()
        waiting.finished(status)


def _notice_death(connection: Any) -> None:
    """A host that is cut off sends no word of it (tcp(7))."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        (socket.TCP_KEEPIDLE, max(1, DEAD_SECONDS // 3)),
        (socket.TCP_KEEPINTVL, max(1, DEAD_SECONDS // 3)),
        (socket.TCP_KEEPCNT, 2),
        (socket.TCP_USER_TIMEOUT, DEAD_SECONDS * 1000),
    ):
        connection.setsockopt(socket.IPPROTO_TCP, option, value)


class UpstreamPool:
    """Connections to one gateway.

    Args:
        url: Its base address.
        tls: How its certificate is verified; None for http on loopback.
    """

    def __init__(self, url: str, tls: ssl.SSLContext | None) -> None:
        parts = urlsplit(url)
        self._url = url
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if tls else 80)
        self._tls = tls
        self._idle: deque[Upstream] = deque()

    def take(self) -> Upstream | None:
        """One that is connected already, or None."""
        return self._idle.pop() if self._idle else None

    async def connect(self) -> Upstream:
        """A new one.

        Raises:
            UnavailableError: `gateway_unreachable` or `gateway_not_trusted`: nothing was sent.
        """
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                _, upstream = await loop.create_connection(
                    lambda: Upstream(self), self._host, self._port, ssl=self._tls
                )
        except (OSError, TimeoutError) as error:
            raise untrusted(self._url, error) or UnavailableError(
                "The gateway can't be reached, so nothing was done.",
                code="gateway_unreachable",
                hint="It works again by itself once the gateway is up.",
            ) from error
        return upstream

    def give_back(self, upstream: Upstream) -> None:
        """It can carry another request."""
        if len(self._idle) < _MAX_IDLE:
            self._idle.append(upstream)
            upstream.rest()
        else:
            upstream.abort()

    def lost(self, upstream: Upstream) -> None:
        """It is not connected any more."""
        if upstream in self._idle:
            self._idle.remove(upstream)

    def close(self) -> None:
        """Give up those that rest."""
        while self._idle:
            self._idle.pop().abort()
