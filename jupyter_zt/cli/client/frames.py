"""The gateway's answer to an action: JSON events, and one Arrow IPC stream cut into slices.

A frame is a 5-byte header (kind ``J`` or ``A``, payload length as 4 bytes big-endian) and its
payload.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Iterator
from typing import Any

from jupyter_zt.errors import UnavailableError

Event = dict[str, Any]
_HEADER = struct.Struct(">cI")


def read_frames(chunks: Iterable[bytes]) -> Iterator[Event | bytes]:
    """Events as dicts and slices of the Arrow stream as bytes, in order.

    Raises:
        UnavailableError: `bad_answer`: these are no frames.
    """
    pending = bytearray()
    for chunk in chunks:
        pending += chunk
        while len(pending) >= _HEADER.size:
            kind, size = _HEADER.unpack_from(pending)
            end = _HEADER.size + size
            if len(pending) < end:
                break
            payload = bytes(pending[_HEADER.size : end])
            del pending[:end]
            yield payload if kind == b"A" else _event(payload)


def _event(payload: bytes) -> Event:
    try:
        event = json.loads(payload)
    except ValueError:
        event = None
    if not isinstance(event, dict) or "event" not in event:
        raise UnavailableError(
            "The gateway's answer can't be understood.",
            code="bad_answer",
            hint="Is it of the same version as this program?",
        )
    return event
