"""A real Jupyter server with our login and authorizer, ordinary Python kernels, and no gateway."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

from jupyter_zt.identity.demo_provider import DemoProvider
from tests.identity import world

_CONFIG = """
from jupyter_zt.extension import configure
configure(c)
c.ServerApp.root_dir = {root!r}
c.ServerApp.allow_root = True
c.ServerApp.open_browser = False
c.ServerApp.ip = "127.0.0.1"
c.ServerApp.port = {port}
c.ServerApp.port_retries = 0
c.ZTIdentityProvider.issuer = {issuer!r}
c.ZTIdentityProvider.client_secret_file = {secret_file!r}
c.ZTIdentityProvider.public_url = {url!r}
"""

# Routes and people as with the extension; kernels that need no gateway.
_NO_EXTENSION = """
import sys, types
from jupyter_server.base.call_context import CallContext
from jupyter_zt.extension import guarded_routes, ownership
from jupyter_zt.extension.kernels import ZTKernelManager

class Care:
    allow_other_kernels = True

    def claim(self, kernel_id):
        person = CallContext.get(CallContext.JUPYTER_HANDLER).current_user
        ownership.claim(kernel_id, person.username)

    def listen(self, kernel_id, kernel):
        pass

    def watch(self, kernel_id):
        return None

    async def end(self, kernel_id):
        ownership.release(kernel_id)

async def start(app):
    guarded_routes.guard(app.web_app, app.identity_provider)

guards = types.ModuleType("only_guards")
guards._jupyter_server_extension_points = lambda: [{"module": "only_guards"}]
guards._load_jupyter_server_extension = lambda app: None
guards._start_jupyter_server_extension = start
sys.modules["only_guards"] = guards

ZTKernelManager.care = Care()
c.ServerApp.jpserver_extensions = {
    "jupyter_zt": False, "jupyterlab": True, "jupyter_lsp": False, "only_guards": True
}
c.AsyncMappingKernelManager.default_kernel_name = "python3"
c.KernelSpecManager.ensure_native_kernel = True
"""

# The whole extension, in front of a gateway that is not there.
_EXTENSION = """
c.ZT.gateway_url = "http://127.0.0.1:9"
c.ZT.broker_secret_file = c.ZTIdentityProvider.client_secret_file
"""


class Person:
    """Somebody with a browser of their own."""

    def __init__(self, server: str, name: str = "") -> None:
        self.server = server
        self.browser = world.Browser()
        if name:
            self.log_in(name)

    def log_in(self, name: str, after: str = "/lab") -> httpx.Response:
        page = self.browser.get(f"{self.server}/login", params={"next": after})
        return self.browser.submit(page, {"account": name})

    def log_in_at_node(self, name: str) -> httpx.Response:
        stop = f"{self.server}/zt/login/callback"
        callback = world.choose_at_node(
            self.browser, f"{self.server}/login?next=/lab", name, stop=stop
        )
        return self.browser.get(callback)

    @property
    def cookies(self) -> httpx.Cookies:
        return self.browser.client(self.server).cookies

    @property
    def login_cookie(self) -> tuple[str, str]:
        return next((n, v) for n, v in self.cookies.items() if n.startswith("zt-login-"))

    def call(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """An API call as JupyterLab makes it."""
        headers = {"X-XSRFToken": self.cookies.get("_xsrf", "")}
        return self.browser.request(method, self.server + path, json=body, headers=headers)

    async def channels(self, kernel_id: str) -> WebSocketClientConnection | int:
        """Open a kernel's channels; an HTTP status when that is refused."""
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        address = self.server.replace("http", "ws", 1) + f"/api/kernels/{kernel_id}/channels"
        try:
            return await websocket_connect(HTTPRequest(address, headers={"Cookie": cookie}))
        except HTTPClientError as error:
            return int(error.code)


@dataclass(frozen=True)
class Jupyter:
    url: str
    root: Path
    runtime: Path
    provider: DemoProvider | None

    @property
    def issuer(self) -> str:
        assert self.provider is not None
        return self.provider.memory.issuer

    def person(self, name: str = "") -> Person:
        return Person(self.url, name)


@contextlib.contextmanager
def jupyter(
    folder: Path, port: int, issuer: str, *settings: str, extension: bool = False
) -> Iterator[Path]:
    """A server, until the end of the block; gives its root folder.

    Args:
        folder: For all its files.
        port: Where it listens.
        issuer: Whom it believes.
        *settings: More lines for its configuration.
        extension: The whole extension, instead of logins and authorizer only.
    """
    root = folder / "work"
    (root / "recordings").mkdir(parents=True)
    secret = folder / "client_secret"
    secret.write_text(world.CLIENT_SECRET)
    secret.chmod(0o600)
    config = folder / "config" / "jupyter_server_config.py"
    config.parent.mkdir()
    url = f"http://127.0.0.1:{port}/"
    own = _CONFIG.format(root=str(root), port=port, issuer=issuer, secret_file=str(secret), url=url)
    lines = [own, _EXTENSION if extension else _NO_EXTENSION, *settings, ""]
    config.write_text("\n".join(lines))
    environment = {
        **os.environ,
        "JUPYTER_CONFIG_DIR": str(config.parent),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "PYTHONPATH": os.fspath(folder),
    }
    with (folder / "server.log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyter_server"],
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        world.wait_until(lambda: _answers(url, server, folder), seconds=60)
        yield root
    finally:
        server.terminate()
        server.wait(timeout=30)


def _answers(url: str, server: subprocess.Popen[bytes], folder: Path) -> bool:
    if server.poll() is not None:
        raise AssertionError((folder / "server.log").read_text())
    try:
        return httpx.get(f"{url}zt/logged-out").status_code == 200
    except httpx.TransportError:
        return False


@contextlib.contextmanager
def jupyter_with_demo_provider(
    folder: Path, *lines: str, extension: bool = False, **settings: Any
) -> Iterator[Jupyter]:
    """The same with an identity provider of its own, which `settings` are for."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with (
        world.demo_provider(
            folder / "provider", f"{url}/zt/login/callback", f"{url}/zt/logged-out", **settings
        ) as provider,
        jupyter(folder, port, provider.memory.issuer, *lines, extension=extension) as root,
    ):
        yield Jupyter(url, root, folder / "runtime", provider)


def free_port() -> int:
    with world.free_socket() as reserved:
        return int(reserved.getsockname()[1])
