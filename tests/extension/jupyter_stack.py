"""A real Jupyter server with the broker, over a real gateway, PostgreSQL and identity provider."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
from tornado.httpclient import HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

from jupyter_zt.extension.wire_messages import V1_PROTOCOL, from_frame, to_frame
from jupyter_zt.identity.demo_provider import DemoProvider
from tests import fixtures_postgres
from tests.fixtures_gateway import Gateway
from tests.identity import world
from tests.two_hosts import OtherHost

Message = dict[str, Any]


class Person:
    """Somebody who is logged in to the Jupyter server in a browser of their own."""

    def __init__(self, url: str, account: str) -> None:
        self.url = url
        browser = world.Browser()
        page = browser.get(f"{url}/login?next=/zt/api/me")
        landed = browser.submit(page, {"account": account})
        assert landed.status_code == 200, landed.text
        jar = browser.client(url).cookies.jar
        cookies = {cookie.name: str(cookie.value) for cookie in jar}
        browser.close()
        cookies.setdefault("_xsrf", "0123456789abcdef" * 2)
        self.headers = {
            "Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items()),
            "X-XSRFToken": cookies["_xsrf"],
            "Origin": url,
        }
        self.http = httpx.Client(base_url=url, headers=self.headers, timeout=60)

    def start_kernel(self, notebook: str = "tour.ipynb") -> tuple[str, str]:
        """Kernel id and Jupyter session id of a notebook's new kernel."""
        body = {
            "path": notebook,
            "name": notebook.rsplit("/", 1)[-1],
            "type": "notebook",
            "kernel": {"name": "zt"},
        }
        answer = self.http.post("/api/sessions", json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()["kernel"]["id"], answer.json()["id"]

    async def page(
        self, kernel_id: str, protocol: str | None = V1_PROTOCOL, *, session_id: str = ""
    ) -> Page:
        """A page that is connected to a kernel; with a known session id, one that comes back."""
        session_id = session_id or uuid4().hex
        url = f"ws{self.url[4:]}/api/kernels/{kernel_id}/channels?session_id={session_id}"
        request = HTTPRequest(url, headers=self.headers)
        protocols = [protocol] if protocol else None
        socket = await websocket_connect(request, subprotocols=protocols, max_message_size=1 << 28)
        return Page(socket, protocol, session_id)


class Page:
    """The page's end of a kernel's websocket."""

    def __init__(
        self, socket: WebSocketClientConnection, protocol: str | None, session_id: str
    ) -> None:
        self.socket = socket
        self.session_id = session_id
        self._protocol = protocol
        self.seen: list[tuple[str, Message]] = []

    async def send(
        self, msg_type: str, content: Message, channel: str = "shell", **fields: Any
    ) -> str:
        """Send any message; its id."""
        msg_id = fields.pop("msg_id", uuid4().hex)
        header = {
            "msg_id": msg_id,
            "msg_type": msg_type,
            "session": "page",
            "username": "",
            "date": "2026-01-01T00:00:00Z",
            "version": "5.5",
        }
        message = {"header": header, "parent_header": {}, "metadata": {}, "content": content}
        frame = to_frame(channel, {**message, **fields, "buffers": []}, self._protocol)
        await self.socket.write_message(frame, binary=isinstance(frame, bytes))
        return msg_id

    async def ask(self, code: str, cell: str = "cell-1", **content: Any) -> str:
        """Send an execute request; its id."""
        request = {"code": code, "silent": False, **content}
        return await self.send("execute_request", request, metadata={"cellId": cell})

    async def receive(self) -> tuple[str, Message]:
        """The next message: channel and message."""
        async with asyncio.timeout(60):
            frame = await self.socket.read_message()
        assert frame is not None, "the server closed the socket"
        received = from_frame(frame, self._protocol)
        self.seen.append(received)
        return received

    async def answers(self, msg_id: str) -> list[Message]:
        """Every message that answers a request, up to reply and idle."""
        found: list[Message] = []
        ends: set[str] = set()
        while len(ends) < 2:
            channel, message = await self.receive()
            if message["parent_header"].get("msg_id") != msg_id:
                continue
            found.append(message)
            if message["content"].get("execution_state") == "idle":
                ends.add("idle")
            if channel == "shell":
                ends.add("reply")
        return found

    async def run(self, code: str, **content: Any) -> list[Message]:
        """Run code to its end; what the page was shown."""
        return await self.answers(await self.ask(code, **content))


class Jupyter:
    """The Jupyter server as a process.

    Attributes:
        host: Where it runs; None for this one.
        module: What is started: ``jupyter_server``, ``jupyterlab`` or ``notebook``.
        provider: The identity provider, where it runs in this process.
        more_settings: Lines for the end of the server's configuration file.
        own_settings: Lines of the extension's own configuration file.
    """

    def __init__(
        self,
        folder: Path,
        gateway: Gateway,
        issuer: str,
        port: int,
        *,
        module: str = "jupyter_server",
        host: OtherHost | None = None,
        more_settings: Sequence[str] = (),
        own_settings: Sequence[str] = (),
    ) -> None:
        self.gateway = gateway
        self.module = module
        self.host = host
        self.provider: DemoProvider | None = None
        self.url = f"http://127.0.0.1:{port}"
        self.root = folder / "root"
        self.recordings = self.root / "recordings"
        self.log = folder / "jupyter.log"
        self.folder = folder / "jupyter"
        for path in (self.root, self.folder):
            path.mkdir()
        client_secret = self.folder / "client_secret"
        client_secret.write_text(world.CLIENT_SECRET)
        client_secret.chmod(0o600)
        settings = {
            "ZT.gateway_url": gateway.url,
            "ZT.broker_secret_file": str(gateway.folder / "broker"),
            "ZTIdentityProvider.issuer": issuer,
            "ZTIdentityProvider.client_id": world.CLIENT_ID,
            "ZTIdentityProvider.client_secret_file": str(client_secret),
            "ZTIdentityProvider.public_url": f"{self.url}/",
            "ZTIdentityProvider.scopes": ["profile", "groups", "offline_access"],
            "ServerApp.ip": "127.0.0.1",
            "ServerApp.port": port,
            "ServerApp.port_retries": 0,
            "ServerApp.root_dir": str(self.root),
            "ServerApp.open_browser": False,
            "ServerApp.allow_root": True,
        }
        lines = ["from jupyter_zt.extension import configure; configure(c)"]
        lines += [f"c.{name} = {value!r}" for name, value in settings.items()]
        config = self.folder / "jupyter_server_config.py"
        config.write_text("\n".join([*lines, *more_settings, ""]))
        own = self.folder / "jupyter_zt_config.py"
        own.write_text("\n".join([*own_settings, ""]))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        names = ("CONFIG", "DATA", "RUNTIME")
        own = {f"JUPYTER_{name}_DIR": str(self.folder) for name in names}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*(self.host.command if self.host else ()), sys.executable, "-m", self.module],
                env={**os.environ, **own},
                stdout=log,
                stderr=log,
            )
        world.wait_until(self._answers, seconds=40)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log.read_text()
        try:
            return httpx.get(f"{self.url}/login").status_code < 500
        except httpx.TransportError:
            return False

    def stop(self) -> None:
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(timeout=30)
        finally:
            self._process.kill()
            self._process.wait()
            self._process = None

    def person(self, account: str) -> Person:
        return Person(self.url, account)

    def recording(self, stem: str = "tour") -> dict[str, Any]:
        """The one recording of a notebook; empty while there is none."""
        found = list(self.recordings.glob(f"{stem}.*.zt.ipynb"))
        assert len(found) <= 1
        return json.loads(found[0].read_text()) if found else {}


@contextmanager
def running_jupyter(
    folder: Path,
    postgres: fixtures_postgres.PostgresServer,
    host: OtherHost | None = None,
    **options: Any,
) -> Iterator[Jupyter]:
    """Identity provider, gateway and Jupyter server, all gone afterwards.

    Args:
        host: Where the Jupyter server runs; None for this one, without TLS.
    """
    with world.free_socket() as probe:
        port = int(probe.getsockname()[1])
    url = f"http://127.0.0.1:{port}"
    callback, logged_out = f"{url}/zt/login/callback", f"{url}/zt/logged-out"
    with world.demo_provider(folder / "identity", callback, logged_out) as provider:
        issuer = provider.memory.issuer
        configuration = folder / "gateway"
        configuration.mkdir(mode=0o700)
        gateway = Gateway(configuration, postgres, issuer)
        if host is not None:
            trusted = gateway.speak_tls(host.this_side)
            options["more_settings"] = [f"c.ZT.gateway_ca_file = {str(trusted)!r}"]
            host.reach_from_here(port)
            host.reach_from_there(urlsplit(issuer).port or 0)
        gateway.start()
        jupyter = Jupyter(folder, gateway, issuer, port, host=host, **options)
        jupyter.provider = provider
        try:
            jupyter.start()
            yield jupyter
        finally:
            jupyter.stop()
            if gateway.running:
                gateway.stop()
            shutil.rmtree(gateway.configuration["gateway"]["runtime"], ignore_errors=True)
