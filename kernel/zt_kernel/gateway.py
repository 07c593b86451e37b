"""The one way out: HTTP/1.1 over this session's Unix socket.

There is no token and no header: the socket is the capability. Connections are kept and used again,
and handed to one thread at a time.
"""

from __future__ import annotations

import http.client
import json
import os
import select
import socket
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from zt_kernel.errors import ZTError, from_event

DEFAULT_SOCKET = "/run/zt/gateway.sock"
NOTICE = "ended.json"
FRAMES = "application/vnd.zt.frames"
CONNECT_PATIENCE_SECONDS = 10.0
_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 1.0
_ANSWER_SECONDS = 30.0
_MAX_KEPT_CONNECTIONS = 4
_MAX_ERROR_BYTES = 1024 * 1024


class Answer:
    """A response whose body is still to be read, with its connection."""

    def __init__(self, gateway: Gateway, connection: _UnixConnection) -> None:
        self._gateway = gateway
        self._connection = connection
        self.response = connection.getresponse()

    def readinto(self, buffer: memoryview) -> int:
        """Fills `buffer` from the body; 0 at its end."""
        return self.response.readinto(buffer)

    def finish(self) -> None:
        """Reads what is left of the body (its end) and keeps the connection for the next."""
        self.response.read()
        self._gateway.keep(self._connection)

    def close(self) -> None:
        """Cuts the connection: the gateway cancels what still runs for it."""
        self._connection.close()


class Gateway:
    """The gateway as seen from the sandbox."""

    def __init__(self, socket_path: str) -> None:
        self._path = socket_path
        self._idle: deque[_UnixConnection] = deque()

    def get(self, path: str) -> dict[str, Any]:
        """A small JSON answer.

        Raises:
            ZTError: What the gateway said, or ``gateway_unreachable``.
        """
        connection = self._connect(CONNECT_PATIENCE_SECONDS)
        connection.set_timeout(_ANSWER_SECONDS)
        try:
            connection.request("GET", path)
            answer = Answer(self, connection)
            body = answer.response.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise unreachable() from error
        connection.set_timeout(None)
        answer.finish()
        parsed = _parse(body)
        if answer.response.status != http.HTTPStatus.OK:
            raise from_event(parsed, "", answer.response.status)
        return parsed

    def start_action(self, action: Mapping[str, object]) -> Answer:
        """Sends one action, once. Nothing is sent again, whatever happens.

        Raises:
            ZTError: ``gateway_unreachable`` before anything was sent.
            OSError, http.client.HTTPException: The connection broke; whether the gateway took the
                action is unknown.
        """
        connection = self._connect(CONNECT_PATIENCE_SECONDS)
        body = json.dumps(action, ensure_ascii=False).encode("utf-8", "surrogatepass")
        try:
            connection.post("/v1/actions", body)
            return Answer(self, connection)
        except BaseException:
            connection.close()
            raise

    def attach(self, action_id: str, patience_seconds: float) -> Answer:
        """Listens again to an action that is held, waiting for the gateway to come back.

        Raises:
            ZTError: ``gateway_unreachable``: it did not come back in time.
            OSError, http.client.HTTPException: It went away once more.
        """
        connection = self._connect(patience_seconds)
        try:
            connection.request("GET", f"/v1/actions/{action_id}/stream")
            return Answer(self, connection)
        except BaseException:
            connection.close()
            raise

    def cancel(self, action_id: str) -> None:
        """Asks for the end of an action. Best effort: cutting its connection says the same."""
        connection = _UnixConnection(self._path)
        connection.set_timeout(2.0)
        try:
            connection.request("POST", f"/v1/actions/{action_id}/cancel", b"")
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()

    def keep(self, connection: _UnixConnection) -> None:
        """Takes back a connection whose answer was read to its end."""
        if len(self._idle) < _MAX_KEPT_CONNECTIONS:
            self._idle.append(connection)
        else:
            connection.close()

    def _notice(self) -> ZTError | None:
        """Why nobody listens any more, where the gateway has left word."""
        try:
            notice = Path(self._path).with_name(NOTICE).read_bytes()[:_MAX_ERROR_BYTES]
        except OSError:
            return None
        return from_event(_parse(notice), "", http.HTTPStatus.FORBIDDEN)

    def _connect(self, patience_seconds: float) -> _UnixConnection:
        with suppress(IndexError):  # another thread may take the last one
            while True:
                kept = self._idle.pop()
                if kept.is_fresh():
                    return kept
                kept.close()
        deadline = time.monotonic() + patience_seconds
        pause = _FIRST_PAUSE_SECONDS
        while True:
            connection = _UnixConnection(self._path)
            try:
                connection.connect()
            except OSError as error:
                # Nothing was sent yet, so trying again can't run anything twice.
                connection.close()
                notice = self._notice()
                if notice is not None:
                    raise notice from error
                if time.monotonic() + pause > deadline:
                    raise unreachable() from error
                time.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
            else:
                return connection


class _UnixConnection(http.client.HTTPConnection):
    """`http.client` over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("gateway", timeout=None)
        self._path = path
        self._held_back: list[bytes] | None = None

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)

    def post(self, path: str, body: bytes) -> None:
        """Sends a request with a JSON body, head and body at once: the gateway wakes up once."""
        parts: list[bytes] = []
        self._held_back = parts
        try:
            self.request("POST", path, body, {"Content-Type": "application/json"})
        finally:
            self._held_back = None
        self.send(b"".join(parts))

    def send(self, data: Any) -> None:
        if self._held_back is None:
            super().send(data)
        else:
            self._held_back.append(data)

    def set_timeout(self, seconds: float | None) -> None:
        """How long one read may take; None waits for as long as it takes."""
        self.timeout = seconds
        if self.sock is not None:
            self.sock.settimeout(seconds)

    def is_fresh(self) -> bool:
        """Whether it can carry a request: an idle connection with something to read was closed."""
        return self.sock is not None and not select.select([self.sock], [], [], 0)[0]


def read_problem(answer: Answer, command: str) -> ZTError:
    """The error that the gateway answered instead of frames."""
    body = answer.response.read(_MAX_ERROR_BYTES)
    answer.close()
    return from_event(_parse(body), command, answer.response.status)


def unreachable() -> ZTError:
    """The gateway does not answer at all."""
    return ZTError(
        "The gateway can't be reached, so nothing was done.",
        code="gateway_unreachable",
        hint="If this session has ended, restart the kernel: it opens a new one.",
        who="whoever runs the gateway",
    )


def _parse(body: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(body)
    except ValueError:
        parsed = None
    if isinstance(parsed, dict):
        return parsed
    return {"code": "bad_answer", "message": "The gateway's answer can't be understood."}


def own_gateway() -> Gateway:
    """A client of this session's gateway for one thread's own use."""
    return Gateway(os.environ.get("ZT_SOCKET", DEFAULT_SOCKET))


_gateway: Gateway | None = None


def session_gateway() -> Gateway:
    """This session's gateway: the socket that was bound into the sandbox."""
    global _gateway  # noqa: PLW0603 - one kernel process, one session, one set of kept connections
    if _gateway is None:
        _gateway = own_gateway()
    return _gateway
