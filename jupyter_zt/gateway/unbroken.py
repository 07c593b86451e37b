"""Steps that a cancel must not cut in the middle: what was done and what is recorded of it agree.

The stop button, a client that hangs up, the end of a session: each cancels the action's task, as
often as they like and at any moment. A step that changes state runs in a task of its own, which
nobody cancels.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def unbroken(step: Coroutine[Any, Any, T]) -> T:
    """Awaits a step to its end; a cancel that came meanwhile takes effect at the next await."""
    task = asyncio.ensure_future(step)
    if await _cancelled_while(task):
        current = asyncio.current_task()
        if current is not None:
            current.cancel()
    return task.result()


async def conclusive(step: Coroutine[Any, Any, T]) -> T:
    """Awaits the step that ends an action: for a cancel that comes meanwhile it is too late."""
    task = asyncio.ensure_future(step)
    await _cancelled_while(task)
    return task.result()


async def _cancelled_while(task: asyncio.Task[Any]) -> bool:
    cancelled = False
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            cancelled = True
    return cancelled
