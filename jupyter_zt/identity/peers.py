"""Session sockets: for one user alone, and each peer is asked of the operating system.

Whoever speaks on a session's socket is that session. The gateway serves it on its own host, a
broker's relay does on others; for the runtime there is no difference.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SOCKET_NAME = "gateway.sock"
NOTICE_NAME = "ended.json"
"""Stands in place of the socket once nobody listens any more: `{"code", "message", "hint"}`."""
LAST_WORDS_SECONDS = 0.3
"""How long the answers under way may take to say why they end."""

_PEER = struct.Struct("iII")
"""`struct ucred`: process, user and group (unix(7), SO_PEERCRED)."""


def private_listener(folder: Path) -> socket.socket:
    """A session's listening socket, mode 0600 in a folder of mode 0700; an old one is replaced.

    Args:
        folder: Holds nothing else, and is made if it is not there.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / SOCKET_NAME
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.setblocking(False)
    umask = os.umask(0o177)
    try:
        listener.bind(os.fspath(path))
    finally:
        os.umask(umask)
    return listener


def is_own_peer(connection: Any) -> bool:
    """Whether this user connected, who is the one that kernels run as.

    The mode of socket and folder says so too. This holds where somebody has changed it, and for
    a superuser, whom no mode keeps out.

    Args:
        connection: Anything with the `getsockopt` of a Unix socket. What it says of the peer is
            the user outside of any namespace.
    """
    _, uid, _ = _PEER.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return bool(uid == os.getuid())


def leave_notice(folder: Path, notice: Mapping[str, str]) -> None:
    """For the runtime that still has the folder in its sandbox: why nobody listens there."""
    (folder / SOCKET_NAME).unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # it says less then, and does no more
        (folder / NOTICE_NAME).write_text(json.dumps(notice), encoding="utf-8")
