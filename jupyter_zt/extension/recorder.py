"""Carries a session's finished cells to the gateway's log, and its recording back to a file.

The gateway may be away: cells are kept and tried again, in order, for as long as the server lives.
The person sees how it stands in `SessionRecorder.state`. Nothing is invented when a cell can't be
recorded: the seal says how many cells the broker saw, so a missing one shows as a gap.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
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

    Args:
        gateway: Where the log is.
        session: As the gateway opened it.
        file: Where its recording goes.
        log: For what the administrator should know.
    """

    def __init__(
        self,
        gateway: GatewayClient,
        session: OpenedSession,
        file: RecordingFile,
        log: Logger | LoggerAdapter[Any],
    ) -> None:
        self._gateway = gateway
        self._session = session
        self._file = file
        self._log = log
        self._waiting: deque[CellRun] = deque()
        self._cells_seen = 0
        self._file_is_old = False
        self._is_behind = False
        self._has_lost = False
        self._wake = asyncio.Event()
        self._settled = asyncio.Event()
        self._settled.set()
        self._delivering = asyncio.create_task(self._deliver())

    @property
    def state(self) -> RecordingState:
        """``ok``; ``behind``: cells wait; ``failed``: a cell was refused and is lost."""
        if self._has_lost:
            return "failed"
        return "behind" if self._is_behind else "ok"

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
        self._file_is_old = True
        self._settled.clear()
        self._wake.set()

    async def seal(self) -> None:
        """Deliver what waits, end the session and write its sealed recording.

        Tried until it is done; whoever calls this decides when to give up. A session without cells
        leaves no file. What is not sealed stays INCOMPLETE, and says so.
        """
        await self._settled.wait()
        pause = _FIRST_RETRY_SECONDS
        while not await self._is_sealed():
            self._is_behind = True
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_RETRY_SECONDS)

    def stop(self) -> None:
        """Give up what is not delivered."""
        self._delivering.cancel()

    async def _is_sealed(self) -> bool:
        """Try once; whether there is nothing left to do."""
        try:
            sealed = await self._gateway.seal(self._session, self._cells_seen)
            if self._cells_seen:
                await asyncio.to_thread(self._file.write, sealed)
        except (ZTError, OSError) as error:
            final = isinstance(error, ZTError) and error.status < HTTPStatus.INTERNAL_SERVER_ERROR
            if final or not self._is_behind:
                self._log.warning("The recording %s can't be sealed: %s", self._file.name, error)
            self._has_lost |= final
            return final
        return True

    async def _deliver(self) -> None:
        """Post what waits, then fetch the recording; pause and try again while that fails."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            pause = _FIRST_RETRY_SECONDS
            while not await self._is_delivered():
                self._is_behind = True
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_RETRY_SECONDS)
            self._is_behind = False
            if not self._waiting:
                self._settled.set()

    async def _is_delivered(self) -> bool:
        """Try once; whether there is nothing left to do."""
        try:
            while self._waiting:
                await self._post(self._waiting[0])
                self._waiting.popleft()
            if self._file_is_old:
                self._file_is_old = False
                content = await self._gateway.recording(self._session)
                await asyncio.to_thread(self._file.write, content)
        except (ZTError, OSError) as error:
            if not self._is_behind:
                self._log.warning("The recording %s waits: %s", self._file.name, error)
            self._file_is_old = True
            return False
        return True

    async def _post(self, run: CellRun) -> None:
        """Record one cell. One that the gateway will never take is lost, and that is said.

        Raises:
            ZTError: It can't be recorded now.
        """
        try:
            await self._gateway.post_cell(self._session, asdict(run))
        except LimitError:
            cut = {**asdict(run), "outputs": [_NOT_RECORDED]}
            await self._gateway.post_cell(self._session, cut)
        except ZTError as error:
            if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                raise
            self._has_lost = True
            self._log.error("A cell can't be recorded in %s: %s", self._file.name, error)
