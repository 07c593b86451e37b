"""`jupyter zt policy check|test|explain|diff|backtest`: policies as code, before they decide."""

from __future__ import annotations

import difflib
import importlib
import sys
from collections.abc import Sequence

COMMANDS = {
    "check": "load a policy set as a gateway would, and say what is wrong with it",
    "test": "decide the cases beside the policies, and say which rules none of them covers",
    "explain": "show facts, rules and verdict of a command, or of a past action",
    "diff": "show which commands two policy sets decide differently",
    "backtest": "show what a policy set would have decided about past actions",
}
_MODULES = {"test": "cases"}


def main(argv: Sequence[str]) -> int:
    """Runs one of the tools.

    Returns:
        The exit status that the tool documents, or 2 for a mistake in how it was called.

    Raises:
        ZTError: As the tool documents.
    """
    lines = [f"  {name:<9} {about}" for name, about in COMMANDS.items()]
    usage = "\n".join(
        [
            "usage: jupyter zt policy TOOL ...",
            "",
            *lines,
            "",
            "`jupyter zt policy TOOL --help` tells what it takes.",
        ]
    )
    name, *rest = [*argv] or [""]
    if name in {"-h", "--help"}:
        print(usage)
        return 0
    if name not in COMMANDS:
        close = difflib.get_close_matches(name, COMMANDS, n=1)
        hint = f" Did you mean `{close[0]}`?" if close else ""
        said = f"jupyter zt policy: there is no tool {name!r}.{hint}\n\n" if name else ""
        print(said + usage, file=sys.stderr)
        return 2
    module = importlib.import_module(f"jupyter_zt.cli.policy.{_MODULES.get(name, name)}")
    return int(module.main(rest))
