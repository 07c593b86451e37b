"""A real gateway process over a real PostgreSQL and the demo identity provider."""

from __future__ import annotations

import asyncio
import json
import secrets
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pytest
from joserfc.jwk import ECKey

from jupyter_zt.identity import GatewayAuth, RelyingParty, TokenClient
from tests import fixtures_postgres
from tests.certificates import certificate
from tests.identity import world

TOKEN_SECONDS = 24 * 3600
"""Longer than any test run: people log in once."""

REDIRECT = "http://127.0.0.1:1/oidc/callback"
BROKER_SECRET = "the broker's secret of the tests"
REPOSITORY = Path(__file__).parent.parent


@dataclass
class Outcome:
    """What one action's stream said."""

    events: list[dict[str, Any]] = field(default_factory=list)
    arrow: bytes = b""

    @property
    def last(self) -> dict[str, Any]:
        return self.events[-1]

    @property
    def rows(self) -> list[dict[str, Any]]:
        if not self.arrow:
            return []
        rows: list[dict[str, Any]] = pa.ipc.open_stream(self.arrow).read_all().to_pylist()
        return rows

    def event(self, name: str) -> dict[str, Any]:
        return next(event for event in self.events if event["event"] == name)


class Call:
    """One action under way on a session's socket."""

    def __init__(self, path: str, method: str, target: str, body: bytes = b"") -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(60)
        self.socket.connect(path)
        head = (
            f"{method} {target} HTTP/1.1\r\nHost: zt\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        self.socket.sendall(head.encode() + body)
        self.outcome = Outcome()
        self.status = 0
        self._file = self.socket.makefile("rb")
        self._changed = threading.Condition()
        self._done = False
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            self.status = int(self._file.readline().split()[1])
            length = -1
            while (line := self._file.readline()) not in {b"\r\n", b""}:
                if line.lower().startswith(b"content-length:"):
                    length = int(line.partition(b":")[2])
            if self.status != 200:
                text = self._file.read()
                self._add(
                    {"event": "problem", **json.loads(text[text.index(b"{") :].split(b"\r\n")[0])}
                )
                return
            self._frames(self._chunks() if length < 0 else iter([self._file.read(length)]))
        except (OSError, ValueError, IndexError):
            pass
        finally:
            with self._changed:
                self._done = True
                self._changed.notify_all()

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self._file.readline() or b"0", 16):
            yield self._file.read(size)
            self._file.readline()

    def _frames(self, chunks: Iterator[bytes]) -> None:
        pending = b""
        for chunk in chunks:
            pending += chunk
            while len(pending) >= 5:
                kind, size = struct.unpack(">cI", pending[:5])
                if len(pending) < 5 + size:
                    break
                payload, pending = pending[5 : 5 + size], pending[5 + size :]
                if kind == b"J":
                    self._add(json.loads(payload))
                else:
                    self.outcome.arrow += payload

    def _add(self, event: dict[str, Any]) -> None:
        with self._changed:
            self.outcome.events.append(event)
            self._changed.notify_all()

    def wait_for(self, name: str, seconds: float = 30) -> dict[str, Any]:
        """The event of that name, once it is there."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._done or any(e["event"] == name for e in self.outcome.events), seconds
            )
        return self.outcome.event(name)

    def result(self, seconds: float = 60) -> Outcome:
        """All that was said, once the stream has ended."""
        self._thread.join(seconds)
        assert not self._thread.is_alive(), "the action is still running"
        self.close()
        return self.outcome

    def close(self) -> None:
        """Hangs up."""
        with self._changed:
            closing = self.socket
        with suppress(OSError):
            closing.shutdown(socket.SHUT_RDWR)
        closing.close()


class Session:
    """An open session, as a broker and its kernel together see it."""

    def __init__(self, gateway: Gateway, person: str, opened: dict[str, Any]) -> None:
        self.gateway = gateway
        self.broker_auth = gateway.broker_auth
        self.person = person
        self.id: str = opened["id"]
        self.socket: str = opened["socket"]
        self.expires_at: str = opened["expires_at"]
        self.cells = 0

    def start(
        self,
        command: str,
        connection: str = "warehouse",
        parameters: Sequence[Any] = (),
        **more: str,
    ) -> Call:
        """Sends an action and returns at once."""
        body = {
            "connection": connection,
            "command": command,
            "parameters": list(parameters),
            **more,
        }
        return Call(self.socket, "POST", "/v1/actions", json.dumps(body).encode())

    def run(
        self,
        command: str,
        connection: str = "warehouse",
        parameters: Sequence[Any] = (),
        **more: str,
    ) -> Outcome:
        """Runs an action to its end."""
        return self.start(command, connection, parameters, **more).result()

    def resume(self, action: str) -> Call:
        return Call(self.socket, "GET", f"/v1/actions/{action}/stream")

    def get(self, path: str) -> httpx.Response:
        transport = httpx.HTTPTransport(uds=self.socket)
        with httpx.Client(transport=transport, base_url="http://zt") as client:
            return client.get(path)

    def post(self, path: str, body: Any = None) -> httpx.Response:
        transport = httpx.HTTPTransport(uds=self.socket)
        with httpx.Client(transport=transport, base_url="http://zt") as client:
            return client.post(path, json=body)

    def broker(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self.gateway.request(
            method,
            f"/v1/sessions/{self.id}/{path}",
            auth=self.broker_auth,
            **options,
        )

    def renew(self) -> httpx.Response:
        """Shows that its person is still logged in."""
        path = f"/v1/sessions/{self.id}/renew"
        return self.gateway.request("POST", path, auth=self.gateway.auth(self.person, "session"))

    def report_cell(self, source: str, outputs: list[dict[str, Any]], msg_id: str = "") -> None:
        self.cells += 1
        answer = self.broker(
            "POST",
            "cells",
            json={
                "msg_id": msg_id or f"m{self.cells}",
                "cell_id": f"cell-{self.cells}",
                "source": source,
                "outputs": outputs,
                "status": "ok",
            },
        )
        assert answer.status_code == 201, answer.text

    def seal(self) -> bytes:
        answer = self.broker("POST", "seal", json={"cells_seen": str(self.cells)})
        assert answer.status_code == 200, answer.text
        return answer.content

    def records(self) -> list[dict[str, Any]]:
        """The session's records, read from the gateway's database."""
        return self.gateway.records(self.id)


class Gateway:
    """The gateway as a process, its configuration, and people who log in."""

    def __init__(
        self, folder: Path, postgres: fixtures_postgres.PostgresServer, issuer: str
    ) -> None:
        self.folder = folder
        self.postgres = postgres
        self.issuer = issuer
        with world.free_socket() as probe:
            self.port = int(probe.getsockname()[1])
        self.log = folder / "gateway.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._tokens: dict[str, str] = {}
        self.tls: ssl.SSLContext | None = None
        self._is_at(f"http://127.0.0.1:{self.port}")
        self.service_key = ECKey.generate_key("P-256")
        self._configure()

    def _is_at(self, url: str) -> None:
        self.url = url
        self.client = TokenClient(url, "broker", BROKER_SECRET)
        self.broker_auth = GatewayAuth(self.client, ["attest"])
        self._auths: dict[tuple[str, str], GatewayAuth] = {}

    def speak_tls(self, address: str = "127.0.0.1") -> Path:
        """From its next start on, at this address; gives what to verify its certificate with."""
        path = certificate(self.folder, "gateway", address)
        settings = self.configuration["gateway"]
        settings["listen"] = f"{address}:{self.port}"
        settings["tls"] = {"certificate": path.name, "key": path.with_suffix(".key").name}
        self.write()
        self.tls = ssl.create_default_context(cafile=str(path))
        self._is_at(f"https://{address}:{self.port}")
        return path

    def _configure(self) -> None:
        (self.folder / "policies").mkdir()
        shutil.copy(
            REPOSITORY / "jupyter_zt/policy/packs/demo.cedar", self.folder / "policies/demo.cedar"
        )
        shutil.copy(fixtures_postgres.CLASSIFICATION, self.folder / "classification.yaml")
        for name, value in {
            "broker": BROKER_SECRET,
            "warehouse": fixtures_postgres.ADMIN_PASSWORD,
        }.items():
            path = self.folder / name
            path.write_text(value)
            path.chmod(0o600)
        self.configuration: dict[str, Any] = {
            "gateway": {
                "listen": f"127.0.0.1:{self.port}",
                "runtime": tempfile.mkdtemp(prefix="zt-run-"),
            },
            "identity": {
                "issuer": self.issuer,
                "audiences": [world.CLIENT_ID],
                "roles": world.ROLES,
                "cli_client_id": world.CLI_CLIENT_ID,
                "cli_scopes": ["profile", "groups", "offline_access"],
            },
            "broker": {"secret": {"file": "broker"}},
            "approvals": {"expires_seconds": 300},
            "agents": {
                "react": {"owner": "tests", "connections": ["warehouse"], "actions": ["read"]}
            },
            "services": {
                "nightly": {
                    "owner": "tests",
                    "connections": ["warehouse"],
                    "actions": ["read", "write"],
                    "may_ask_for_approval": True,
                    "keys": [self.service_key.as_dict(private=False)],
                }
            },
            "connections": {
                "warehouse": {
                    "kind": "postgres",
                    "port": self.postgres.port,
                    "database": fixtures_postgres.DATABASE,
                    "user": fixtures_postgres.ADMIN,
                    "password": {"file": "warehouse"},
                    "schema": "shop",
                    "limits": {"max_rows": 5000, "statement_seconds": 30},
                }
            },
        }
        self.write()

    def write(self) -> None:
        """Writes the configuration; a running gateway does not see it."""
        (self.folder / "gateway.yaml").write_text(json.dumps(self.configuration))

    def start(self, *, wait: bool = True) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "jupyter_zt.cli", "gateway", "--config", str(self.folder)],
                stdout=log,
                stderr=log,
                cwd=REPOSITORY,
            )
        if wait:
            world.wait_until(self._answers, seconds=90)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log.read_text()
        try:
            return self.request("GET", "/healthz").is_success
        except httpx.TransportError:
            return False

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        assert self._process is not None
        self._process.send_signal(how)
        try:
            return self._process.wait(timeout=60)
        finally:
            self._process.kill()
            self._process.wait()
            self._process = None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def restart(self, how: signal.Signals = signal.SIGTERM) -> None:
        self.stop(how)
        self.start()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def token(self, person: str) -> str:
        """The person's ID token, by a real login with code and PKCE."""
        if person not in self._tokens:
            self._tokens[person] = asyncio.run(self._log_in(person))
        return self._tokens[person]

    async def _log_in(self, person: str) -> str:
        async with httpx.AsyncClient(timeout=10) as http:
            party = RelyingParty(
                self.issuer,
                world.CLIENT_ID,
                world.CLIENT_SECRET,
                REDIRECT,
                ["profile", "groups"],
                http,
            )
            url, state = await party.start_login()
            browser = world.Browser()
            try:
                callback = world.choose(browser, url, person, stop=REDIRECT)
            finally:
                browser.close()
            tokens = await party.finish_login(state, world.query_of(callback))
            return tokens.id_token

    def request(self, method: str, path: str, person: str = "", **options: Any) -> httpx.Response:
        """Sends a request; in a person's name, as their broker does for a page."""
        if person:
            options["auth"] = self.auth(person)
        verify = self.tls or True
        return httpx.request(method, self.url + path, timeout=40, verify=verify, **options)

    def auth(self, person: str, scopes: str = "read approve", agent: str = "") -> GatewayAuth:
        """The person's token for these scopes, by a real exchange."""
        name = (person, f"{scopes} {agent}")
        if name not in self._auths:
            self._auths[name] = GatewayAuth(
                self.client, scopes.split(), lambda: self.token(person), agent=agent
            )
        return self._auths[name]

    def service_environment(self, folder: Path, name: str = "nightly") -> dict[str, str]:
        """What a process runs as a service by: addresses and paths."""
        key = folder / f"{name}.key"
        key.write_bytes(self.service_key.as_pem(private=True))
        key.chmod(0o600)
        return {
            "JUPYTER_ZT_GATEWAY": self.url,
            "JUPYTER_ZT_SERVICE": name,
            "JUPYTER_ZT_SERVICE_KEY": str(key),
        }

    def open(self, person: str = "analyst", *, agent: str = "", **changes: Any) -> Session:
        body = {
            "notebook": "tour.ipynb",
            "kernel": secrets.token_hex(8),
            "sandbox": {"state": "sandboxed", "detail": "tests"},
            **changes,
        }
        answer = self.request(
            "POST", "/v1/sessions", json=body, auth=self.auth(person, "session", agent)
        )
        assert answer.status_code == 201, answer.text
        return Session(self, person, answer.json())

    def approvals(self, person: str) -> list[dict[str, Any]]:
        answer = self.request("GET", "/v1/approvals", person)
        assert answer.is_success, answer.text
        found: list[dict[str, Any]] = answer.json()["approvals"]
        return found

    def vote(
        self,
        person: str,
        approval: str,
        *,
        approve: bool = True,
        reason: str = "",
        digest: str = "",
    ) -> httpx.Response:
        if not digest:
            digest = next(a["digest"] for a in self.approvals("reviewer") if a["id"] == approval)
        return self.request(
            "POST",
            f"/v1/approvals/{approval}/votes",
            person,
            json={"approve": approve, "reason": reason, "digest": digest},
        )

    def records(self, session: str) -> list[dict[str, Any]]:
        import sqlite3

        database = self.folder / "state/gateway.db"
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            rows = connection.execute(
                "SELECT data FROM log_leaves WHERE session = ? ORDER BY seq", (session,)
            ).fetchall()
        return [json.loads(row[0]) for row in rows]

    def statements(self, containing: str) -> list[str]:
        """Lines of PostgreSQL's own statement log that hold this text."""
        time.sleep(0.05)  # the server writes its log after it answers
        lines = self.postgres.log.read_text(errors="replace").splitlines()
        return [line for line in lines if containing in line and "STATEMENT:" not in line]


@contextmanager
def running_gateway(
    folder: Path,
    postgres: fixtures_postgres.PostgresServer,
    *,
    tls: bool = False,
    configure: Callable[[Gateway], None] = lambda _: None,
) -> Iterator[Gateway]:
    """A gateway process with an identity provider of its own, both gone afterwards."""
    with world.demo_provider(
        folder / "identity", REDIRECT, id_token_seconds=TOKEN_SECONDS
    ) as provider:
        configuration = folder / "gateway"
        configuration.mkdir(mode=0o700)
        gateway = Gateway(configuration, postgres, provider.memory.issuer)
        if tls:
            gateway.speak_tls()
        configure(gateway)
        gateway.start()
        try:
            yield gateway
        finally:
            if gateway.running:
                gateway.stop()
            shutil.rmtree(gateway.configuration["gateway"]["runtime"], ignore_errors=True)


@pytest.fixture(scope="session")
def gateway(
    postgres: fixtures_postgres.PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """One running gateway for the whole run: open sessions of your own, and don't stop it."""
    with running_gateway(tmp_path_factory.mktemp("shared"), postgres) as shared:
        yield shared


@pytest.fixture
def own_gateway(postgres: fixtures_postgres.PostgresServer, tmp_path: Path) -> Iterator[Gateway]:
    """A gateway of this test's own, to stop, kill and configure."""
    with running_gateway(tmp_path, postgres) as own:
        yield own
