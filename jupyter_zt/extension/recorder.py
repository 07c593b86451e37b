"""Carries a session's finished cells to the gateway's log, and its recording back to a file.

The gateway may be away: cells are kept and tried again, in order, for as long as the server lives.
The person sees how it stands in `SessionRecorder.state`. Nothing is invented when a cell can't be
recorded: the seal says how many cells the broker saw, so a missing one shows as a gap.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from http import HTTPStatus
from logging import Logger, LoggerAdapter
from typing import Any, Final, Literal

from jupyter_zt.errors import LimitError, ZTError
from jupyter_zt.extension.gateway_client import GatewayClient, OpenedSession
from jupyter_zt.extension.journal import CellRun
from jupyter_zt.extension.recording_file import RecordingFile

__all__ = ["RecordingState", "SessionRecorder"]

RecordingState = Literal["ok", "behind", "failed"]

_FIRST_RETRY_SECONDS: Final = 0.25
_LONGEST_RETRY_SECONDS: Final = 10.0
_NOT_RECORDED: Final = {
    "output_type": "stream",
    "name": "stderr",
    "text": "[The outputs of this cell are too large to record.]\n",
}


class SessionRecorder:
    """One session's cells on their way to the log.

    Attributes:
        is_sealed: Whether the session is over and its recording, if it has cells, is written.

    Args:
        gateway: Where the log is.
        session: As the gateway opened it.
        file: Where its recording goes.
        log: For what the administrator should know.
        every_cell: Whether the file is written after every cell, or at the end only.
    """

    def __init__(
        self,
        gateway: GatewayClient,
        session: OpenedSession,
        file: RecordingFile,
        log: Logger | LoggerAdapter[Any],
        *,
        every_cell: bool = True,
    ) -> None:
        self._gateway = gateway
        self._session = session
        self._file = file
        self._log = log
        self._waiting: deque[CellRun] = deque()
        self._cells_seen = 0
        self._troubles: set[str] = set()
        self._has_lost = False
        self._work = asyncio.Event()
        self._posted = asyncio.Event()
        self._posted.set()
        self._file_is_old = asyncio.Event()
        # One writer at a time: what was fetched first must not replace what was sealed since.
        self._writing = asyncio.Lock()
        self.is_sealed = False
        self._tasks = [asyncio.create_task(self._post_cells())]
        if every_cell:
            self._tasks.append(asyncio.create_task(self._keep_file()))

    @property
    def state(self) -> RecordingState:
        """``ok``; ``behind``: cells wait; ``failed``: the gateway refuses one for good."""
        if self._has_lost:
            return "failed"
        return "behind" if self._troubles else "ok"

    @property
    def file_name(self) -> str:
        """Name of the recording in the folder of recordings."""
        return self._file.name

    def add(self, runs: Sequence[CellRun]) -> None:
        """Take finished cells, in order."""
        if not runs:
            return
        self._waiting.extend(runs)
        self._cells_seen += len(runs)
        self._posted.clear()
        self._work.set()

    async def seal(self) -> None:
        """Deliver what waits, end the session and write its sealed recording.

        Tried until it is done; whoever calls this decides when to give up. A session without cells
        leaves no file. What is not sealed stays INCOMPLETE, and says so.
        """
        await self._posted.wait()
        await self._until_done("sealing", self._seal)
        self.stop()

    def stop(self) -> None:
        """Give up what is not delivered."""
        for task in self._tasks:
            task.cancel()

    async def _post_cells(self) -> None:
        """Bring each cell to the log as soon as it is finished."""
        while True:
            await self._work.wait()
            self._work.clear()
            while self._waiting:
                await self._until_done("posting", self._post_next)
            self._posted.set()
            self._file_is_old.set()

    async def _keep_file(self) -> None:
        """Fetch the recording after each cell; one that takes long is fetched less often."""
        clock = asyncio.get_running_loop().time
        while True:
            await self._file_is_old.wait()
            self._file_is_old.clear()
            began = clock()
            await self._until_done("writing", self._write_file)
            await asyncio.sleep(min(clock() - began, _LONGEST_RETRY_SECONDS))

    async def _until_done(self, what: str, attempt: Callable[[], Awaitable[None]]) -> None:
        """Try it until it works, with growing pauses. Nothing else of this kind overtakes it."""
        pause = _FIRST_RETRY_SECONDS
        while True:
            try:
                await attempt()
            except (ZTError, OSError) as error:
                if what not in self._troubles:
                    self._log.warning("Recording %s: %s waits: %s", self._file.name, what, error)
                self._troubles.add(what)
            else:
                self._troubles.discard(what)
                return
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_RETRY_SECONDS)

    # ------------------------------------------------------------------ one attempt each

    async def _post_next(self) -> None:
        """Record the next cell. One that the gateway will never take is lost, and that is said.

        Raises:
            ZTError: It can't be recorded now.
        """
        cell = asdict(self._waiting[0])
        try:
            await self._gateway.post_cell(self._session, cell)
        except LimitError:
            await self._gateway.post_cell(self._session, {**cell, "outputs": [_NOT_RECORDED]})
        except ZTError as error:
            self._lose(error)
        self._waiting.popleft()

    async def _write_file(self) -> None:
        async with self._writing:
            try:
                content = await self._gateway.recording(self._session)
            except ZTError as error:
                self._lose(error)
            else:
                await asyncio.to_thread(self._file.write, content)

    async def _seal(self) -> None:
        async with self._writing:
            try:
                sealed = await self._gateway.seal(self._session, self._cells_seen)
            except ZTError as error:
                self._lose(error)
                return
            if self._cells_seen:
                await asyncio.to_thread(self._file.write, sealed)
            self.is_sealed = True

    def _lose(self, error: ZTError) -> None:
        """Take note of a final refusal; raise one that may pass."""
        if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise error
        self._has_lost = True
        self._log.error("Recording %s is incomplete: %s", self._file.name, error.diagnostics())
