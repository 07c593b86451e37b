"""A session's socket for a gateway on another host. The kernel sees no difference, and has nothing.

What a kernel sends on the socket goes to its own session's API at the gateway and nowhere else: the
relay reads method, path, type and length, refuses every path that is not plain words, writes a new
head with the session's token and a proof for this one request, and passes the body and the answer
on as they come. When one side hangs up, the other is hung up on; when one side is slow, the other
waits.

While the gateway can't be reached the door is closed: connecting fails, as it does on the socket of
a gateway that is down, and nothing of a request is taken that could not be sent.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from logging import Logger, LoggerAdapter
from pathlib import Path
from typing import Any, Final, Protocol

import httptools

from jupyter_zt.errors import (
    InvalidInputError,
    LimitError,
    NotFoundError,
    UnavailableError,
    ZTError,
)
from jupyter_zt.extension.upstream import Upstream, UpstreamPool
from jupyter_zt.identity.peers import (
    LAST_WORDS_SECONDS,
    SOCKET_NAME,
    is_own_peer,
    leave_notice,
    private_listener,
)

__all__ = ["Relay"]

MAX_HEAD_BYTES: Final = 64 * 1024
MAX_BODY_BYTES: Final = 4 << 20
MAX_CONNECTIONS: Final = 64
_METHODS: Final = frozenset({b"GET", b"POST", b"PUT", b"PATCH", b"DELETE"})
_PATH: Final = re.compile(rb"(?:/[A-Za-z0-9_-]{1,80}){1,8}\Z")
_TYPE: Final = re.compile(rb"[ -~]{1,200}\Z")
_BACKLOG: Final = 128


class SessionToken(Protocol):
    """The session's token, and proofs with it (`jupyter_zt.identity.GatewayAuth`)."""

    @property
    def needs_renewal(self) -> bool:
        """Whether it must be renewed before it is used."""

    def prove(self, method: str, url: str) -> dict[str, str]:
        """Headers for one request."""

    def void(self) -> None:
        """The gateway does not take it any more."""


class Relay:
    """One session's socket.

    Args:
        folder: Of the socket alone.
        base: Address of the session's API at the gateway.
        token: The session's.
        renew: Renews it; raises `ZTError` when the person is not logged in, or the gateway is gone.
        pool: Connections to the gateway.
        unreachable: Told when the gateway can't be reached.
        log: For what the administrator should know.
    """

    def __init__(
        self,
        folder: Path,
        base: str,
        token: SessionToken,
        renew: Callable[[], Awaitable[None]],
        pool: UpstreamPool,
        unreachable: Callable[[UnavailableError], None],
        log: Logger | LoggerAdapter[Any],
    ) -> None:
        self.path = folder / SOCKET_NAME
        self.base = base
        self.token = token
        self.renew = renew
        self.pool = pool
        self.unreachable = unreachable
        self.log = log
        scheme, _, rest = base.partition("://")
        self.host, _, prefix = rest.partition("/")
        self.prefix = f"/{prefix}".encode()
        self.origin = f"{scheme}://{self.host}"
        self.connections: set[KernelConnection] = set()
        self._server: asyncio.Server | None = None
        self._is_over = False

    async def open(self) -> None:
        """The gateway can be reached: let the kernel in."""
        if self._server is None and not self._is_over:
            listener = private_listener(self.path.parent)
            loop = asyncio.get_running_loop()
            self._server = await loop.create_unix_server(
                lambda: KernelConnection(self), sock=listener, backlog=_BACKLOG
            )

    def shut(self) -> None:
        """It can't: nobody comes in. What is under way breaks by itself if it does."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in list(self.connections):
            if connection.is_idle:
                connection.hang_up()

    def end(self, notice: Mapping[str, str]) -> None:
        """Somebody has ended the session: the socket is gone, and a notice says why.

        What is under way has a moment to say it, too; then it is cut.
        """
        if not self._is_over:
            self._is_over = True
            self.shut()
            leave_notice(self.path.parent, notice)
            asyncio.get_running_loop().call_later(LAST_WORDS_SECONDS, self._cut)

    def close(self) -> None:
        """The kernel is gone: nothing is left."""
        self._is_over = True
        self.shut()
        self._cut()
        shutil.rmtree(self.path.parent, ignore_errors=True)

    def _cut(self) -> None:
        for connection in list(self.connections):
            connection.hang_up()


class KernelConnection(asyncio.Protocol):
    """One connection from the kernel, and the request that it carries now."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._transport: asyncio.Transport | None = None
        self._upstream: Upstream | None = None
        self._preparing: asyncio.Task[None] | None = None
        self._reset()

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way on it."""
        return self._upstream is None and self._preparing is None

    def _reset(self) -> None:
        """Ready for a request."""
        self._parser = httptools.HttpRequestParser(self)
        self._head_bytes = 0
        self._in_head, self._is_asked, self._is_sent, self._is_next = True, False, False, False
        self._path = b""
        self._headers: dict[bytes, bytes] = {}
        self._outgoing: list[bytes] = []
        self._problem: ZTError | None = None
        self._is_last = False

    # ------------------------------------------------------------------ the kernel's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody connected: the user that kernels run as, within the session's bounds, or no."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 (a stream's)
        self._transport = transport
        if not is_own_peer(transport.get_extra_info("socket")):
            self._relay.log.warning("Another user tried the socket of a session")
            transport.abort()
        elif len(self._relay.connections) >= MAX_CONNECTIONS:
            transport.abort()
        else:
            self._relay.connections.add(self)

    def data_received(self, data: bytes) -> None:
        """Some of a request."""
        if self._in_head:
            self._head_bytes += len(data)
        if self._is_sent:
            self.hang_up()  # another request before the answer: nobody here does that
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.hang_up()
            return
        if self._is_next or (self._in_head and self._head_bytes > MAX_HEAD_BYTES):
            self.hang_up()
        elif self._problem is not None:
            self._refuse(self._problem)
        elif self._is_asked:
            self._forward()

    def eof_received(self) -> bool:
        """The kernel sends no more: it has hung up."""
        return False

    def connection_lost(self, _error: Exception | None) -> None:
        """The kernel is gone: so is its request."""
        self._relay.connections.discard(self)
        if self._preparing is not None:
            self._preparing.cancel()
        upstream, self._upstream = self._upstream, None
        if upstream is not None:
            upstream.abort()

    def pause_writing(self) -> None:
        """The kernel reads slowly: so does the relay."""
        if self._upstream is not None:
            self._upstream.hold()

    def resume_writing(self) -> None:
        """It has caught up."""
        if self._upstream is not None:
            self._upstream.go_on()

    def hang_up(self) -> None:
        """Cut the connection."""
        if self._transport is not None:
            self._transport.abort()

    # ------------------------------------------------------------------ httptools

    def on_message_begin(self) -> None:
        """A request begins; there is no answer to the one before it, if there was one."""
        self._is_next = self._is_sent

    def on_url(self, url: bytes) -> None:
        """A part of the path."""
        self._path += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """One of the headers."""
        self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        """The head has ended: it is refused, or written anew."""
        self._in_head = False
        method, headers = self._parser.get_method(), self._headers
        self._is_last = not self._parser.should_keep_alive()
        length, kind = headers.get(b"content-length", b""), headers.get(b"content-type", b"")
        try:
            # (1) A word of the session's API: nothing that could mean another path, or two things.
            if method not in _METHODS or not _PATH.match(self._path):
                raise NotFoundError("There is no such thing on a session's socket.")
            # (2) A body of a length that is known, and bounded.
            if b"transfer-encoding" in headers or (length and not length.isdigit()):
                raise InvalidInputError("Send a Content-Length.", code="length_required")
            if int(length or b"0") > MAX_BODY_BYTES:
                raise LimitError(
                    f"A request has at most {MAX_BODY_BYTES} bytes.", code="request_too_large"
                )
            if kind and not _TYPE.match(kind):
                raise InvalidInputError("The Content-Type has no valid form.")
        except ZTError as error:
            self._problem = error
            return
        self._is_asked = True

    def on_body(self, body: bytes) -> None:
        """Some of the body."""
        self._outgoing.append(body)

    def on_message_complete(self) -> None:
        """The request has ended."""
        self._is_sent = True

    # ------------------------------------------------------------------ towards the gateway

    def _forward(self) -> None:
        """Send what there is, once there is a connection and a token."""
        if self._preparing is not None:
            return
        if self._upstream is None:
            upstream = None if self._relay.token.needs_renewal else self._relay.pool.take()
            if upstream is None:
                self.hold()
                self._preparing = asyncio.ensure_future(self._prepare())
                return
            self._begin(upstream)
            return
        self._upstream.write(b"".join(self._outgoing))
        self._outgoing.clear()

    async def _prepare(self) -> None:
        """Get a token and a connection; then go on, or say why not."""
        relay = self._relay
        try:
            if relay.token.needs_renewal:
                await relay.renew()
            upstream = relay.pool.take() or await relay.pool.connect()
        except UnavailableError as error:
            self._refuse(error)
            relay.unreachable(error)
            return
        except ZTError as error:
            self._refuse(error)
            return
        finally:
            self._preparing = None
        if self._transport is None or self._transport.is_closing():
            relay.pool.give_back(upstream)
            return
        self._begin(upstream)
        self.go_on()

    def _begin(self, upstream: Upstream) -> None:
        """Send the head, as the relay writes it, and what is there of the body."""
        self._upstream = upstream
        upstream.carry(self)
        path = self._relay.prefix + self._path
        method = self._parser.get_method()
        proven = self._relay.token.prove(method.decode(), self._relay.origin + path.decode())
        lines = [
            b"%b %b HTTP/1.1" % (method, path),
            b"Host: " + self._relay.host.encode(),
            *(f"{name}: {value}".encode() for name, value in proven.items()),
            *(
                b"%b: %b" % (name, self._headers[name])
                for name in (b"content-type", b"content-length")
                if name in self._headers
            ),
            b"\r\n",
        ]
        upstream.write(b"".join([b"\r\n".join(lines), *self._outgoing]))
        self._outgoing.clear()

    # ------------------------------------------------------------------ from the gateway

    def passed(self, data: bytes) -> None:
        """Some of the answer."""
        if self._transport is not None:
            self._transport.write(data)

    def finished(self, status: int) -> None:
        """The answer has ended."""
        self._upstream = None
        if status == HTTPStatus.UNAUTHORIZED:
            self._relay.token.void()
        if self._is_last or not self._is_sent:
            # Answered before all of it was sent: what is left of it belongs to nothing.
            self._close()
        else:
            self._reset()

    def broken(self) -> None:
        """The gateway has hung up in the middle: so does the relay."""
        self._upstream = None
        self.hang_up()

    def hold(self) -> None:
        """Take no more from the kernel for now."""
        if self._transport is not None:
            self._transport.pause_reading()

    def go_on(self) -> None:
        """Take more again."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    # ------------------------------------------------------------------ from the relay itself

    def _refuse(self, error: ZTError) -> None:
        """Say why nothing was sent."""
        if self._transport is None or self._transport.is_closing():
            return
        problem = {"code": error.code, "message": error.message, "hint": error.hint}
        body = json.dumps(problem).encode()
        self._transport.write(
            b"HTTP/1.1 %d %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
            b"Connection: close\r\n\r\n%b"
            % (error.status, HTTPStatus(error.status).phrase.encode(), len(body), body)
        )
        self._close()

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()
