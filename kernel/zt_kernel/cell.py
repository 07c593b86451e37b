"""Which cell is running."""

from __future__ import annotations

from IPython.core.getipython import get_ipython


def cell_id() -> str:
    """Message id of the execute request that runs now; "" outside of a notebook."""
    shell = get_ipython()
    kernel = getattr(shell, "kernel", None)
    if kernel is None:
        return ""
    header = kernel.get_parent().get("header") or {}
    return str(header.get("msg_id", ""))
