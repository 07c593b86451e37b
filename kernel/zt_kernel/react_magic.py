"""`%%react [--model llm] [--connections warehouse,crm] [--max-steps 6]`."""

from __future__ import annotations

from typing import Any

from IPython.core.magic import Magics, cell_magic, magics_class, no_var_expand
from IPython.core.magic_arguments import argument, magic_arguments, parse_argstring

import zt_kernel

_DEFAULT_MAX_STEPS = 6


@magics_class
class ReactMagics(Magics):
    """The agent's cell."""

    @no_var_expand
    @magic_arguments()
    @argument("--model", default="llm", help="Connection of the language model.")
    @argument("--connections", default="", help="Those that it may use, separated by commas.")
    @argument("--max-steps", type=int, default=_DEFAULT_MAX_STEPS, help="Calls of the model.")
    @cell_magic
    def react(self, line: str, cell: str) -> Any:
        """Lets the language model work on the goal that the cell holds."""
        options = parse_argstring(self.react, line)
        return zt_kernel.react(
            cell,
            model=options.model,
            connections=[name for name in options.connections.split(",") if name],
            max_steps=options.max_steps,
        )
