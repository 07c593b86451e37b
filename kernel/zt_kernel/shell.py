"""The interactive shell: knows `zt`, the tool cells, and why the network is not there."""

from __future__ import annotations

import errno
import os
import shlex
import sys
from typing import Any

from ipykernel.zmqshell import ZMQInteractiveShell

import zt_kernel

NO_NETWORK = "This kernel has no network by design: data comes through %%sql and zt.sql only."
_NETWORK_COMMANDS = frozenset(
    {"apt", "apt-get", "conda", "curl", "git", "mamba", "nc", "npm", "ping", "pip", "pip3"}
    | {"psql", "rsync", "scp", "ssh", "telnet", "uv", "wget"}
)
_TOOL_CELLS = frozenset({"sql", "react"})
_NETWORK_ERRNO = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EAFNOSUPPORT})


class ZTShell(ZMQInteractiveShell):
    """IPython's shell with `zt` in every namespace, also after `%reset`."""

    def init_user_ns(self) -> None:
        """Puts `zt` there, not listed by `%who`."""
        super().init_user_ns()  # type: ignore[no-untyped-call]
        self.user_ns["zt"] = zt_kernel
        self.user_ns_hidden["zt"] = zt_kernel

    def init_events(self) -> None:
        """Before the first cell that a person runs: why the kernel is a new one."""
        super().init_events()  # type: ignore[no-untyped-call]
        self.events.register("pre_run_cell", _say_why_it_is_new)

    def init_magics(self) -> None:
        """Registers the tool cells after IPython's own magics, which they replace."""
        super().init_magics()  # type: ignore[no-untyped-call]
        from zt_kernel.magics import ZTMagics  # noqa: PLC0415 - wants the shell to exist
        from zt_kernel.react_magic import ReactMagics  # noqa: PLC0415 - as above

        self.register_magics(ZTMagics, ReactMagics)

    def run_cell_magic(self, magic_name: str, line: str, cell: str) -> Any:
        """An empty tool cell reaches the tool, which says better than IPython what is missing."""
        if not cell and magic_name in _TOOL_CELLS:
            cell = "\n"
        return super().run_cell_magic(magic_name, line, cell)  # type: ignore[no-untyped-call]

    def system_piped(self, cmd: str) -> None:
        """`!command`, with one line on why a command that wants the network failed."""
        super().system_piped(cmd)  # type: ignore[no-untyped-call]
        if self.user_ns.get("_exit_code") and _wants_network(cmd):
            sys.stderr.write(f"{NO_NETWORK}\n")

    system = system_piped

    def payloadpage_page(
        self,
        strg: str | dict[str, str],
        start: int = 0,
        screen_lines: int = 0,
        pager_cmd: str | None = None,
    ) -> None:
        """`name?` and the like print. A pager is the page's to open, and no kernel opens it."""
        sys.stdout.write(strg if isinstance(strg, str) else strg.get("text/plain", ""))

    def _showtraceback(self, etype: Any, evalue: BaseException, stb: list[str]) -> None:
        if _is_network_error(evalue):
            stb = [*stb, NO_NETWORK]
        super()._showtraceback(etype, evalue, stb)  # type: ignore[no-untyped-call]


def _say_why_it_is_new(_info: object) -> None:
    """Once, and only where the one before it ended and nobody had asked for that."""
    why = os.environ.pop("ZT_LAST_END", "")
    if why:
        sys.stderr.write(
            f"This kernel is new and has no variables: the one before it ended, because {why}.\n"
        )


def _wants_network(command: str) -> bool:
    try:
        words = shlex.split(command)
    except ValueError:
        words = command.split()
    return bool(words) and words[0].rpartition("/")[2] in _NETWORK_COMMANDS


def _is_network_error(error: BaseException | None) -> bool:
    for _ in range(10):  # as deep as one library wraps another's error
        if error is None:
            return False
        if type(error).__name__ == "gaierror" or (
            isinstance(error, OSError) and error.errno in _NETWORK_ERRNO
        ):
            return True
        error = error.__cause__ or error.__context__
    return False
