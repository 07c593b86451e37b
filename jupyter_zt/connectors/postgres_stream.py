"""The result of one statement as an asynchronous stream of Arrow batches.

One batch is with the reader and one is being fetched: that bounds the memory, and a slow reader
slows the target down. Nothing is left running: leaving the stream early cancels the statement at
the target and waits until its thread is done.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import Executor
from types import TracebackType
from typing import ClassVar, Self

import pyarrow as pa

from jupyter_zt.connectors.limits import Limits
from jupyter_zt.connectors.postgres_statement import command_tag
from jupyter_zt.connectors.postgres_work import Stopped, Work
from jupyter_zt.errors import TargetError, ZTError

CANCEL_AGAIN_SECONDS = 0.1
"""A cancel may come between two steps of a statement and miss both."""

_NARROW = {
    "max_rows": "Narrow the result with WHERE or LIMIT, or aggregate it.",
    "max_bytes": "Select fewer columns, or narrow the result with WHERE or LIMIT.",
}


class PostgresStream:
    """One running statement. Enter it to start it, iterate it, leave it to end it.

    Attributes:
        schema: Of the batches; None for a write.
        rows: So far; for a write, how many it changed.
        nbytes: Of the Arrow buffers so far.
        truncated: None, or which limit cut the result: ``limit``, ``value``, ``hint``.
        command_tag: Of a write (``UPDATE 3``), else "".
        notes: What a person should know about the values.
        body: None; a model's answer has one.
    """

    body: ClassVar[None] = None

    def __init__(
        self,
        work: Work,
        limits: Limits,
        workers: Executor,
        cancellers: Executor,
        forget: Callable[[], object],
    ) -> None:
        self.schema: pa.Schema | None = None
        self.rows = 0
        self.nbytes = 0
        self.truncated: dict[str, str] | None = None
        self.command_tag = ""
        self._work = work
        self._limits = limits
        self._workers = workers
        self._cancellers = cancellers
        self._forget = forget
        self._thread: asyncio.Future[pa.RecordBatch | None] | None = None
        self._why_stopped = ""
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know about the values, in the order it was found."""
        return tuple(self._work.types.notes) if self._work.types else ()

    async def __aenter__(self) -> Self:
        """Starts the statement; returns when the target has begun to answer.

        Raises:
            TargetError: The target refused or failed; ``sqlstate``, ``position`` and
                ``outcome_unknown`` say more.
            InvalidInputError: A parameter does not fit.
        """
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._limits.statement_seconds, self._time_is_up)
        try:
            await self._in_thread(self._work.start)
        except BaseException:
            await self._end()
            raise
        if self._work.write:
            self.rows = self._work.rows_affected
            self.command_tag = command_tag(self._work.statement, self.rows)
        elif self._work.types is not None:
            self.schema = self._work.types.schema
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Cancels what still runs at the target, and gives the connection back."""
        await self._end()

    def __aiter__(self) -> Self:
        """The stream is its own iterator."""
        return self

    async def __anext__(self) -> pa.RecordBatch:
        """The next batch, at most up to the limits.

        Raises:
            TargetError: The target failed, was lost, or the time was up.
        """
        if self.truncated is not None:
            raise StopAsyncIteration
        batch = await self._in_thread(self._work.read)
        if batch is None:
            raise StopAsyncIteration
        kept = self._cut(batch)
        if kept.num_rows < batch.num_rows:
            await self._stop("limit")
            if not kept.num_rows:
                raise StopAsyncIteration
        elif not self._work.immediate:
            self._thread = self._submit(self._work.read)
        return kept

    async def cancel(self) -> None:
        """Stops the statement at the target; returns when its thread is done."""
        await self._stop("cancelled")

    def _cut(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The rows of the batch that are within the limits."""
        limits = self._limits
        room = limits.max_rows - self.rows
        if batch.num_rows > room:
            self._truncate("max_rows", limits.max_rows)
            batch = batch.slice(0, room)
        left = limits.max_bytes - self.nbytes
        if batch.nbytes > left:
            self._truncate("max_bytes", limits.max_bytes)
            batch = batch.slice(0, _rows_within(batch, left))
        self.rows += batch.num_rows
        self.nbytes += batch.nbytes
        return batch

    def _truncate(self, limit: str, value: int) -> None:
        self.truncated = {"limit": limit, "value": str(value), "hint": _NARROW[limit]}

    async def _in_thread(self, step: Callable[[], pa.RecordBatch | None]) -> pa.RecordBatch | None:
        """Waits for the step that runs ahead, or for this one."""
        running = self._thread
        if running is None:
            if self._work.immediate and not self._why_stopped:
                return step()
            running = self._submit(step)
        self._thread = running
        try:
            # The thread goes on when this task is cancelled: `_end` waits for it.
            result = await asyncio.shield(running)
        except (TargetError, Stopped) as error:
            raise self._explained(error) from None
        finally:
            if running.done():
                self._thread = None
        if self._why_stopped and not self._work.complete:
            raise self._explained(Stopped())
        return result

    def _submit(
        self, step: Callable[[], pa.RecordBatch | None]
    ) -> asyncio.Future[pa.RecordBatch | None]:
        return asyncio.get_running_loop().run_in_executor(self._workers, step)

    def _explained(self, error: TargetError | Stopped) -> TargetError:
        """A cancelled statement says who cancelled it."""
        if isinstance(error, TargetError) and error.code != "cancelled":
            return error
        if self._why_stopped == "timeout":
            return TargetError(
                f"The statement took longer than {self._limits.statement_seconds:g} s.",
                code="statement_timeout",
                hint="Narrow it with WHERE, or ask an administrator for a longer limit.",
                sqlstate="57014",
            )
        if self._why_stopped:
            return TargetError("The statement was cancelled.", code="cancelled", sqlstate="57014")
        return TargetError(
            "The target cancelled the statement.",
            code="statement_timeout",
            hint="It ran into the target's own time limit, or an administrator stopped it.",
            sqlstate="57014",
        )

    def _time_is_up(self) -> None:
        task = asyncio.ensure_future(self._stop("timeout"))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _stop(self, why: str) -> None:
        """Cancels at the target until the thread is done."""
        self._why_stopped = self._why_stopped or why
        loop = asyncio.get_running_loop()
        self._work.stopping = True
        while not self._work.over:
            thread = self._thread
            await loop.run_in_executor(self._cancellers, self._work.cancel)
            if thread is None or thread.done():
                await loop.run_in_executor(self._cancellers, self._work.abandon)
                return
            await asyncio.wait({thread}, timeout=CANCEL_AGAIN_SECONDS)

    async def _end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        try:
            if not self._work.over:
                await asyncio.shield(self._stop("left"))
        finally:
            if self._thread is not None:
                with contextlib.suppress(ZTError, Stopped):
                    await asyncio.shield(self._thread)
            self._forget()


def _rows_within(batch: pa.RecordBatch, size: int) -> int:
    """How many leading rows fit into so many bytes."""
    low, high = 0, batch.num_rows
    while low < high:
        middle = (low + high + 1) // 2
        if batch.slice(0, middle).nbytes <= size:
            low = middle
        else:
            high = middle - 1
    return low
