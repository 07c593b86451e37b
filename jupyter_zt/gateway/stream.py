"""The answer to one action while it is being made: events and Arrow bytes towards the kernel."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from jupyter_zt.gateway.frames import arrow_header, event_frame

FIRST_FLUSH_SECONDS = 0.05
"""What is ready sooner than this goes out in one write: most small results do."""

Piece = bytes | memoryview
Write = Callable[[bytes, bool], Awaitable[None]]
"""Takes whole frames, and whether they are the last; returns when there is room for more."""


class AnswerStream:
    """Collects frames and writes them in order. Back-pressure comes from `write`."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._pending: list[Piece] = []
        self._writing = asyncio.Lock()
        self._started = False
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(FIRST_FLUSH_SECONDS, self._flush_soon)
        self._tasks: set[asyncio.Task[None]] = set()

    def event(self, name: str, **fields: object) -> None:
        """Adds a JSON event; it goes out with the next flush."""
        event: Mapping[str, object] = {"event": name, **fields}
        self._pending.append(event_frame(event))

    def arrow(self, slices: Sequence[Piece]) -> None:
        """Adds bytes of the Arrow IPC stream."""
        size = sum(len(piece) for piece in slices)
        if size:
            self._pending.append(arrow_header(size))
            self._pending.extend(slices)

    async def flush(self) -> None:
        """Writes what is pending; returns when the kernel has room for more."""
        async with self._writing:
            if self._pending:
                await self._write_pending(last=False)

    async def _write_pending(self, *, last: bool) -> None:
        pending, self._pending = self._pending, []
        self._started = True
        await self._write(b"".join(pending), last)

    def unused(self) -> bool:
        """Whether nothing was said yet: the answer may then take another form."""
        if self._started or self._pending:
            return False
        self._timer.cancel()
        return True

    async def close(self) -> None:
        """Writes the rest, and that it is the last."""
        self._timer.cancel()
        async with self._writing:
            await self._write_pending(last=True)

    def _flush_soon(self) -> None:
        task = asyncio.ensure_future(self.flush())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
