"""Jupyter ZT: zero trust for agents in JupyterLab. Here stands only what Jupyter discovers."""

from __future__ import annotations


def __getattr__(name: str) -> str:
    """`__version__`, which `jupyter server extension list` shows; the build writes it."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from jupyter_zt._version import __version__  # noqa: PLC0415 - a source tree may not have it

    return __version__


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    """Where JupyterLab finds the prebuilt front end."""
    return [{"src": "labextension", "dest": "@jupyter-zt/labextension"}]


def _jupyter_server_extension_points() -> list[dict[str, object]]:
    """Where Jupyter Server finds the broker. Imported late: the kernel's side never needs it."""
    from jupyter_zt.extension.app import ZT  # noqa: PLC0415

    return [{"module": "jupyter_zt.extension.app", "app": ZT}]
