"""One Unix socket per session: whoever speaks on it is that session."""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.server import ServerState

from jupyter_zt.errors import UnavailableError
from jupyter_zt.gateway.bounds import MAX_SESSION_BODY_BYTES, BodyLimit, SessionProtocol
from jupyter_zt.identity.peers import (
    LAST_WORDS_SECONDS,
    SOCKET_NAME,
    leave_notice,
    private_listener,
)

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_BACKLOG = 128


def prepare_runtime(folder: Path) -> None:
    """Makes the folder of all sockets, for this user alone.

    Raises:
        UnavailableError: Somebody else owns it, or others may enter it.
    """
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    # /tmp is everybody's: a folder that was planted there, or in a planted one, is not used.
    own, parent = folder.lstat(), folder.parent.lstat()
    exposed = own.st_uid != os.getuid() or stat.S_ISLNK(own.st_mode) or own.st_mode & 0o077
    shared = parent.st_mode & 0o022 and not parent.st_mode & stat.S_ISVTX
    if exposed or shared or parent.st_uid not in {0, os.getuid()} or stat.S_ISLNK(parent.st_mode):
        msg = f"{folder} does not belong to this user alone."
        raise UnavailableError(msg, code="runtime_exposed", hint=f"Remove it: {folder}")


def socket_folder(runtime: Path, session: str) -> Path:
    """The folder that holds one session's socket and nothing else."""
    return runtime / session.removeprefix("s_")[:16]


class SessionSocket:
    """Serves the session API on one session's socket.

    Args:
        app: Serves it; finds the session in its scope as ``zt.session``.
        session: The session itself.
        folder: Of this session's socket alone.
    """

    def __init__(self, app: ASGIApp, session: object, folder: Path) -> None:
        self._folder = folder
        self.path = self._folder / SOCKET_NAME
        self._state = ServerState()
        self._server: asyncio.Server | None = None

        bounded = BodyLimit(app, MAX_SESSION_BODY_BYTES)

        async def bound(scope: Scope, receive: Receive, send: Send) -> None:
            # Which session this is comes from the socket alone, never from the request.
            scope["zt.session"] = session
            await bounded(scope, receive, send)

        self._config = uvicorn.Config(
            bound,
            http=SessionProtocol,
            lifespan="off",
            log_config=None,
            access_log=False,
            date_header=False,
            ws="none",
        )

    async def open(self) -> None:
        """Creates the socket, mode 0600 in a folder of mode 0700, and listens."""
        self._config.load()
        # The folder stays the same after a restart: it is mounted in the kernel's sandbox.
        listener = private_listener(self._folder)
        self._state.default_headers = self._config.encoded_headers
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(
            self._protocol, sock=listener, backlog=_BACKLOG
        )

    def _protocol(self) -> asyncio.Protocol:
        protocol: Any = self._config.http_protocol_class
        made: asyncio.Protocol = protocol(
            config=self._config, server_state=self._state, app_state={}
        )
        return made

    def deafen(self, notice: Mapping[str, str]) -> None:
        """Takes no connection any more, and leaves word why. Those under way go on."""
        if self._server is not None:
            self._server.close()
        leave_notice(self._folder, notice)

    async def hear_out(self) -> None:
        """Waits a moment for the answers under way: they say why they end."""
        if self._state.tasks:
            await asyncio.wait(set(self._state.tasks), timeout=LAST_WORDS_SECONDS)

    async def close(self, *, remove: bool) -> None:
        """Stops listening and cuts every connection.

        Args:
            remove: Also removes the folder: the session is over. Otherwise only the process ends.
        """
        if self._server is not None:
            self._server.close()
        for connection in list(self._state.connections):
            transport = getattr(connection, "transport", None)
            if transport is not None:
                transport.abort()
        if remove:
            remove_folder(self._folder)


def remove_folder(folder: Path) -> None:
    """The session is over: nothing of its socket stays."""
    shutil.rmtree(folder, ignore_errors=True)
