"""Kernels without a Jupyter server: nbclient, papermill, `jupyter console`.

The process that starts the kernel takes the broker's part, as the person who is logged in on the
command line, or as the service that the environment names. It opens the kernel's session, stands
between the kernel and its client (`Interposer`), reports what ran, and writes the sealed recording
next to the notebook when the kernel is gone.
Nobody vouches for that process, so the log says of its cells that the kernel's own side reported
them. The kernel sees what it sees under a broker: one socket.

All of it runs on an event loop of its own: the client's may stop and start as it likes.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import sys
from collections.abc import Awaitable, Callable, Mapping
from logging import Logger, LoggerAdapter
from pathlib import Path
from typing import Any, Final

from jupyter_client.manager import KernelManager
from jupyter_client.multikernelmanager import MultiKernelManager

from jupyter_zt.client import open_sessions
from jupyter_zt.client.acting import Acting, acting, private_paths
from jupyter_zt.client.api import gateway_tls
from jupyter_zt.errors import UnavailableError
from jupyter_zt.extension.gateway_client import GatewayClient, OpenedSession
from jupyter_zt.extension.interposer import Interposer
from jupyter_zt.extension.journal import KernelJournal
from jupyter_zt.extension.message_filter import DEFAULT_MAX_OUTPUT_BYTES, from_kernel
from jupyter_zt.extension.own_loop import elsewhere
from jupyter_zt.extension.recorder import SessionRecorder
from jupyter_zt.extension.recording_file import RecordingFile
from jupyter_zt.extension.relays import Relays
from jupyter_zt.extension.session_opener import SandboxState
from jupyter_zt.extension.sessions import KernelSessions
from jupyter_zt.identity import GatewayAuth

_PERSON: Final = ""  # the one who is logged in
__all__ = ["AGENT_VARIABLE", "Headless", "own_paths"]

AGENT_VARIABLE: Final = "JUPYTER_ZT_AGENT"
"""Names the registered agent that acts in headless kernels, if one does."""


class Headless:
    """The broker's part for one kernel (`SessionOpener`).

    Args:
        manager: The kernel's.
        work: Its work folder, where the recording goes.
        log: For what the person should know.

    Raises:
        UnavailableError: `no_broker`: this is a Jupyter server.
    """

    def __init__(
        self, manager: KernelManager, work: Path, log: Logger | LoggerAdapter[Any]
    ) -> None:
        if isinstance(manager.parent, MultiKernelManager) or _is_server():
            raise UnavailableError(
                "This kernel needs a session at the gateway, and nothing here can open one: the "
                "Jupyter ZT server extension is not running in this process.",
                code="no_broker",
                hint="Start it from a JupyterLab with the jupyter_zt extension enabled.",
            )
        self._manager = manager
        self._work = work
        self._log = log
        self._sessions: HeadlessSessions | None = None
        self._interposer: Interposer | None = None
        self._session = ""

    async def open(self, kernel_id: str, notebook: str, sandbox_state: SandboxState) -> Path:
        """Opens the kernel's session, or finds the one that it has.

        Raises:
            ZTError: Nobody is logged in, or the gateway opens none.
        """
        return await elsewhere(self._open(kernel_id, notebook, sandbox_state))

    async def interpose(self, kernel_id: str, kernel: Mapping[str, Any], folder: Path) -> Path:
        """Stands between the kernel and its clients.

        Args:
            kernel_id: The manager's.
            kernel: Where the kernel listens.
            folder: The kernel's own, of which it sees parts only.

        Returns:
            What replaces the ``ip`` in the clients' connection information.
        """
        return await elsewhere(self._interpose(kernel_id, kernel, folder))

    async def closed(self, kernel_id: str, restart: bool) -> None:  # noqa: FBT001 - Jupyter's word
        """The kernel's process has ended; for good, the recording is sealed and written."""
        await elsewhere(self._closed(kernel_id, restart=restart))

    # ------------------------------------------------------------------ on the loop of its own

    async def _open(self, kernel_id: str, notebook: str, state: SandboxState) -> Path:
        if self._sessions is None:
            who = await asyncio.to_thread(acting)
            url = who.client.gateway
            tls = gateway_tls(url)
            gateway = HeadlessClient(who, tls)
            # The gateway is another user's, or on another host.
            relays = Relays(url, tls, gateway.held_sessions, self._log)
            self._sessions = HeadlessSessions(gateway, gateway.shown, self._work, relays, self._log)
        sandbox = {"state": state.state, "detail": state.detail[:512]}
        opened = await self._sessions.open(
            kernel_id,
            _PERSON,
            Path(notebook or _called_for()).name,
            sandbox,
            os.environ.get(AGENT_VARIABLE) or None,
        )
        open_sessions.opened(opened.id)
        self._session = opened.id
        return Path(opened.socket).parent

    async def _interpose(self, kernel_id: str, kernel: Mapping[str, Any], folder: Path) -> Path:
        prefix = folder / "c" / "k"
        if self._interposer is None:
            prefix.parent.mkdir(mode=0o700, exist_ok=True)
            assert self._sessions is not None  # noqa: S101 - opened before
            journal = KernelJournal(from_kernel, DEFAULT_MAX_OUTPUT_BYTES)
            key = self._manager.session.key
            finished = self._sessions.finished(kernel_id)
            self._interposer = Interposer(prefix, key, journal, finished, self._log)
            self._sessions.attach(kernel_id, self._interposer)
        await self._interposer.connect(kernel)
        return prefix

    async def _closed(self, kernel_id: str, *, restart: bool) -> None:
        if self._sessions is None:
            return
        if restart:
            self._sessions.restarted(kernel_id)
            return
        recorder = await self._sessions.end(kernel_id)
        self._interposer = None
        if recorder is not None and recorder.is_sealed:
            self._log.info("Recording: %s", self._work / recorder.file_name)
            open_sessions.ended(self._session)
        elif recorder is not None:
            self._log.error("The session is not sealed: the gateway could not be told its end.")


class HeadlessClient(GatewayClient):
    """Acts as what it is: no broker, and in the name of its person or service only.

    Args:
        who: They.
        tls: How the gateway's certificate is verified; None for http on this host.
    """

    def __init__(self, who: Acting, tls: ssl.SSLContext | None) -> None:
        super().__init__(who.client.gateway, "", self.shown, tls, client=who.client)
        self._show = who.id_token

    async def shown(self, _owner: str) -> str:
        """The person's ID token, fresh; "" for a service. Raises as `fresh_login`."""
        return "" if self._show is None else await asyncio.to_thread(self._show)

    def _subject(self, person: str) -> Callable[[], Awaitable[str]] | None:
        return None if self._show is None else super()._subject(person)

    @property
    def _own(self) -> GatewayAuth:
        return self._kernels(_PERSON)

    async def suspend(self, session: OpenedSession) -> None:
        """Without a login it can't say anything. The session ends with the login by itself."""

    def _opening(self, notebook: str, kernel: str, sandbox: Mapping[str, str]) -> dict[str, object]:
        return {**super()._opening(notebook, kernel, sandbox), "headless": True}


class HeadlessSessions(KernelSessions):
    """Sessions whose recording is written once the kernel is gone: it can write to that folder."""

    def _recorder(self, opened: OpenedSession, notebook: str) -> SessionRecorder:
        file = RecordingFile(self._recordings, notebook, opened.id)
        return SessionRecorder(self._gateway, opened, file, self._log, every_cell=False)


def own_paths() -> list[Path]:
    """What no headless kernel may see: where the login, or a service's key, is kept."""
    return private_paths()


def _is_server() -> bool:
    """Whether a Jupyter server runs in this process: it has a broker, or no kernel."""
    module = sys.modules.get("jupyter_server.serverapp")
    return module is not None and bool(module.ServerApp.initialized())


def _called_for() -> str:
    """The notebook that this process was called with: nbclient does not tell the kernel's side."""
    return next((word for word in sys.argv[1:] if word.endswith(".ipynb")), "")
