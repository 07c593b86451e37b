"""The relays of this broker's sessions, and what they hear of the gateway: what is over, and more.

One question waits at the gateway all the time: which of this broker's sessions are open? Its answer
comes as soon as one of them is revoked, and that session's socket is closed. When the question
can't be asked, the gateway is away, and no kernel gets in until it is back.
"""

from __future__ import annotations

import asyncio
import ssl
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from logging import Logger, LoggerAdapter
from pathlib import Path
from typing import Any, Final

from jupyter_zt.errors import UnavailableError, ZTError
from jupyter_zt.extension.relay import Relay, SessionToken
from jupyter_zt.extension.upstream import UpstreamPool
from jupyter_zt.identity.peers import SOCKET_NAME

__all__ = ["Relays"]

_FIRST_PAUSE_SECONDS: Final = 0.1
_LONGEST_PAUSE_SECONDS: Final = 1.0
_MAX_SOCKET_PATH_BYTES: Final = 100

Notice = Mapping[str, str]
"""``code``, ``message`` and ``hint``: what a runtime is told."""

HeldSessions = Callable[[str], Awaitable[tuple[str, Mapping[str, Notice | None]]]]
"""After which revision -> the revision, and this broker's sessions, with a notice for one that was
revoked. Waits while nothing changes; raises `ZTError` when the gateway can't be asked."""

_OVER: Final = {
    "code": "session_over",
    "message": "This session is over.",
    "hint": "Restart the kernel: it opens a new one.",
}


class Relays:
    """Every relay of this process.

    Args:
        url: The gateway's base address.
        tls: How its certificate is verified; None for http on loopback.
        held_sessions: Asks the gateway.
        log: For what the administrator should know.
    """

    def __init__(
        self,
        url: str,
        tls: ssl.SSLContext | None,
        held_sessions: HeldSessions,
        log: Logger | LoggerAdapter[Any],
    ) -> None:
        self._url = url.rstrip("/")
        self._held_sessions = held_sessions
        self._log = log
        self._pool = UpstreamPool(url, tls)
        self._relays: dict[str, Relay] = {}
        self._asking: asyncio.Future[tuple[str, Mapping[str, Notice | None]]] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._lost: UnavailableError | None = None

    async def open(
        self, session: str, token: SessionToken, renew: Callable[[], Awaitable[None]]
    ) -> Path:
        """The socket of a session, served from now on.

        Args:
            session: Its id.
            token: Its token for actions.
            renew: Renews the token.
        """
        relay = Relay(
            _own_folder(),
            f"{self._url}/v1/sessions/{session}/runtime",
            token,
            renew,
            self._pool,
            self._unreachable,
            self._log,
        )
        await relay.open()
        self._relays[session] = relay
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._watch())
        return relay.path

    def close(self, session: str) -> None:
        """The session is over."""
        relay = self._relays.pop(session, None)
        if relay is not None:
            relay.close()
        if not self._relays and self._watching is not None:
            self._watching.cancel()
            self._watching = None

    def close_all(self) -> None:
        """The server stops."""
        for session in list(self._relays):
            self.close(session)
        self._pool.close()

    async def _watch(self) -> None:
        """Asks for as long as there are relays."""
        revision, pause = "", _FIRST_PAUSE_SECONDS
        while self._relays:
            known = set(self._relays)
            try:
                answer = await self._ask(revision)
            except ZTError as error:
                if pause == _FIRST_PAUSE_SECONDS:  # said once for each time that it goes away
                    self._log.warning("No kernel gets to the gateway: %s", error.message)
                self._shut()
                await asyncio.sleep(pause)
                revision, pause = "", min(pause * 2, _LONGEST_PAUSE_SECONDS)
                continue
            revision, held = answer
            pause = _FIRST_PAUSE_SECONDS
            for session, relay in list(self._relays.items()):
                # One that was opened since the question was asked may not be in the answer.
                notice = held.get(session, _OVER if session in known else None)
                if notice is not None:
                    relay.end(notice)
                await relay.open()

    async def _ask(self, revision: str) -> tuple[str, Mapping[str, Notice | None]]:
        """The gateway's answer.

        Raises:
            ZTError: It is away, or a relay could not reach it.
        """
        self._asking = asyncio.ensure_future(self._held_sessions(revision))
        try:
            await asyncio.wait({self._asking})
            if self._asking.cancelled():
                raise self._lost or UnavailableError("The gateway can't be reached.")
            return self._asking.result()
        finally:
            self._asking.cancel()

    def _unreachable(self, error: UnavailableError) -> None:
        """A relay found the gateway away: ask at once, not when the question is lost."""
        self._lost = error
        if self._asking is not None:
            self._asking.cancel()

    def _shut(self) -> None:
        self._pool.close()
        for relay in self._relays.values():
            relay.shut()


def _own_folder() -> Path:
    """A folder of mode 0700, short enough for a Unix socket's path."""
    folder = Path(tempfile.mkdtemp(prefix="zt-s-"))
    if len(bytes(folder / SOCKET_NAME)) > _MAX_SOCKET_PATH_BYTES:
        with suppress(OSError):
            folder.rmdir()
        folder = Path(tempfile.mkdtemp(prefix="zt-s-", dir="/tmp"))
    return folder
