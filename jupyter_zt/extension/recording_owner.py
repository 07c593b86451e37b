"""Whose recording is it? The recording itself says so, in its signed opening record."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from jupyter_zt.errors import EvidenceError
from jupyter_zt.recording.verify.bundle import parse_bundle

__all__ = ["owner_of_recording"]


def owner_of_recording(path: Path) -> str | None:
    """`Human.key` of the person whose session a recording is of; None when it doesn't say.

    Only the broker writes recordings, so what they say is believed here without checking proofs.
    """
    try:
        status = path.stat()
        return _owner(path, status.st_mtime_ns, status.st_size)
    except OSError:
        return None


@lru_cache(maxsize=256)
def _owner(path: Path, _modified_ns: int, _size: int) -> str | None:
    try:
        notebook: Any = json.loads(path.read_bytes())
        opened = parse_bundle(notebook["metadata"]["zt"]["recording"]).entries[0].fields
        human: Any = opened["principal"]["human"]
        return f"{human['iss']}#{human['sub']}"
    except (ValueError, KeyError, TypeError, IndexError, EvidenceError, RecursionError):
        return None
