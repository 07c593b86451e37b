"""The broker of one Jupyter server: people, kernels and the gateway, brought together.

It answers the server's three questions: who is this (`person`), whose kernel will that be
(`claim`), and which session does it run in (`open`, `listen`, `closed`, `end`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from logging import Logger, LoggerAdapter
from pathlib import Path
from typing import Any, Final, Protocol

from jupyter_client.manager import KernelManager
from jupyter_server.base.call_context import CallContext
from jupyter_server.base.handlers import JupyterHandler
from tornado.web import HTTPError

from jupyter_zt.errors import AuthenticationError, UnavailableError, ZTError
from jupyter_zt.extension import bubblewrap, ownership
from jupyter_zt.extension.gateway_client import GatewayClient
from jupyter_zt.extension.kernel_watch import KernelWatch
from jupyter_zt.extension.relays import Relays
from jupyter_zt.extension.session_opener import SandboxState
from jupyter_zt.extension.sessions import KernelSessions
from jupyter_zt.model import Human

__all__ = ["Broker", "People"]

_MAX_NOTEBOOK_CHARACTERS: Final = 512


class People(Protocol):
    """Who is logged in."""

    def person(self, handler: JupyterHandler) -> Human | None:
        """The person of a request; None when nobody is logged in."""

    async def id_token(self, human_key: str) -> str:
        """A fresh ID token of a person. Raises `AuthenticationError` without a valid login."""

    def watch_logins(self, listener: Callable[[str], None]) -> None:
        """Tell it whose login (`Human.key`) has started or ended, each time."""


class Broker:
    """What handlers, kernel manager and sandbox need of the extension.

    Args:
        gateway: The gateway's control API.
        people: Logins.
        root: The server's root folder; notebooks are named relative to it.
        recordings: Folder of recordings.
        allow_other_kernels: Whether kernels other than ours may run, unfiltered and unrecorded.
        allow_unsandboxed: Whether kernels may run without a sandbox where there is none.
        agents: Pattern of a notebook's path -> the agent that acts in it; the first match counts.
        relays: Serve the sockets of a gateway on another host; None for one on this host.
        log: For what the administrator should know.
    """

    def __init__(
        self,
        *,
        gateway: GatewayClient,
        people: People,
        root: Path,
        recordings: Path,
        allow_other_kernels: bool,
        allow_unsandboxed: bool,
        agents: Mapping[str, str],
        relays: Relays | None,
        log: Logger | LoggerAdapter[Any],
    ) -> None:
        self.gateway = gateway
        self.allow_other_kernels = allow_other_kernels
        self._accepts_no_sandbox = allow_unsandboxed
        self._people = people
        self._root = root
        self._agents = agents
        self._log = log
        self._sessions = KernelSessions(gateway, people.id_token, recordings, relays, log)
        self._leaving: set[asyncio.Task[None]] = set()
        people.watch_logins(self._sessions.login_changed)
        people.watch_logins(self._login_changed)

    # ------------------------------------------------------------------ people

    def person(self, handler: JupyterHandler) -> Human:
        """The person of a request. Raises `AuthenticationError` when nobody is logged in."""
        person = self._people.person(handler)
        if person is None:
            raise AuthenticationError("You are not logged in.", hint="Log in again in JupyterLab.")
        return person

    def recording(self, session: str, owner: str) -> dict[str, str]:
        """How the recording of one of a person's sessions stands. Raises `NotFoundError`."""
        return self._sessions.recording(session, owner)

    async def is_unsandboxed(self) -> bool:
        """Whether kernels run without a sandbox here: every page says so."""
        if not self._accepts_no_sandbox:
            return False
        try:
            await bubblewrap.probe(bubblewrap.find())
        except UnavailableError:
            return True
        return False

    # ------------------------------------------------------------------ kernels

    def claim(self, kernel_id: str) -> None:
        """The person of the current request starts this kernel."""
        handler = CallContext.get(CallContext.JUPYTER_HANDLER)
        person = self._people.person(handler) if handler is not None else None
        if person is None:
            raise HTTPError(403, "A kernel is started by a person who is logged in.")
        ownership.claim(kernel_id, person.key)

    def listen(self, kernel_id: str, kernel: KernelManager) -> None:
        """The kernel runs: hear what it publishes."""
        self._sessions.listen(kernel_id, kernel)

    def watch(self, kernel_id: str) -> KernelWatch | None:
        """The broker's ear at a kernel."""
        return self._sessions.watch(kernel_id)

    async def end(self, kernel_id: str) -> None:
        """The kernel is gone for good: seal its session."""
        await self._sessions.end(kernel_id)
        ownership.release(kernel_id)

    async def end_all(self) -> None:
        """The server stops."""
        await self._sessions.end_all()
        await self.gateway.close()

    # ------------------------------------------------------------------ for the sandbox

    async def open(self, kernel_id: str, notebook: str, sandbox_state: SandboxState) -> Path:
        """The folder of the session's socket (`SessionOpener`).

        Raises:
            ZTError: Nobody claimed the kernel, or the gateway or the login is not there.
        """
        owner = ownership.owner_of(kernel_id)
        if owner is None:
            raise UnavailableError("This kernel belongs to nobody.", code="no_owner")
        sandbox = {"state": sandbox_state.state, "detail": sandbox_state.detail[:512]}
        path = self._api_path(notebook)
        opened = await self._sessions.open(kernel_id, owner, path, sandbox, self._agent(path))
        return Path(opened.socket).parent

    async def closed(self, kernel_id: str, restart: bool) -> None:  # noqa: FBT001 - Jupyter's word
        """The kernel's process has ended (`SessionOpener`)."""
        if restart:
            self._sessions.restarted(kernel_id)
        else:
            await self._sessions.end(kernel_id)

    # ------------------------------------------------------------------ inside

    def _agent(self, path: str) -> str | None:
        return next((name for like, name in self._agents.items() if fnmatchcase(path, like)), None)

    def _login_changed(self, human_key: str) -> None:
        task = asyncio.ensure_future(self._leave_if_gone(human_key))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def _leave_if_gone(self, human_key: str) -> None:
        """When a person's last login has ended, nothing that was stolen is good any more."""
        try:
            await self._people.id_token(human_key)
        except AuthenticationError:
            try:
                await self.gateway.leave(human_key)
            except ZTError as error:
                self._log.warning("The gateway was not told that %s left: %s", human_key, error)
        except ZTError:
            return  # the provider is away: they may still be logged in

    def _api_path(self, notebook: str) -> str:
        """A notebook's path relative to the server's root, as people know it."""
        path = Path(notebook)
        if path.is_absolute() and path.is_relative_to(self._root):
            path = path.relative_to(self._root)
        name = path.as_posix() if not path.is_absolute() else path.name
        return "" if name == "." else name[-_MAX_NOTEBOOK_CHARACTERS:]
