"""A limit for the processes of one sandbox where the server runs as root.

RLIMIT_NPROC spares root (fork(2), EAGAIN). The pids controller of cgroups does not: it is used
where this machine lets root make a cgroup, version 1 or 2. Many containers do not, and limit the
processes of the whole container instead.
"""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import suppress
from pathlib import Path

__all__ = ["ProcessCount"]

_TRIES, _PAUSE_SECONDS = 40, 0.05
_PREFIX = "zt-"
_YOUNG_SECONDS = 60  # its first process may still be on its way
_INTO_IT = 'echo $$ >"$0" && exec "$@"'


class ProcessCount:
    """A cgroup of its own, which is empty until its command runs.

    Attributes:
        command: To be put before the command whose processes are counted.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.command = ["/bin/sh", "-c", _INTO_IT, os.fspath(folder / "cgroup.procs")]

    @classmethod
    def of_root(cls, name: str, max_processes: int) -> ProcessCount | None:
        """One with this limit; None where it is not needed, or this machine gives none.

        Args:
            name: Of the cgroup, below the server's own.
            max_processes: Processes and threads; 0 is no limit.
        """
        if not max_processes or os.geteuid() != 0:
            return None
        for parent in _parents():
            _remove_stale(parent)
            folder = parent / f"{_PREFIX}{name}"
            with suppress(OSError):
                folder.mkdir(exist_ok=True)
                try:
                    (folder / "pids.max").write_text(str(max_processes))
                except OSError:
                    folder.rmdir()
                    raise
                return cls(folder)
        return None

    async def remove(self) -> None:
        """Its processes have been ended. The last of them may take a moment to be gone."""
        for _ in range(_TRIES):
            with suppress(OSError):
                self._folder.rmdir()
            if not self._folder.exists():
                return
            await asyncio.sleep(_PAUSE_SECONDS)


def _remove_stale(parent: Path) -> None:
    """Those of servers that were killed. One with processes in it can't be removed."""
    for folder in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime > _YOUNG_SECONDS:
                folder.rmdir()


def _parents() -> list[Path]:
    """The server's own cgroups that may have the pids controller (cgroups(7), /proc/PID/cgroup)."""
    own: dict[str, str] = {}
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        own.update(dict.fromkeys(controllers.split(","), path))
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        root, mounted = before.split()[3:5]
        kind, _, options = after.split(" ", 2)
        controller = {"cgroup": "pids", "cgroup2": ""}.get(kind)
        if controller is None or controller not in own:
            continue
        if kind == "cgroup" and controller not in options.split(","):
            continue
        if Path(own[controller]).is_relative_to(root):
            found.append(Path(mounted) / Path(own[controller]).relative_to(root))
    return found
