"""An event loop in a thread of its own, which still works while the interpreter ends."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import Any, TypeVar

__all__ = ["elsewhere"]

_T = TypeVar("_T")


class _Threads(ThreadPoolExecutor):
    """A thread for each call. The stock executor takes no work once the main thread has ended."""

    def submit(self, call: Callable[..., _T], /, *args: Any, **kwargs: Any) -> Future[_T]:
        """Calls it in a new thread."""
        future: Future[_T] = Future()

        def work() -> None:
            try:
                future.set_result(call(*args, **kwargs))
            except BaseException as error:  # noqa: BLE001 - it is handed to whoever waits
                future.set_exception(error)

        threading.Thread(target=work, daemon=True).start()
        return future


async def elsewhere(work: Coroutine[Any, Any, _T]) -> _T:
    """Awaits it on the loop that this process keeps for headless kernels."""
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, _loop()))


@cache
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    loop.set_default_executor(_Threads())
    threading.Thread(target=loop.run_forever, name="zt-headless", daemon=True).start()
    return loop
