"""The demo's processes: started so that none of them outlives the demo.

Three nets, each for when the one before fails:

1. `Children.stop` ends them in reverse order, politely, then by force, group by group.
2. The demo adopts orphaned descendants (``PR_SET_CHILD_SUBREAPER``), and ends those too.
3. If the demo itself is killed, the kernel signals each child (``PR_SET_PDEATHSIG``).
"""

from __future__ import annotations

import ctypes
import os
import pwd
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

from jupyter_zt.errors import UnavailableError

PR_SET_PDEATHSIG = 1  # <sys/prctl.h>
PR_SET_CHILD_SUBREAPER = 36
POLL_SECONDS = 0.03
TAIL_LINES = 15

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Program:
    """What to start.

    Attributes:
        name: As the person at the terminal reads it.
        log: Takes its output; begun anew at each start.
        ready: Asked again and again until it says yes.
        stop_signal: What makes it end in good order.
        stop_seconds: How long that may take before it is killed.
        user: Whom to run as; None for this process's own user.
    """

    name: str
    command: Sequence[str]
    log: Path
    ready: Callable[[], bool]
    environment: Mapping[str, str] = field(default_factory=dict)
    directory: Path | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 5.0
    user: pwd.struct_passwd | None = None


@dataclass(frozen=True, slots=True)
class _Child:
    program: Program
    process: subprocess.Popen[bytes]


class RunAs(TypedDict):
    """Arguments of `subprocess.Popen`."""

    user: int | None
    group: int | None
    extra_groups: list[int] | None


def run_as(user: pwd.struct_passwd | None) -> RunAs:
    """How to start a program as this user, without any of this process's groups."""
    if user is None:
        return {"user": None, "group": None, "extra_groups": None}
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


class Children:
    """All processes that the demo has started, in order."""

    def __init__(self) -> None:
        self._children: list[_Child] = []
        _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

    def start(self, program: Program) -> None:
        """Starts it, without waiting for it to be ready."""
        parent = os.getpid()

        def die_with_parent() -> None:
            # After the change of user, which clears it (prctl(2)).
            _libc.prctl(PR_SET_PDEATHSIG, int(program.stop_signal), 0, 0, 0)
            if os.getppid() != parent:
                os._exit(1)

        program.log.parent.mkdir(parents=True, exist_ok=True)
        with program.log.open("wb") as log:
            process = subprocess.Popen(
                program.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=program.directory,
                env={**os.environ, **program.environment},
                # Ctrl-C at the terminal reaches the demo alone, which then stops all in order.
                start_new_session=True,
                preexec_fn=die_with_parent,  # noqa: PLW1509 (the demo has one thread)
                **run_as(program.user),
            )
        self._children.append(_Child(program, process))

    def wait_ready(self, name: str, timeout_seconds: float) -> None:
        """Waits for one program.

        Raises:
            UnavailableError: It, or another one, has ended; or it takes too long.
        """
        program = next(c.program for c in self._children if c.program.name == name)
        deadline = time.monotonic() + timeout_seconds
        while not program.ready():
            self.check()
            if time.monotonic() > deadline:
                raise UnavailableError(
                    f"{name} was not ready after {timeout_seconds:.0f} s.",
                    code="demo_not_ready",
                    hint=_last_lines(program),
                )
            time.sleep(POLL_SECONDS)

    def check(self) -> None:
        """Looks whether all are still there.

        Raises:
            UnavailableError: One has ended; the hint holds its last lines.
        """
        for child in self._children:
            status = child.process.poll()
            if status is not None:
                raise UnavailableError(
                    f"{child.program.name} ended by itself ({_status(status)}).",
                    code="demo_process_ended",
                    hint=_last_lines(child.program),
                )

    def watch(self) -> None:
        """Blocks until one of them ends.

        Raises:
            UnavailableError: Always, as `check`.
        """
        while True:
            # WNOWAIT: `check` must still find it. Adopted orphans may end as they like.
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
            self.check()
            if ended is not None:
                os.waitpid(ended.si_pid, os.WNOHANG)

    def stop(self) -> None:
        """Stops all, last started first, and whatever they left behind."""
        for child in reversed(self._children):
            if child.process.poll() is None:
                child.process.send_signal(child.program.stop_signal)
                try:
                    child.process.wait(child.program.stop_seconds)
                except subprocess.TimeoutExpired:
                    _kill_group(child.process.pid)
                    child.process.wait()
            _kill_group(child.process.pid)
        self._children.clear()
        _kill_orphans()


def _kill_group(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _kill_orphans() -> None:
    """Ends adopted descendants until there are none."""
    listing = Path(f"/proc/self/task/{os.getpid()}/children")
    while orphans := listing.read_text().split():
        for orphan in map(int, orphans):
            os.kill(orphan, signal.SIGKILL)
            os.waitpid(orphan, 0)


def _status(status: int) -> str:
    return f"signal {signal.Signals(-status).name}" if status < 0 else f"status {status}"


def _last_lines(program: Program) -> str:
    lines = program.log.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL_LINES:]
    return "\n  ".join([f"The last lines of {program.log}:", *lines])
