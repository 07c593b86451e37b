"""The broker: Jupyter ZT inside the Jupyter server.

Importing this package imports nothing heavy: a configuration file does so to call `configure`.
"""

from __future__ import annotations

from jupyter_zt.extension.server_settings import configure

__all__ = ["configure"]
