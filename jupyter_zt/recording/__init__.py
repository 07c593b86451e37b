"""The evidence log, recordings, and their verifier."""

from __future__ import annotations

from jupyter_zt.recording.log import Also, Log
from jupyter_zt.recording.signing import load_or_create_key

__all__ = ["Also", "Log", "load_or_create_key"]
