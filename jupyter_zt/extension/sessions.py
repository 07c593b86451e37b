"""One gateway session per kernel, for the person who started it, from its start to its seal.

Each is bound to this process's key, which lives in memory and nowhere else. A session acts as long
as its person is logged in: it is renewed with a fresh login before it expires, suspended as soon
as the person's last login has ended, and revived when they log in again. What the kernel does
without the gateway meanwhile is recorded. A restart of the kernel keeps the session, its recording
and its owner.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from logging import Logger, LoggerAdapter
from pathlib import Path
from typing import Any, Final, Protocol

from jupyter_client.manager import KernelManager

from jupyter_zt.errors import (
    AuthenticationError,
    NotFoundError,
    PermissionDeniedError,
    UnavailableError,
    ZTError,
)
from jupyter_zt.extension.gateway_client import GatewayClient, OpenedSession
from jupyter_zt.extension.journal import CellRun, KernelJournal
from jupyter_zt.extension.kernel_watch import KernelWatch
from jupyter_zt.extension.message_filter import DEFAULT_MAX_OUTPUT_BYTES, from_kernel
from jupyter_zt.extension.recorder import SessionRecorder
from jupyter_zt.extension.recording_file import RecordingFile
from jupyter_zt.extension.relays import Relays

__all__ = ["SEAL_TIMEOUT_SECONDS", "KernelSessions"]

SEAL_TIMEOUT_SECONDS: Final = 10.0
_RETRY_SECONDS: Final = 5.0


class Ear(Protocol):
    """Hears a kernel for its journal."""

    def restarted(self) -> None:
        """The kernel's process was replaced."""

    def close(self) -> None:
        """The kernel is gone for good."""


@dataclass(slots=True)
class _KernelSession:
    """What the broker keeps of one kernel."""

    owner: str
    opened: OpenedSession
    renew_at: datetime
    recorder: SessionRecorder
    is_suspended: bool = False
    is_revoked: bool = False
    login_changed: asyncio.Event = field(default_factory=asyncio.Event)
    in_step: asyncio.Task[None] | None = None
    watch: KernelWatch | None = None
    ear: Ear | None = None


class KernelSessions:
    """The gateway sessions of this server's kernels.

    Args:
        gateway: Where sessions are.
        id_token: A fresh ID token of a person (`Human.key`); raises `AuthenticationError` when
            there is no login.
        recordings: Folder of recordings.
        relays: Serve the sockets of a gateway on another host; None for one on this host.
        log: For what the administrator should know.
    """

    def __init__(
        self,
        gateway: GatewayClient,
        id_token: Callable[[str], Awaitable[str]],
        recordings: Path,
        relays: Relays | None,
        log: Logger | LoggerAdapter[Any],
    ) -> None:
        self._gateway = gateway
        self._id_token = id_token
        self._recordings = recordings
        self._relays = relays
        self._log = log
        self._kernels: dict[str, _KernelSession] = {}
        self._sealing: dict[asyncio.Task[None], SessionRecorder] = {}

    async def open(
        self,
        kernel_id: str,
        owner: str,
        notebook: str,
        sandbox: dict[str, str],
        agent: str | None = None,
    ) -> OpenedSession:
        """The session of a kernel that is about to start, or to start again.

        Args:
            kernel_id: The server's id of the kernel.
            owner: `Human.key` of the person who starts it.
            notebook: Path of its notebook, relative to the server's root; "" for none.
            sandbox: ``state`` and ``detail``, as the gateway takes them.
            agent: The registered agent that acts in it, if one does.

        Raises:
            ZTError: The gateway or the person's login is not there, so the kernel can't start.
        """
        kept = self._kernels.get(kernel_id)
        if kept is not None and not await self._was_revoked(kept):
            return kept.opened
        await self.end(kernel_id)
        opened = await self._gateway.open_session(
            owner,
            notebook=notebook,
            kernel=kernel_id,
            sandbox=sandbox,
            agent=agent,
            remote=self._relays is not None,
        )
        if self._relays is not None:
            token = self._gateway.runtime(owner, opened.id, agent)
            await self._gateway.renew_runtime(token)
            socket = await self._relays.open(
                opened.id, token, partial(self._gateway.renew_runtime, token)
            )
            opened = replace(opened, socket=str(socket))
        recorder = self._recorder(opened, notebook)
        kept = _KernelSession(owner, opened, _renew_at(opened.expires_at), recorder)
        kept.in_step = asyncio.create_task(self._keep_in_step(kept))
        self._kernels[kernel_id] = kept
        return opened

    def listen(self, kernel_id: str, kernel: KernelManager) -> None:
        """The kernel runs: hear what it publishes from now on."""
        kept = self._kernels.get(kernel_id)
        if kept is None:
            raise UnavailableError("The kernel has no session.", code="no_session")
        if kept.watch is None:
            journal = KernelJournal(from_kernel, DEFAULT_MAX_OUTPUT_BYTES)
            kept.watch = KernelWatch(kernel, journal, kept.recorder.add, self._log)

    def finished(self, kernel_id: str) -> Callable[[list[CellRun]], None]:
        """What takes the finished cells of a kernel that has a session."""
        return self._kernels[kernel_id].recorder.add

    def attach(self, kernel_id: str, ear: Ear) -> None:
        """Something else than a `KernelWatch` hears this kernel."""
        self._kernels[kernel_id].ear = ear

    def watch(self, kernel_id: str) -> KernelWatch | None:
        """The broker's ear at a kernel, while it has one."""
        kept = self._kernels.get(kernel_id)
        return kept.watch if kept else None

    def restarted(self, kernel_id: str) -> None:
        """The kernel's process was replaced."""
        kept = self._kernels.get(kernel_id)
        ear = kept and (kept.watch or kept.ear)
        if ear:
            ear.restarted()

    def recording(self, session: str, owner: str) -> dict[str, str]:
        """How the recording of one of this person's sessions stands.

        Raises:
            NotFoundError: The session is not one of theirs, on this server.
        """
        for kept in self._kernels.values():
            if kept.opened.id == session and kept.owner == owner:
                return {
                    "recording": kept.recorder.state,
                    "recording_file": kept.recorder.file_name,
                }
        msg = "There is no such session."
        raise NotFoundError(msg)

    def login_changed(self, owner: str) -> None:
        """A login of this person has started or ended."""
        for kept in self._kernels.values():
            if kept.owner == owner:
                kept.login_changed.set()

    async def end(self, kernel_id: str) -> SessionRecorder | None:
        """The kernel is gone for good: record what is left, and seal.

        Returns:
            Its recorder, which knows whether it is sealed; None where there was no session.
        """
        kept = self._kernels.pop(kernel_id, None)
        if kept is None:
            return None
        if kept.in_step is not None:
            kept.in_step.cancel()
        ear = kept.watch or kept.ear
        if ear is not None:
            ear.close()
        if self._relays is not None:
            self._relays.close(kept.opened.id)
        sealing = asyncio.create_task(kept.recorder.seal())
        self._sealing[sealing] = kept.recorder
        sealing.add_done_callback(self._sealed)
        # The gateway may be away: then the sealing goes on after the kernel's shutdown is answered.
        await asyncio.wait({sealing}, timeout=SEAL_TIMEOUT_SECONDS)
        return kept.recorder

    def _recorder(self, opened: OpenedSession, notebook: str) -> SessionRecorder:
        file = RecordingFile(self._recordings, notebook, opened.id)
        return SessionRecorder(self._gateway, opened, file, self._log)

    def _sealed(self, sealing: asyncio.Task[None]) -> None:
        self._sealing.pop(sealing).stop()

    async def end_all(self) -> None:
        """The server stops: seal what can be sealed in time."""
        await asyncio.gather(*(self.end(kernel_id) for kernel_id in list(self._kernels)))
        if self._relays is not None:
            self._relays.close_all()
        for sealing, recorder in list(self._sealing.items()):
            sealing.cancel()
            self._log.error("%s is not sealed: it verifies as INCOMPLETE", recorder.file_name)

    async def _keep_in_step(self, kept: _KernelSession) -> None:
        """The session may act while its person is logged in, and at no other time."""
        has_failed = False
        while True:
            kept.login_changed.clear()
            pause: float | None = _RETRY_SECONDS
            try:
                pause = await self._step(kept)
                has_failed = False
            except ZTError as error:
                if not has_failed:
                    self._log.warning("Session %s lags behind: %s", kept.opened.id, error)
                has_failed = True
            with suppress(TimeoutError):
                await asyncio.wait_for(kept.login_changed.wait(), pause)

    async def _step(self, kept: _KernelSession) -> float | None:
        """Suspend or renew the session if it is due.

        Returns:
            Seconds until the next renewal; None while only a login changes anything.

        Raises:
            ZTError: It could not be done now.
        """
        try:
            await self._id_token(kept.owner)
        except AuthenticationError:
            if not kept.is_suspended:
                await self._gateway.suspend(kept.opened)
                kept.is_suspended = True
                self._log.info("Session %s is suspended: its person left", kept.opened.id)
            return None
        if kept.is_suspended or datetime.now(UTC) >= kept.renew_at:
            await self._renew(kept)
        if kept.is_revoked:
            return None
        return max(0.0, (kept.renew_at - datetime.now(UTC)).total_seconds())

    async def _renew(self, kept: _KernelSession) -> None:
        try:
            kept.renew_at = _renew_at(await self._gateway.renew(kept.opened, kept.owner))
        except PermissionDeniedError as error:
            if error.code != "session_revoked":
                raise
            kept.is_revoked = True
            self._log.warning("Session %s: %s", kept.opened.id, error.message)
        kept.is_suspended = False

    async def _was_revoked(self, kept: _KernelSession) -> bool:
        """Asked when its kernel starts again: if a person has ended it, it gets another one."""
        if not kept.is_revoked:
            with suppress(ZTError):  # then it is as before, and says so when it is used
                await self._renew(kept)
        return kept.is_revoked


def _renew_at(expires_at: datetime) -> datetime:
    """Well before the session expires, and not all the time."""
    now = datetime.now(UTC)
    left = (expires_at - now).total_seconds()
    return now + timedelta(seconds=max(left / 2, _RETRY_SECONDS))
