"""The session's API at ``http://127.0.0.1:PORT``, for libraries that speak TCP only.

The sandbox has a network of its own with nothing but loopback in it. A small process there passes
bytes between that port and the session's socket: what may be done is the socket's to say, and
nobody outside of this sandbox reaches the port.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

URL_VARIABLE = "JUPYTER_ZT_URL"
"""Of the environment: the base address, for whoever asks for one; set in a sandbox only."""
_CHUNK_BYTES = 64 * 1024
_NOTICE = "ended.json"
_UNREACHABLE = {
    "code": "gateway_unreachable",
    "message": "The gateway can't be reached, so nothing was done.",
    "hint": "If this session has ended, restart the kernel: it opens a new one.",
}


def start() -> None:
    """Starts the process, if this kernel is in a sandbox. To be called before there are threads."""
    address = urlsplit(os.environ.get(URL_VARIABLE, ""))
    if address.hostname is None or address.port is None:
        return
    # It listens before the first cell runs, and waits for a moment if its process is slow.
    listener = socket.create_server((address.hostname, address.port), backlog=128)
    child = os.fork()
    if child == 0:
        # The kernel's own children are the notebook's: this one is nobody's.
        if os.fork() == 0:
            _serve(listener, os.environ["ZT_SOCKET"])
        os._exit(0)
    os.waitpid(child, 0)
    listener.close()


def _serve(listener: socket.socket, path: str) -> None:
    """Serves until the sandbox ends."""
    try:
        os.setsid()
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt is meant for the cell
        asyncio.run(_listen(listener, path))
    finally:
        os._exit(1)


async def _listen(listener: socket.socket, path: str) -> None:
    async def connected(near: asyncio.StreamReader, answer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            await _connect(near, answer, path)
        answer.close()

    server = await asyncio.start_server(connected, sock=listener, backlog=128)
    await server.serve_forever()


async def _connect(near: asyncio.StreamReader, answer: asyncio.StreamWriter, path: str) -> None:
    try:
        far, request = await asyncio.open_unix_connection(path)
    except OSError:
        await near.read(_CHUNK_BYTES)
        answer.write(_refusal(path))
        await answer.drain()
        return
    ways = [asyncio.create_task(_pour(near, request)), asyncio.create_task(_pour(far, answer))]
    # When one side hangs up, the other is hung up on: that cancels what runs.
    await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    for way in ways:
        way.cancel()
    request.close()


async def _pour(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(_CHUNK_BYTES):
            target.write(data)
            await target.drain()


def _refusal(path: str) -> bytes:
    """Why nobody listens on the socket, as the gateway would say it."""
    problem, status = _UNREACHABLE, "503 Service Unavailable"
    with suppress(OSError, ValueError):
        problem = json.loads(Path(path).with_name(_NOTICE).read_bytes())
        status = "403 Forbidden"
    body = json.dumps(problem).encode()
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
