"""A broker's relays without a Jupyter server, for a gateway that speaks TLS."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import threading
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Self, TypeVar

import httpx

from jupyter_zt.errors import AuthenticationError
from jupyter_zt.extension.gateway_client import GatewayClient
from jupyter_zt.extension.relays import Relays
from jupyter_zt.identity import GatewayAuth
from tests.fixtures_gateway import BROKER_SECRET, Gateway, Session

T = TypeVar("T")
SANDBOX = {"state": "sandboxed", "detail": "tests"}


class Loop:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


class RelayingBroker:
    """The broker's client and relays, without a Jupyter server.

    Attributes:
        left: People who are not logged in (any more).
        tokens: Of each session that was opened.
        shared: A session that no test ends.
    """

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.left: set[str] = set()
        self.tokens: dict[str, GatewayAuth] = {}
        self._loop = Loop()
        self.run = self._loop.run
        self.run(self._start())

    @cached_property
    def shared(self) -> Session:
        return self.open()

    def token_of(self, session: Session) -> httpx.Auth:
        """The session's token as it is, and its key, for a request without the relay."""

        def prove(request: httpx.Request) -> httpx.Request:
            proven = self.tokens[session.id].prove(request.method, str(request.url))
            request.headers.update(proven)
            return request

        return httpx._auth.FunctionAuth(prove)

    def expire(self, session: Session) -> None:
        """The session's token is as good as expired."""
        self.tokens[session.id]._renew_at = 0

    async def _start(self) -> None:
        self.client = GatewayClient(
            self.gateway.url, BROKER_SECRET, self._id_token, self.gateway.tls
        )
        self.relays = Relays(
            self.gateway.url, self.gateway.tls, self.client.held_sessions, logging.getLogger()
        )

    async def _id_token(self, person: str) -> str:
        if person in self.left:
            raise AuthenticationError(
                "Your login has ended.", code="login_expired", hint="Log in again."
            )
        return self.gateway.token(person)

    def open(self, person: str = "analyst", agent: str | None = None) -> Session:
        """A session whose socket is a relay's."""
        self.gateway.token(person)  # not in the loop: logging in takes one of its own
        return self.run(self._open(person, agent))

    async def _open(self, person: str, agent: str | None) -> Session:
        opened = await self.client.open_session(
            person, notebook="tour.ipynb", kernel="k", sandbox=SANDBOX, agent=agent, remote=True
        )
        assert opened.socket == ""
        token = self.client.runtime(person, opened.id, agent)
        await self.client.renew_runtime(token)
        self.tokens[opened.id] = token
        path = await self.relays.open(opened.id, token, partial(self.client.renew_runtime, token))
        session = Session(
            self.gateway,
            person,
            {"id": opened.id, "socket": str(path), "expires_at": opened.expires_at.isoformat()},
        )
        session.broker_auth = self.client._own
        return session

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        async def stop() -> None:
            self.relays.close_all()
            await self.client.close()

        self.run(stop())
        self._loop.stop()


class _AnyToken:
    needs_renewal = False

    def prove(self, method: str, url: str) -> dict[str, str]:
        return {"Authorization": "DPoP a-secret"}

    def void(self) -> None:
        pass


@contextmanager
def relay_to(port: int, trusted: Path, address: str = "127.0.0.1") -> Iterator[str]:
    """A relay to whoever listens there; the path of its socket."""

    async def held(_: str) -> Any:
        await asyncio.Event().wait()

    async def never() -> None:
        raise AssertionError

    async def start() -> tuple[Relays, Path]:
        tls = ssl.create_default_context(cafile=str(trusted))
        relays = Relays(f"https://{address}:{port}", tls, held, logging.getLogger())
        return relays, await relays.open("s_1", _AnyToken(), never)

    async def stop() -> None:
        relays.close_all()

    loop = Loop()
    relays, path = loop.run(start())
    try:
        yield str(path)
    finally:
        loop.run(stop())
        loop.stop()


class Impostor:
    """Somebody who answers in the gateway's place, over TLS, without an end.

    Args:
        shown: Their certificate.
        listener: Where; None for a port of loopback.
        is_silent: They begin to answer, and say no more.

    Attributes:
        heard: What they were sent.
        sent: Bytes of their answer that went out.
        is_cut: Whether they were hung up on in the middle of it.
    """

    def __init__(
        self, shown: Path, listener: socket.socket | None = None, *, is_silent: bool = False
    ) -> None:
        self._is_silent = is_silent
        self.heard = b""
        self.sent = 0
        self.is_cut = False
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(shown, shown.with_suffix(".key"))
        self._listener = listener or socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        chunk = b"10000\r\n" + bytes(0x10000) + b"\r\n"
        with suppress(ssl.SSLError, ConnectionError):
            raw, _ = self._listener.accept()
            with self._tls.wrap_socket(raw, server_side=True) as line:
                self.heard = line.recv(65536)
                line.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                with suppress(OSError):
                    while self._is_silent:
                        line.recv(65536)
                    while True:
                        line.sendall(chunk)
                        self.sent += len(chunk)
                self.is_cut = True

    def is_stuck(self) -> bool:
        """Whether they can send no more for now."""
        before = self.sent
        time.sleep(0.3)
        return before == self.sent > 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._listener.close()
