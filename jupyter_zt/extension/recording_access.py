"""Which files are recordings, whose they are, and who may know of them.

A recording itself says whose it is, in its opening record. Only the broker writes recordings, so no
proof is checked here.
"""

from __future__ import annotations

import base64
import json
import os
from functools import lru_cache
from pathlib import Path
from typing import Any

from jupyter_zt.model import ADMIN, AUDITOR, Human

__all__ = ["is_recording", "may_list", "may_read", "recordings_folder"]


def recordings_folder(configured: str, root: Path) -> Path:
    """Absolute path of the folder of recordings.

    Args:
        configured: ``c.ZT.recordings_dir``; "" for ``recordings`` in the root.
        root: The server's root folder.
    """
    return Path(configured).expanduser().absolute() if configured else root / "recordings"


def is_recording(path: Path, recordings: Path) -> bool:
    """Whether a path is, or lies in, the folder of recordings: by its name, or through links.

    Args:
        path: Absolute, without ``..``, below the root's real path.
        recordings: As `recordings_folder` gives it.
    """
    by_name = Path(os.path.realpath(recordings.parent)) / recordings.name
    target = Path(os.path.realpath(path))
    return path.is_relative_to(by_name) or target.is_relative_to(os.path.realpath(recordings))


def may_read(recording: Path, human: Human) -> bool:
    """Its person and auditors read a recording."""
    return AUDITOR in human.roles or _owner_of(recording) == human.key


def may_list(recording: Path, human: Human) -> bool:
    """Who reads it knows of it, and administrators do."""
    return ADMIN in human.roles or may_read(recording, human)


def _owner_of(recording: Path) -> str | None:
    """`Human.key` of the person whose session it is of; None when it doesn't say."""
    try:
        status = recording.stat()
        return _read_owner(recording, status.st_mtime_ns, status.st_size)
    except OSError:
        return None


@lru_cache(maxsize=16_384)
def _read_owner(path: Path, _modified_ns: int, _size: int) -> str | None:
    try:
        notebook: Any = json.loads(path.read_bytes())
        bundle: Any = json.loads(base64.b64decode(notebook["metadata"]["zt"]["recording"]))
        human: Any = json.loads(bundle["records"][0])["principal"]["human"]
        return f"{human['iss']}#{human['sub']}"
    except (ValueError, KeyError, TypeError, IndexError, RecursionError):
        return None
