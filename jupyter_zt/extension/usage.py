"""What all processes of one sandbox use together, and its end when that is too much.

The limits of single processes (`bubblewrap.Limits`) are the operating system's, and hold at once.
This looks several times a second instead, needs no right that an ordinary user lacks, and holds
where the operating system's do not: for memory of many processes together, and for the number of
processes where neither RLIMIT_NPROC nor `process_count` counts them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

__all__ = ["UsageWatch"]

_PAUSE_SECONDS: Final = 0.25
_OWN_PROCESSES: Final = 8
"""The sandbox's own, and those that are just being counted by the operating system."""
_KIB: Final = 1024
_MIB: Final = 1024 * 1024
_RESIDENT = ("RssAnon:", "RssShmem:")
_SHARED_OUT = ("Pss_Anon:", "Pss_Shmem:")


class UsageWatch:
    """Looks at one sandbox until it is stopped.

    Args:
        pid: The sandbox's outermost process; the rest are its descendants, also those that detach.
        max_memory_bytes: Of all processes together, without files in memory; 0 is no limit.
        max_processes: Processes and threads together; 0 is no limit.
        end: Ends the sandbox at once.
    """

    def __init__(
        self, pid: int, max_memory_bytes: int, max_processes: int, end: Callable[[], None]
    ) -> None:
        self.reason = ""
        self._pid = pid
        self._max_memory_bytes = max_memory_bytes
        self._max_processes = max_processes
        self._end = end
        self._over = threading.Event()
        threading.Thread(target=self._look, name="zt-usage", daemon=True).start()

    def stop(self) -> None:
        """It is not needed any more."""
        self._over.set()

    def _look(self) -> None:
        while not self._over.wait(_PAUSE_SECONDS):
            self.reason = self._excess()
            if self.reason:
                self._end()
                return

    def _excess(self) -> str:
        """What is too much, in a sentence; "" if nothing is."""
        processes, threads, memory = [], 0, 0
        for process in _descendants(Path("/proc", str(self._pid))):
            processes.append(process)
            threads += len(_tasks(process))
            memory += _sum(process / "status", _RESIDENT)
            if self._max_processes and threads > self._max_processes + _OWN_PROCESSES:
                return (
                    f"it had more than {self._max_processes} processes and threads "
                    "(c.SandboxProvisioner.max_processes)"
                )
        limit = self._max_memory_bytes
        # What processes share counts once, which takes longer to find out.
        if limit and memory > limit and sum(map(_share, processes)) > limit:
            return (
                f"its processes together used more than {limit // _MIB} MiB of memory "
                "(c.SandboxProvisioner.max_memory_bytes)"
            )
        return ""


def _descendants(process: Path) -> Iterator[Path]:
    """Every process below this one (proc(5), ``task/TID/children``)."""
    below = [process]
    while below:
        for task in _tasks(below.pop()):
            try:
                children = (task / "children").read_text().split()
            except OSError:
                continue  # it has just ended
            found = [Path("/proc", child) for child in children]
            below += found
            yield from found


def _tasks(process: Path) -> list[Path]:
    try:
        return list((process / "task").iterdir())
    except OSError:
        return []


def _share(process: Path) -> int:
    """Bytes of memory, where n processes that share a page have an n-th of it each."""
    rollup = process / "smaps_rollup"
    return _sum(rollup, _SHARED_OUT) or _sum(process / "status", _RESIDENT)


def _sum(table: Path, names: tuple[str, ...]) -> int:
    """The sum in bytes of the lines that are called so, which are in KiB."""
    try:
        lines = table.read_text().splitlines()
    except OSError:
        return 0
    return _KIB * sum(int(line.split()[1]) for line in lines if line.startswith(names))
