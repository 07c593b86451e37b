"""`%%react [--agent react] [--model llm] [--connections warehouse,crm] [--max-steps 6]`."""

from __future__ import annotations

import argparse
import shlex
from typing import Any, NoReturn

from IPython.core.magic import Magics, cell_magic, magics_class, no_var_expand

import zt_kernel
from zt_kernel.errors import ZTRefused

_DEFAULT_MAX_STEPS = 6
_USAGE = "%%react [--agent react] [--model llm] [--connections warehouse,crm] [--max-steps 6]"


class _Options(argparse.ArgumentParser):
    """Speaks up in the cell instead of ending the process."""

    def error(self, message: str) -> NoReturn:
        raise ZTRefused(
            f"%%react does not understand its options: {message}.",
            code="bad_options",
            hint=f"Usage: {_USAGE}",
        )


@magics_class
class ReactMagics(Magics):
    """The agent's cell."""

    @no_var_expand
    @cell_magic
    def react(self, line: str, cell: str) -> Any:
        """Lets the language model work on the goal that the cell holds."""
        options = _read(line)
        return zt_kernel.react(
            cell,
            agent=options.agent,
            model=options.model,
            connections=[name.strip() for name in options.connections.split(",") if name.strip()],
            max_steps=options.max_steps,
        )


def _read(line: str) -> argparse.Namespace:
    parser = _Options(prog="%%react", add_help=False)
    parser.add_argument("--agent", default="react")
    parser.add_argument("--model", default="llm")
    parser.add_argument("--connections", default="")
    parser.add_argument("--max-steps", type=int, default=_DEFAULT_MAX_STEPS)
    try:
        words = shlex.split(line)
    except ValueError as error:
        parser.error(str(error))
    return parser.parse_args(words)
