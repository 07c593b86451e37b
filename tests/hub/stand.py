"""A real JupyterHub with its proxy, its people, and the gateway as a service that it starts.

The configuration is what `docs/jupyterhub.md` shows; only addresses, folders and the way to log in
are this machine's.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests import fixtures_gateway, fixtures_postgres
from tests.identity import world

DOCUMENT = fixtures_gateway.REPOSITORY / "docs/jupyterhub.md"
PEOPLE = ("ada", "bob", "grace")
PASSWORD = "everybody's password in these tests"
ADMIN_TOKEN = "of-the-tests-for-the-hubs-own-api"

# Only what a test must have otherwise. Everybody runs as one user of this machine.
_OTHERWISE = """
import os, sys
c.JupyterHub.authenticator_class = "shared-password"
c.SharedPasswordAuthenticator.user_password = {password!r}
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = {homes!r} + "/{{username}}"
c.Spawner.environment = {{"JUPYTER_CONFIG_PATH": {jupyter!r}, "JUPYTERHUB_ALLOW_ROOT": "1"}}
c.Spawner.args = ["--allow-root"]
c.JupyterHub.tornado_settings = {{"slow_spawn_timeout": 0}}
c.Spawner.http_timeout = c.Spawner.start_timeout = 90
c.JupyterHub.bind_url = {url!r}
c.JupyterHub.hub_bind_url = "http://127.0.0.1:{hub_port}"
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{proxy_port}"
c.ConfigurableHTTPProxy.command = [{proxy!r}]
c.ConfigurableHTTPProxy.pid_file = {folder!r} + "/proxy.pid"
c.JupyterHub.db_url = "sqlite:///" + {folder!r} + "/hub.sqlite"
c.JupyterHub.cookie_secret_file = {folder!r} + "/cookie_secret"
c.JupyterHub.services.append({{"name": "tests", "api_token": {token!r}}})
c.JupyterHub.load_roles.append({{"name": "tests", "services": ["tests"], "scopes": [
    "admin:users", "admin:servers", "admin:groups", "tokens"]}})
c.JupyterHub.load_roles.append({{"name": "visitors", "users": ["grace"], "scopes": [
    "access:servers!user=bob"]}})
"""


def install_proxy() -> str:
    """Install the locked npm package once; a machine without npm fails the test."""
    folder = Path(__file__).parent / "proxy"
    with (folder / "package.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "node_modules" / ".package-lock.json").exists():
            command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
            subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=120)
    return str(folder / "node_modules/.bin/configurable-http-proxy")


def snippet(name: str) -> str:
    """The block of the document that follows a file's name."""
    found = re.search(
        rf"`[^`\n]*{re.escape(name)}`[^\n]*\n\n```\w+\n(.*?)```", DOCUMENT.read_text(), re.DOTALL
    )
    assert found, f"{DOCUMENT} shows no {name}"
    return found[1]


class Hub:
    """The Hub as a process, with everything that it starts."""

    def __init__(self, folder: Path, postgres: fixtures_postgres.PostgresServer) -> None:
        self.folder = folder
        self.postgres = postgres
        self.log = folder / "hub.log"
        probes = [world.free_socket() for _ in range(4)]
        self.port, self.hub_port, self.proxy_port, self.gateway_port = (
            int(probe.getsockname()[1]) for probe in probes
        )
        for probe in probes:
            probe.close()
        self.url = f"http://127.0.0.1:{self.port}"
        self.api = f"http://127.0.0.1:{self.hub_port}/hub/api"
        self.gateway_url = f"http://127.0.0.1:{self.gateway_port}"
        self.gateway = folder / "gateway"
        self.runtime = Path(tempfile.mkdtemp(prefix="zt-run-"))
        self._process: subprocess.Popen[bytes] | None = None
        self._configure()

    def _text(self, name: str) -> str:
        """A snippet with this machine's addresses and folders."""
        text = snippet(name)
        for shown, here in {
            "/srv/jupyter-zt": str(self.folder),
            "https://hub.example.org/": f"{self.url}/",
            "127.0.0.1:8900": f"127.0.0.1:{self.gateway_port}",
        }.items():
            text = text.replace(shown, here)
        assert "example" not in text.replace("db.example.org", "")
        return text

    def _configure(self) -> None:
        for name in ("gateway/policies", "jupyter", "homes"):
            (self.folder / name).mkdir(parents=True)
        for person in PEOPLE:
            (self.folder / "homes" / person / "work").mkdir(parents=True)
        for name, value in {
            "broker_secret": fixtures_gateway.BROKER_SECRET,
            "warehouse_password": fixtures_postgres.ADMIN_PASSWORD,
        }.items():
            path = self.folder / name
            path.write_text(value)
            path.chmod(0o600)
        otherwise = _OTHERWISE.format(
            password=PASSWORD,
            token=ADMIN_TOKEN,
            homes=str(self.folder / "homes"),
            jupyter=str(self.folder / "jupyter"),
            folder=str(self.folder),
            url=self.url,
            hub_port=self.hub_port,
            proxy_port=self.proxy_port,
            proxy=install_proxy(),
        )
        hub = self._text("jupyterhub_config.py") + otherwise
        (self.folder / "jupyterhub_config.py").write_text(hub)
        server = self._text("jupyter_server_config.py")
        server += "c.ZTHub.check_seconds = 1\n"
        (self.folder / "jupyter/jupyter_server_config.py").write_text(server)
        gateway = yaml.safe_load(self._text("gateway.yaml"))
        gateway["gateway"]["runtime"] = str(self.runtime)
        gateway["connections"]["warehouse"] |= {"host": "127.0.0.1", "port": self.postgres.port}
        (self.gateway / "gateway.yaml").write_text(yaml.safe_dump(gateway))
        packs = fixtures_gateway.REPOSITORY / "jupyter_zt/policy/packs"
        shutil.copy(packs / "demo.cedar", self.gateway / "policies/demo.cedar")
        shutil.copy(fixtures_postgres.CLASSIFICATION, self.gateway / "classification.yaml")

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "jupyterhub", "-f", "jupyterhub_config.py"],
                cwd=self.folder,
                env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        world.wait_until(self._answers, seconds=90)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log.read_text()
        try:
            hub = httpx.get(self.api).is_success and httpx.get(f"{self.url}/hub/health").is_success
            return hub and httpx.get(f"{self.gateway_url}/healthz").is_success
        except httpx.TransportError:
            return False

    def stop(self) -> None:
        """The Hub ends its proxy and its services; people's servers while the gateway is there."""
        assert self._process is not None
        self._stop_servers()
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(timeout=40)
        finally:
            self._process.kill()
            self._process.wait()
            shutil.rmtree(self.runtime, ignore_errors=True)

    def home(self, person: str) -> Path:
        return self.folder / "homes" / person

    def start_servers(self, *people: str) -> None:
        """As the Hub's administrator, all at once; one that runs stays."""
        for person in people:
            self.call("POST", f"/users/{person}/server")
        world.wait_until(lambda: all(map(self.is_up, people)), seconds=120)

    def _stop_servers(self) -> None:
        paths = [f"/users/{person}/server" for person in PEOPLE]
        with suppress(httpx.TransportError), ThreadPoolExecutor() as at_once:
            list(at_once.map(lambda path: self.call("DELETE", path), paths))

    def is_up(self, person: str) -> bool:
        return bool(self.call("GET", f"/users/{person}").json()["servers"].get("", {}).get("ready"))

    def records(self, session: str) -> list[dict[str, Any]]:
        """A session's records, read from the gateway's database."""
        database = self.gateway / "state/gateway.db"
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            rows = connection.execute(
                "SELECT data FROM log_leaves WHERE session = ? ORDER BY seq", (session,)
            ).fetchall()
        return [json.loads(row[0]) for row in rows]

    def call(self, method: str, path: str, token: str = "", **options: Any) -> httpx.Response:
        """The Hub's own API, as its administrator or with somebody's token."""
        used = token or ADMIN_TOKEN
        headers = {"Authorization": f"token {used}"}
        answer = httpx.request(method, self.api + path, headers=headers, timeout=60, **options)
        assert answer.status_code < 500, answer.text
        return answer


@contextmanager
def running_hub(folder: Path, postgres: fixtures_postgres.PostgresServer) -> Iterator[Hub]:
    """A Hub in this folder; whatever happens, nothing of it runs on."""
    hub = Hub(folder, postgres)
    try:
        hub.start()
        yield hub
    finally:
        hub.stop()
