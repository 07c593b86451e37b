"""The gateway: one process that wires the rooms together and serves them."""

from __future__ import annotations

from jupyter_zt.gateway.server import build_rooms, serve

__all__ = ["build_rooms", "serve"]
