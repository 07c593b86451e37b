"""Tells those who wait that something about approvals changed."""

from __future__ import annotations

import asyncio


class Changes:
    """A revision that only grows, and a way to wait for the next one."""

    def __init__(self, start: int) -> None:
        """`start` differs after a restart, so that an old revision never looks current."""
        self.revision = start
        self._changed = asyncio.Event()

    def notify(self) -> None:
        """Something changed: everybody who waits goes on."""
        self.revision += 1
        self._changed.set()
        self._changed = asyncio.Event()

    async def wait(self, after: int, timeout_seconds: float) -> int:
        """The revision, as soon as it is not `after`, or after the timeout."""
        if self.revision == after and timeout_seconds > 0:
            changed = self._changed
            try:
                async with asyncio.timeout(timeout_seconds):
                    await changed.wait()
            except TimeoutError:
                pass
        return self.revision
