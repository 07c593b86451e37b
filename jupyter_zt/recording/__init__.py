"""The evidence log, recordings, and their verifier.

Imported name by name, on first use: `jupyter_zt.recording.verify` must stay free of the log's
database and everything else that the gateway needs.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jupyter_zt.recording.cells import cell_projection
    from jupyter_zt.recording.log import Also, Log
    from jupyter_zt.recording.notebook import build_recording, trust_policy
    from jupyter_zt.recording.sealing import seal
    from jupyter_zt.recording.signing import load_or_create_key

__all__ = [
    "Also",
    "Log",
    "build_recording",
    "cell_projection",
    "load_or_create_key",
    "seal",
    "trust_policy",
]

_HOME = {
    "Also": "log",
    "Log": "log",
    "build_recording": "notebook",
    "cell_projection": "cells",
    "load_or_create_key": "signing",
    "seal": "sealing",
    "trust_policy": "notebook",
}


def __getattr__(name: str) -> Any:
    """The public name `name`, from the module that is its home (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
