"""A scripted gateway: speaks the session API on a Unix socket and does what a test tells it.

It stands in for the real one only where a test needs an answer that the real one gives rarely or
never: cut streams, odd slices, restarts at a chosen moment. The real path is tested elsewhere.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import socketserver
import struct
import tempfile
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pyarrow as pa

SESSION = {
    "id": "s_0123456789abcdef",
    "human": {"name": "analyst", "roles": ["analyst"]},
    "agent": None,
    "agents": [{"name": "react", "connections": ["warehouse", "llm"], "actions": ["select"]}],
    "notebook": "tour.ipynb",
    "expires_at": "2030-01-01T00:00:00+00:00",
    "sandbox": {"state": "sandboxed", "detail": "bubblewrap 0.8.0"},
    "connections": [
        {"name": "warehouse", "kind": "postgres", "description": "The shop's database"},
        {"name": "llm", "kind": "llm", "description": "A tiny local model"},
    ],
    "gateway_version": "0.1.0",
}


class FrameWriter:
    """What a script writes its answer to."""

    def __init__(self, handler: _Handler) -> None:
        self._handler = handler
        self.released = threading.Event()

    def event(self, name: str, **fields: Any) -> None:
        payload = json.dumps({"event": name, **fields}).encode()
        self.raw(struct.pack(">cI", b"J", len(payload)) + payload)

    def arrow(self, data: bytes) -> None:
        self.raw(struct.pack(">cI", b"A", len(data)) + data)

    def raw(self, data: bytes) -> None:
        self._handler.chunk(data)

    def accepted(self) -> None:
        self.event("accepted", action="a_1", record="10")

    def held(self, **fields: Any) -> None:
        approval = {
            "id": "p_1",
            "reviewer_role": "reviewer",
            "quorum": "1",
            "reasons": ["It changes rows."],
            "expires_at": "2030-01-01T00:00:00+00:00",
            "digest": "0" * 64,
        }
        self.event("held", approval=approval | fields)

    def table(self, table: pa.Table, masks: Mapping[str, Any] | None = None) -> None:
        self.schema(table, masks)
        self.arrow(ipc(table))

    def schema(self, table: pa.Table, masks: Mapping[str, Any] | None = None) -> None:
        columns = [
            {"name": f.name, "type": str(f.type), "mask": (masks or {}).get(f.name)}
            for f in table.schema
        ]
        self.event("schema", columns=columns)

    def result(self, **fields: Any) -> None:
        standard = {
            "status": "completed",
            "verb": "select",
            "rows": "0",
            "bytes": "0",
            "record": "17",
            "seconds": 0.01,
            "truncated": None,
            "approved_by": [],
            "command_tag": "",
        }
        self.event("result", **(standard | fields))

    def error(self, status: str, code: str, message: str, **fields: Any) -> None:
        standard = {"hint": "", "who": "", "record": "18", "position": 0}
        self.event("error", status=status, code=code, message=message, **(standard | fields))

    def cut(self) -> None:
        """Ends the connection in the middle."""
        self._handler.cut()

    def wait_until_gone(self, seconds: float = 20) -> bool:
        """Whether the kernel hung up in time."""
        connection = self._handler.connection
        connection.settimeout(seconds)
        try:
            return connection.recv(1) == b""
        except TimeoutError:
            return False
        except OSError:
            return True


Script = Callable[[dict[str, Any], FrameWriter], None]


class ScriptedGateway:
    """Serves one session's socket, alone in a folder."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="zt-sg-"))
        self.path = self.folder / "gateway.sock"
        self.script: Script = lambda _action, out: out.error("failed", "unscripted", "No script.")
        self.resume: Script = lambda _action, out: out.error("failed", "unscripted", "No script.")
        self.refuse: tuple[int, dict[str, str]] | None = None
        self.actions: list[dict[str, Any]] = []
        self.attached: list[str] = []
        self.cancelled: list[str] = []
        self.connections = 0
        self._server: _Server | None = None
        self.start()

    def start(self) -> None:
        self.path.unlink(missing_ok=True)
        self._server = _Server(os.fspath(self.path), self)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        """As when the gateway's process ends: every connection is cut, nothing listens."""
        if self._server is not None:
            self._server.shutdown()
            self._server.cut_all()
            self._server.server_close()
            self._server = None

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 16

    def __init__(self, path: str, gateway: ScriptedGateway) -> None:
        self.gateway = gateway
        self.open_connections: list[socket.socket] = []
        super().__init__(path, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.gateway.connections += 1
        self.open_connections.append(request)
        super().process_request(request, client_address)

    def cut_all(self) -> None:
        for connection in self.open_connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # a kernel that hangs up in the middle of an answer is what tests do


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 0
    server: _Server

    def log_message(self, *args: Any) -> None:
        pass

    def address_string(self) -> str:
        return "kernel"

    def do_GET(self) -> None:
        gateway = self.server.gateway
        if self.path == "/v1/session":
            self._json(200, SESSION)
        elif self.path.endswith("/stream"):
            gateway.attached.append(self.path.split("/")[3])
            self._frames(gateway.resume, {})
        else:
            self._json(404, {"code": "not_found", "message": "No such thing.", "hint": ""})

    def do_POST(self) -> None:
        gateway = self.server.gateway
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path.endswith("/cancel"):
            gateway.cancelled.append(self.path.split("/")[3])
            self.send_response(204)
            self.end_headers()
            return
        action = json.loads(body)
        gateway.actions.append(action)
        if gateway.refuse is not None:
            self._json(*gateway.refuse)
        else:
            self._frames(gateway.script, action)

    def chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def cut(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)
        raise ConnectionAbortedError

    def _frames(self, script: Script, action: dict[str, Any]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/vnd.zt.frames")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        script(action, FrameWriter(self))
        self.wfile.write(b"0\r\n\r\n")

    def _json(self, status: int, body: Mapping[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def ipc(table: pa.Table) -> bytes:
    """The table as an Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()
