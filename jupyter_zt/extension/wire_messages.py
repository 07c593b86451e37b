"""Jupyter messages as they travel: parts to and from a kernel, frames on the browser's socket.

Strict: a message that is not JSON text (NaN, bad UTF-8, too deep) is an error for everybody who
reads it here, so the page and the journal never differ about what a message says.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from jupyter_server.services.kernels.connection.base import (
    deserialize_binary_message,
    deserialize_msg_from_ws_v1,
    serialize_msg_to_ws_v1,
)

from jupyter_zt.extension.message_filter import Message

__all__ = ["V1_PROTOCOL", "from_frame", "pack", "to_frame", "unpack"]

V1_PROTOCOL = "v1.kernel.websocket.jupyter.org"
_PARTS = ("header", "parent_header", "metadata", "content")


def unpack(parts: Sequence[bytes]) -> Message:
    """A message from its parts (header, parent header, metadata, content, buffers).

    Raises:
        ValueError: It is not a message.
    """
    if len(parts) < len(_PARTS):
        msg = f"a message has {len(parts)} parts"
        raise ValueError(msg)
    message = {name: _object(parts[index]) for index, name in enumerate(_PARTS)}
    return {**message, "buffers": []}


def pack(message: Message) -> list[bytes]:
    """The parts of a message, without buffers."""
    return [
        json.dumps(message[name], ensure_ascii=True, allow_nan=False).encode("ascii")
        for name in _PARTS
    ]


def from_frame(frame: str | bytes, protocol: str | None) -> tuple[str, Message]:
    """Channel and message of a frame that the browser sent, in either websocket protocol.

    Raises:
        Exception: The frame is malformed.
    """
    if protocol == V1_PROTOCOL:
        channel, parts = deserialize_msg_from_ws_v1(frame)
        return str(channel), unpack(parts)
    message = deserialize_binary_message(frame) if isinstance(frame, bytes) else json.loads(frame)
    return str(message.get("channel") or "shell"), {
        **{name: message.get(name) or {} for name in _PARTS},
        "buffers": [],
    }


def to_frame(channel: str, message: Message, protocol: str | None) -> str | bytes:
    """The frame that brings a message to the browser."""
    if protocol == V1_PROTOCOL:
        return bytes(serialize_msg_to_ws_v1(pack(message), channel))
    return json.dumps({**message, "channel": channel}, allow_nan=False)


def _object(part: bytes) -> dict[str, Any]:
    value = json.loads(bytes(part), parse_constant=_refuse_constant)
    if not isinstance(value, dict):
        msg = "a part of a message is not an object"
        raise TypeError(msg)
    return value


def _refuse_constant(name: str) -> None:
    msg = f"{name} is not JSON"
    raise ValueError(msg)
