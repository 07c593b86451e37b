"""Whose recording is it? The recording itself says so, in its opening record."""

from __future__ import annotations

import base64
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

__all__ = ["owner_of_recording"]


def owner_of_recording(path: Path) -> str | None:
    """`Human.key` of the person whose session a recording is of; None when it doesn't say.

    Only the broker writes recordings, so no proof is checked here.
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
        bundle: Any = json.loads(base64.b64decode(notebook["metadata"]["zt"]["recording"]))
        human: Any = json.loads(bundle["records"][0])["principal"]["human"]
        return f"{human['iss']}#{human['sub']}"
    except (ValueError, KeyError, TypeError, IndexError, RecursionError):
        return None
