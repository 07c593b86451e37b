"""The gateway's answer to an action: JSON events, and one Arrow IPC stream cut into slices.

Each frame is a 5-byte header (kind ``J`` or ``A``, payload length as 4 bytes big-endian) and its
payload. Payloads of ``A`` frames go from the socket into Arrow's own buffers without a detour.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from typing import Any, Protocol

import pyarrow as pa

from zt_kernel.errors import ZTError

Event = dict[str, Any]
_HEADER = struct.Struct(">cI")
_MAX_EVENT_BYTES = 64 * 1024 * 1024
TERMINAL_EVENTS = frozenset({"result", "error"})


class Body(Protocol):
    """Where the bytes come from: an HTTP response's body."""

    def readinto(self, buffer: memoryview, /) -> int:
        """Fills `buffer`, less only at the end of the body; returns how many bytes."""


class StreamCutError(Exception):
    """The body ended in the middle, or without its last event."""


class FrameReader:
    """Reads frames one after the other."""

    def __init__(self, body: Body) -> None:
        self._body = body
        self._header = bytearray(_HEADER.size)
        self._arrow_left = 0
        self.last: Event | None = None

    def next_event(self) -> Event | None:
        """The next event, or None where bytes of the Arrow stream come next.

        Raises:
            StreamCutError: The body ended before its last event.
            ZTError: ``bad_answer``: these are no frames.
        """
        if self._arrow_left:
            return None
        self._fill(memoryview(self._header))
        kind, size = _HEADER.unpack(self._header)
        if kind == b"A":
            self._arrow_left = size
            return None if size else self.next_event()
        if kind != b"J" or size > _MAX_EVENT_BYTES:
            raise _bad_answer(f"unknown frame {kind!r} of {size} bytes")
        payload = bytearray(size)
        self._fill(memoryview(payload))
        try:
            event = json.loads(payload)
        except ValueError as error:
            raise _bad_answer("an event that is no JSON") from error
        if not isinstance(event, dict) or not isinstance(event.get("event"), str):
            raise _bad_answer("an event without a name")
        if event["event"] in TERMINAL_EVENTS:
            self.last = event
        return event

    def read_arrow(self, buffer: memoryview) -> int:
        """Fills `buffer` from the pending ``A`` frame; returns how many bytes."""
        size = min(len(buffer), self._arrow_left)
        self._fill(buffer[:size])
        self._arrow_left -= size
        return size

    def _fill(self, buffer: memoryview) -> None:
        at = 0
        while at < len(buffer):
            got = self._body.readinto(buffer[at:])
            if not got:
                raise StreamCutError
            at += got


class ArrowSource:
    """The Arrow stream as the file that `pyarrow.ipc.open_stream` reads.

    Events that come between its slices go to `on_event`.
    """

    closed = False

    def __init__(self, frames: FrameReader, on_event: Callable[[Event], None]) -> None:
        self._frames = frames
        self._on_event = on_event

    def readable(self) -> bool:
        """It is a file for reading."""
        return True

    def close(self) -> None:
        """Nothing to close: the connection is another's."""

    def read(self, size: int = -1) -> pa.Buffer:
        """Exactly `size` bytes in a buffer of Arrow's own, fewer only at the end of the stream."""
        if size < 0:
            raise ValueError("The size must be given.")
        buffer = pa.allocate_buffer(size, resizable=True)
        view = memoryview(buffer)
        at = 0
        while at < size and self._frames.last is None:
            event = self._frames.next_event()
            if event is None:
                at += self._frames.read_arrow(view[at:])
            else:
                self._on_event(event)
        view.release()
        if at < size:
            buffer.resize(at)
        return buffer


def _bad_answer(what: str) -> ZTError:
    return ZTError(
        f"The gateway's answer can't be understood: {what}.",
        code="bad_answer",
        hint="Kernel and gateway are probably of different versions: restart both.",
        who="whoever runs this JupyterLab",
    )
