"""Starts each kernel in a sandbox of its own, with one way out: its session's socket.

In this order, so that no session is opened for a kernel that can't start:

1. Is there a working sandbox on this machine? If not: refuse, unless the risk was accepted.
2. May a kernel have this work folder?
3. Ask the broker for the kernel's session. Without one, outside of a Jupyter server, this process
   takes its part, for a person who is logged in (`Headless`). Otherwise: refuse.
4. Give the kernel its own folder (connection file, ZMQ sockets), and start it with a scrubbed
   environment.

A restart keeps the session and the folder. The end of the kernel removes both.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from textwrap import fill
from typing import Any, ClassVar, Final

from traitlets import Bool, List, Unicode, default

from jupyter_zt.errors import UnavailableError
from jupyter_zt.extension import bubblewrap, sandbox_view, seccomp
from jupyter_zt.extension.headless import Headless, own_paths
from jupyter_zt.extension.kernel_output import KernelOutput
from jupyter_zt.extension.process_count import ProcessCount
from jupyter_zt.extension.sandbox_limits import LimitedProvisioner, why_it_ended
from jupyter_zt.extension.session_opener import SandboxState, SessionOpener
from jupyter_zt.extension.usage import UsageWatch

SANDBOXED: Final = "sandboxed"
UNSANDBOXED: Final = "unsandboxed"
LOOPBACK_URL: Final = "http://127.0.0.1:8900"
"""Leads to the session's socket, in a sandbox: `zt_kernel.loopback` listens there."""
_SOCKET = "gateway.sock"
_LAST_SECONDS = 2  # for a kernel that was asked to end by whoever ends too
_SHOWN_COLUMNS = 96
_MAX_SOCKET_PATH_BYTES = 100  # sun_path holds 108 with its end


class _Registry:
    opener: ClassVar[SessionOpener | None] = None


def set_session_opener(opener: SessionOpener | None) -> None:
    """Names who opens sessions for kernels. Until then no kernel starts in a Jupyter server."""
    _Registry.opener = opener


class SandboxProvisioner(LimitedProvisioner):
    """Jupyter's way to start a kernel, with bubblewrap around it."""

    allow_unsandboxed = Bool(
        help="Start kernels without a sandbox where there is none; set by c.ZT.allow_unsandboxed.",
    ).tag(config=True)
    recordings_folder = Unicode(
        help="Folder of recordings, which kernels don't see. "
        "Default: `recordings` in the server's root."
    ).tag(config=True)
    protected_paths = List(
        Unicode(), help="Paths that no kernel may see: a notebook's folder must not hold them."
    ).tag(config=True)
    environment_names = List(
        Unicode(),
        [
            *("LANG", "LANGUAGE", "TZ", "JPY_SESSION_NAME"),
            *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"),
        ],
        help="Environment variables that kernels inherit, besides LC_*.",
    ).tag(config=True)

    sandbox_state: SandboxState | None = None
    _folder: Path | None = None
    _output: KernelOutput | None = None
    _filter: int | None = None
    _asked_to_end = False
    _usage: UsageWatch | None = None
    _count: ProcessCount | None = None
    _last_end = ""
    _headless: Headless | None = None

    @default("allow_unsandboxed")
    def _default_allow_unsandboxed(self) -> bool:
        # From the command line it is text until a trait of ZT reads it.
        return str(self.config.ZT.get("allow_unsandboxed", False)).lower() in {"true", "1"}

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """Prepares everything that one start needs, in the order that the module lists.

        Raises:
            ZTError: The kernel can't start; says why and what to do.
        """
        program = bubblewrap.find()
        self.sandbox_state = await self._find_state(program)
        confined = self.sandbox_state.state == SANDBOXED
        root = self._root()
        work = Path(kwargs.get("cwd") or root or Path.cwd())
        if confined:
            protected = [*map(Path, self.protected_paths), *own_paths()]
            work = sandbox_view.check_work_folder(work, root, protected)
        session_folder = await self._open_session(kwargs.get("env") or os.environ, work)
        try:
            folder = self._own_folder()
            kwargs = await super().pre_launch(**kwargs)
            kwargs["env"] = self._environment(kwargs["env"], session_folder, confined=confined)
            kwargs["cwd"] = os.fspath(work)
            if confined:
                recordings = self._recordings(root, work)
                view = sandbox_view.build_view(folder, session_folder, work, recordings)
                kwargs |= self._confine(program, view, kwargs["cmd"])
        except BaseException:
            await self.cleanup(restart=False)
            raise
        return kwargs

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """Starts the process, away from the server's terminal."""
        self._asked_to_end = False
        own = "stdout" not in kwargs and "stderr" not in kwargs
        output = KernelOutput() if own else None
        if output is not None:
            kwargs |= {"stdout": output.writer, "stderr": output.writer}
        try:
            connection_info = await super().launch_kernel(cmd, **kwargs)
        except BaseException:
            if output is not None:
                output.discard()
            raise
        finally:
            if self._filter is not None:
                os.close(self._filter)
                self._filter = None
        if output is not None:
            output.start()
        self._output = output
        self._watch_usage()
        try:
            return await self._interpose(connection_info)
        except BaseException:
            await self.kill()
            await self.cleanup(restart=False)
            raise

    def _watch_usage(self) -> None:
        process = self.process
        confined = self.sandbox_state is not None and self.sandbox_state.state == SANDBOXED
        if process is not None and confined:
            limits = self.max_memory_bytes, self.max_processes
            self._usage = UsageWatch(process.pid, *limits, end=process.kill)

    async def poll(self) -> int | None:
        """Whether the process still runs (None), and a word in the log if it died by itself."""
        status = await super().poll()
        if status and self._output is not None and not self._asked_to_end:
            tail = self._output.tail()
            self._last_end = (self._usage and self._usage.reason) or why_it_ended(status)
            why = f": {self._last_end}" if self._last_end else ""
            self.log.warning(
                "Kernel %s ended with status %s%s\n%s", self.kernel_id, status, why, tail
            )
            self._output = None
        return status

    async def shutdown_requested(self, restart: bool = False) -> None:  # noqa: FBT001, FBT002
        """An end that was asked for needs no word in the log."""
        self._asked_to_end = True
        await super().shutdown_requested(restart=restart)

    async def kill(self, restart: bool = False) -> None:  # noqa: FBT001, FBT002
        """Ends the process at once, and all that it started with it."""
        self._asked_to_end = True
        await super().kill(restart=restart)

    async def cleanup(self, restart: bool = False) -> None:  # noqa: FBT001, FBT002
        """Tells the broker, and leaves nothing behind when the kernel does not come back."""
        await super().cleanup(restart=restart)
        if self._usage is not None:
            self._usage.stop()
        if self._count is not None and not restart:
            await self._count.remove()
        if not restart and self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None
        opener = _Registry.opener or self._headless
        if not restart:
            atexit.unregister(self._at_exit)
        if opener is not None:
            await opener.closed(self.kernel_id, restart)

    def _at_exit(self) -> None:
        """A client may leave without ending its kernel: `jupyter console` only asks it to end."""
        if self.process is not None:
            try:
                self.process.wait(_LAST_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
        asyncio.run(self.cleanup(restart=False))

    # ------------------------------------------------------------------ the four steps

    async def _find_state(self, program: str) -> SandboxState:
        try:
            return SandboxState(state=SANDBOXED, detail=await bubblewrap.probe(program))
        except UnavailableError as error:
            if self.allow_unsandboxed:
                self.log.warning("%s Kernels run UNSANDBOXED, as configured.", error.message)
                return SandboxState(state=UNSANDBOXED, detail=error.message)
            accept = (
                "Or accept that kernels can reach whatever this user can, with "
                "`c.ZT.allow_unsandboxed = True` (the demo: --allow-unsandboxed)."
            )
            # JupyterLab shows it as it is, without breaking lines.
            lines = (fill(text, _SHOWN_COLUMNS) for text in (error.message, error.hint, accept))
            raise UnavailableError("\n".join(lines), code=error.code) from error

    async def _open_session(self, environment: Mapping[str, str], work: Path) -> Path:
        opener = _Registry.opener
        if opener is None:
            manager: Any = self.parent
            if self._headless is None:
                self._headless = Headless(manager, work, self.log)
                atexit.register(self._at_exit)
            opener = self._headless
        notebook = environment.get("JPY_SESSION_NAME", "")
        assert self.sandbox_state is not None  # noqa: S101 - the step before
        return await opener.open(self.kernel_id, notebook, self.sandbox_state)

    async def _interpose(self, kernel: Any) -> Any:
        """Without a broker, clients are given sockets of this process, and not the kernel's."""
        if self._headless is None or self._folder is None:
            return kernel
        prefix = await self._headless.interpose(self.kernel_id, kernel, self._folder)
        manager: Any = self.parent
        manager.connection_file = os.fspath(self._folder / "client.json")
        manager.ip = os.fspath(prefix)
        return {**kernel, "ip": manager.ip}

    def _recordings(self, root: Path | None, work: Path) -> Path:
        """The folder of recordings. One that happens to be in the work folder counts too."""
        if self.recordings_folder or root:
            return Path(self.recordings_folder or (root or work) / "recordings")
        return work / "recordings" if (work / "recordings").exists() else self._own_folder() / "r"

    def _own_folder(self) -> Path:
        # Jupyter's default puts the sockets and keys of all kernels into one folder.
        if self._folder is None:
            self._folder = Path(
                tempfile.mkdtemp(prefix="zt-kernel-", dir=_short_temporary_folder())
            )
            sandbox_view.prepare_kernel_folder(self._folder)
        manager: Any = self.parent
        manager.transport = "ipc"
        manager.cache_ports = False
        manager.connection_file = os.fspath(self._folder / "kernel.json")
        manager.ip = os.fspath(self._folder / "s" / "k")
        return self._folder

    def _confine(
        self, program: str, view: bubblewrap.View, command: list[str]
    ) -> dict[str, object]:
        self._filter = seccomp.program_file()
        line = bubblewrap.arguments(
            program, view, self.limits(), sandbox_view.HOME, command, self._filter
        )
        self._count = ProcessCount.of_root(self.kernel_id, self.max_processes)
        return {
            "cmd": [*(self._count.command if self._count else ()), *line],
            "pass_fds": () if self._filter is None else (self._filter,),
            # Otherwise Jupyter tells the kernel a process id that means another one inside.
            "independent": True,
        }

    def _environment(
        self, given: dict[str, str], session_folder: Path, *, confined: bool
    ) -> dict[str, str]:
        names = {*self.environment_names, *(self.kernel_spec.env or {})}
        kept = {k: v for k, v in given.items() if k in names or k.startswith("LC_")}
        home = os.fspath(sandbox_view.HOME) if confined else given.get("HOME", "/")
        socket_folder = sandbox_view.SESSION_FOLDER if confined else session_folder
        fixed = {
            "HOME": home,
            "PATH": os.pathsep.join([os.fspath(Path(sys.executable).parent), "/usr/bin", "/bin"]),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONNOUSERSITE": "1",
            "ZT_SOCKET": os.fspath(socket_folder / _SOCKET),
        }
        python_path = sandbox_view.python_path_variable()
        if confined:  # its loopback is its own
            fixed["JUPYTER_ZT_URL"] = LOOPBACK_URL
        if self._last_end:
            fixed["ZT_LAST_END"], self._last_end = self._last_end, ""
        return kept | fixed | ({"PYTHONPATH": python_path} if python_path else {})

    def _root(self) -> Path | None:
        # The manager of all kernels knows the server's root; a lone KernelManager has no such.
        root = getattr(getattr(self.parent, "parent", None), "root_dir", "")
        return Path(root) if root else None


def _short_temporary_folder() -> str:
    folder = tempfile.gettempdir()
    example = os.path.join(folder, "zt-kernel-12345678", "s", "k-5")  # noqa: PTH118
    return folder if len(os.fsencode(example)) < _MAX_SOCKET_PATH_BYTES else "/tmp"  # noqa: S108
