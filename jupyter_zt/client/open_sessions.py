"""The sessions that commands of this user have open at the gateway, so that a logout ends them.

One empty file for each in the state directory, named after the session. A command that was killed
leaves its file behind: a logout tries that session too, and takes the file away.
"""

from __future__ import annotations

import re
from pathlib import Path

from jupyter_zt.client.places import state_directory

_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}\Z")


def opened(session: str) -> None:
    """A command has opened this session."""
    if _NAME.match(session):
        _folder().joinpath(session).touch(mode=0o600)


def ended(session: str) -> None:
    """It is over."""
    if _NAME.match(session):
        _folder().joinpath(session).unlink(missing_ok=True)


def still_open() -> list[str]:
    """Those that were opened, and not ended by their own command."""
    return sorted(file.name for file in _folder().iterdir() if _NAME.match(file.name))


def _folder() -> Path:
    folder = state_directory() / "sessions"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder
