"""The untrusted side of Jupyter ZT: a Python kernel that holds no credential and has one way out.

In a notebook this package is there as ``zt``::

    zt.sql("warehouse", "select count(*) from orders")
    zt.react("How many orders were placed in May?")
    zt.session()

Everything else is private. pandas and pyarrow are loaded with the first name that needs them, so
that a kernel is ready before they are.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from zt_kernel.errors import ZTError, ZTInterrupted, ZTRefused

if TYPE_CHECKING:
    from zt_kernel.masked_frame import MaskedFrame
    from zt_kernel.react_loop import react
    from zt_kernel.session_card import session
    from zt_kernel.tool import sql

__all__ = [
    "MaskedFrame",
    "ZTError",
    "ZTInterrupted",
    "ZTRefused",
    "react",
    "session",
    "sql",
]

_HOMES = {
    "MaskedFrame": "zt_kernel.masked_frame",
    "react": "zt_kernel.react_loop",
    "session": "zt_kernel.session_card",
    "sql": "zt_kernel.tool",
}


def __getattr__(name: str) -> object:
    """Loads a public name from its home at first use (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)
