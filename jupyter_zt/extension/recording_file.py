"""Where a session's recording is written: one notebook, replaced after every cell."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Final

__all__ = ["RecordingFile"]

_UNSAFE: Final = re.compile(r"[^\w .()+-]+")
_SESSION_PREFIX_LENGTH: Final = 12


class RecordingFile:
    """``<notebook stem>.<session id prefix>.zt.ipynb`` in the folder of recordings.

    Args:
        folder: Created when it is not there. It may lie in a folder that a kernel writes to, so a
            symbolic link in its place is refused.
        notebook: API path of the notebook that the kernel was started for; "" for none.
        session: The gateway's id of the session.
    """

    def __init__(self, folder: Path, notebook: str, session: str) -> None:
        stem = _UNSAFE.sub("_", PurePosixPath(notebook).stem).strip(" .")[:80] or "console"
        prefix = session.removeprefix("s_")[:_SESSION_PREFIX_LENGTH]
        self._folder = folder
        self.name = f"{stem}.{prefix}.zt.ipynb"

    def write(self, content: bytes) -> None:
        """Replace the file, so that a reader sees the old or the new recording, also after a crash.

        Raises:
            OSError: It can't be written; the file is as it was.
        """
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o755)
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        temporary = f".{self.name}.{os.getpid()}.tmp"
        try:
            with suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=folder)
            # A pipe that a kernel put there would keep us waiting; a link would lead elsewhere.
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
            with os.fdopen(os.open(temporary, flags, 0o600, dir_fd=folder), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.rename(temporary, self.name, src_dir_fd=folder, dst_dir_fd=folder)
            os.fsync(folder)
        finally:
            os.close(folder)
