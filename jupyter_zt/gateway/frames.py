"""The stream that answers an action: JSON events and slices of an Arrow IPC stream.

A frame is a 5-byte header (kind ``J`` or ``A``, payload length as 4 bytes big-endian) and its
payload. All ``A`` payloads together are one Arrow IPC stream, uncompressed.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping

MEDIA_TYPE = "application/vnd.zt.frames"
_HEADER = struct.Struct(">cI")


def event_frame(event: Mapping[str, object]) -> bytes:
    """One JSON event as a frame."""
    payload = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
    return _HEADER.pack(b"J", len(payload)) + payload


def arrow_header(size_bytes: int) -> bytes:
    """The header before `size_bytes` of the Arrow IPC stream."""
    return _HEADER.pack(b"A", size_bytes)
