"""What a kernel's process writes to its standard output and error.

It never gets the server's terminal: whoever holds it could read what is typed there. The last of it
is kept, and logged when a kernel dies by itself.
"""

from __future__ import annotations

import os
import threading
from collections import deque

_KEPT_LINES = 40
_MAX_LINE_CHARACTERS = 500
_READ_BYTES = 64 * 1024
_LAST_WORDS_SECONDS = 0.2  # a process that has just died is read to its end


class KernelOutput:
    """A pipe that is always drained."""

    def __init__(self) -> None:
        self._reader, self.writer = os.pipe()
        self._lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._thread = threading.Thread(target=self._drain, name="zt-kernel-output", daemon=True)

    def start(self) -> None:
        """To be called once the kernel's process has its own copy of the writing end."""
        os.close(self.writer)
        self._thread.start()

    def discard(self) -> None:
        """To be called instead of `start` when there is no process."""
        os.close(self.writer)
        os.close(self._reader)

    def tail(self) -> str:
        """The last lines, without anything that a terminal would act on."""
        self._thread.join(_LAST_WORDS_SECONDS)
        return "\n".join(self._lines)

    def _drain(self) -> None:
        pending = b""
        while chunk := os.read(self._reader, _READ_BYTES):
            *lines, pending = (pending + chunk).split(b"\n")
            pending = pending[-_READ_BYTES:]
            self._lines.extend(_harmless(line) for line in lines[-_KEPT_LINES:])
        if pending:
            self._lines.append(_harmless(pending))
        os.close(self._reader)


def _harmless(line: bytes) -> str:
    text = line[:_MAX_LINE_CHARACTERS].decode(errors="replace")
    return "".join(character if character.isprintable() else "?" for character in text)
