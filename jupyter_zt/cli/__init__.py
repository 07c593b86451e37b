"""`jupyter zt SUBCOMMAND`. Each subcommand is a module here with ``main(argv) -> int``."""

from __future__ import annotations

import difflib
import importlib
import sys
from collections.abc import Sequence

from jupyter_zt.errors import ZTError

__all__ = ["main"]

COMMANDS = {
    "demo": "start everything on this machine: a shop's database, logins, the gateway, JupyterLab",
    "gateway": "run the gateway of a configuration directory",
    "login": "log in at a gateway, in the browser of any device",
    "logout": "end that login",
    "whoami": "say who is logged in, where, and until when",
    "sessions": "list sessions, and end them: one, or all at once",
    "exec": "run a command, or a batch of them, on a connection of the gateway",
    "explain": "say what policy would decide about a command, without running it",
    "policy": "check, test, explain, compare and backtest policies",
    "verify": "check a recording offline: was it changed, is anything missing",
}


def usage() -> str:
    """What `jupyter zt --help` prints."""
    lines = [f"  {name:<9} {about}" for name, about in COMMANDS.items()]
    return "\n".join(
        [
            "usage: jupyter zt SUBCOMMAND ...",
            "",
            "Zero trust for agents in JupyterLab.",
            "",
            *lines,
            "",
            "`jupyter zt SUBCOMMAND --help` tells what it takes.",
        ]
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one subcommand.

    Args:
        argv: Arguments after the program's name; those of this process by default.

    Returns:
        The exit status: 0, or 2 for a mistake in how it was called or configured, or what the
        subcommand documents.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] in ([], ["-h"], ["--help"]):
        print(usage())
        return 0 if arguments else 2
    name, *rest = arguments
    if name == "--version":
        from jupyter_zt._version import __version__

        print(__version__)
        return 0
    if name not in COMMANDS:
        close = difflib.get_close_matches(name, COMMANDS, n=1)
        hint = f" Did you mean `jupyter zt {close[0]}`?" if close else ""
        print(f"jupyter zt: there is no subcommand {name!r}.{hint}\n\n{usage()}", file=sys.stderr)
        return 2
    try:
        module = importlib.import_module(f"jupyter_zt.cli.{name}")
        return int(module.main(rest))
    except ZTError as error:
        print(error.diagnostics(), file=sys.stderr)
        return 2
