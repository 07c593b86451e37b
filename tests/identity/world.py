"""Real identity providers on loopback, and a browser without pictures to log in at them."""

from __future__ import annotations

import contextlib
import fcntl
import html
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
import uvicorn
from joserfc import jws, jwt
from joserfc.jwk import Key, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from jupyter_zt.identity.demo_accounts import DemoClient, DemoConfig
from jupyter_zt.identity.demo_provider import DemoProvider

CLIENT_ID = "jupyter-zt"
CLIENT_SECRET = "a secret of the tests"
CLI_CLIENT_ID = "jupyter-zt-cli"
ROLES = {
    "analyst": ["analysts"],
    "reviewer": ["reviewers"],
    "auditor": ["auditors"],
    "admin": ["admins"],
}


def free_socket() -> socket.socket:
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    return listening


@contextlib.contextmanager
def serving(app: Any, listening: socket.socket) -> Iterator[None]:
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        wait_until(lambda: server.started, seconds=10)
        yield
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        listening.close()


def wait_until(done: Callable[[], bool], *, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise TimeoutError("it did not happen in time")
        threading.Event().wait(0.02)


@contextlib.contextmanager
def demo_provider(
    state_dir: Path,
    redirect_uri: str = "http://127.0.0.1:1/oidc/callback",
    after_logout: str = "http://127.0.0.1:1/logged-out",
    **settings: Any,
) -> Iterator[DemoProvider]:
    listening = free_socket()
    client = DemoClient(CLIENT_ID, CLIENT_SECRET, (redirect_uri,), (after_logout,))
    clients = (client, DemoClient(CLI_CLIENT_ID))
    config = DemoConfig(
        "127.0.0.1", listening.getsockname()[1], state_dir, clients=clients, **settings
    )
    provider = DemoProvider(config)
    with serving(provider.app, listening):
        yield provider


@contextlib.contextmanager
def node_provider(
    installed: Path,
    redirect_uri: str,
    after_logout: str,
    id_token_seconds: int = 600,
    *,
    backchannel_logout: str = "",
) -> Iterator[str]:
    """npm oidc-provider; yields its issuer."""
    addresses = [redirect_uri, after_logout, str(id_token_seconds), backchannel_logout]
    process = subprocess.Popen(
        ["node", "provider.mjs", CLIENT_SECRET, *addresses],
        cwd=installed,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["issuer"]
    finally:
        process.terminate()
        process.wait(timeout=10)


class Canaille:
    """Canaille, running.

    Attributes:
        issuer: Its issuer.
    """

    def __init__(self, redirect_uri: str, after_logout: str) -> None:
        with free_socket() as probe:
            port = probe.getsockname()[1]
        script = Path(__file__).parent / "canaille_provider.py"
        arguments = [str(port), CLIENT_SECRET, redirect_uri, after_logout]
        self.process = subprocess.Popen(
            [sys.executable, str(script), *arguments],
            env={**os.environ, "AUTHLIB_INSECURE_TRANSPORT": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.issuer = str(self._answer()["issuer"])

    def change(self, user: str, **what: Any) -> None:
        """`groups=[...]` or `locked=True`, from now on."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"user": user, **what}) + "\n")
        self.process.stdin.flush()
        self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        return dict(json.loads(self.process.stdout.readline()))


@contextlib.contextmanager
def canaille(redirect_uri: str, after_logout: str) -> Iterator[Canaille]:
    """Canaille, until the end of the block."""
    provider = Canaille(redirect_uri, after_logout)
    try:
        yield provider
    finally:
        provider.process.terminate()
        provider.process.wait(timeout=10)
        for pipe in (provider.process.stdin, provider.process.stdout):
            if pipe is not None:
                pipe.close()


def install_node_provider() -> Path:
    """Install the locked npm packages once; a machine without npm fails the test."""
    folder = Path(__file__).parent / "oidc-provider"
    with (folder / "package.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "node_modules" / ".package-lock.json").exists():
            command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
            subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=120)
    return folder


class Browser:
    """Follows redirects and keeps cookies per host and port, as no httpx client does by itself."""

    def __init__(self) -> None:
        self.clients: dict[str, httpx.Client] = {}

    def client(self, url: str) -> httpx.Client:
        return self.clients.setdefault(urlsplit(url).netloc, httpx.Client(timeout=30))

    def request(self, method: str, url: str, **options: Any) -> httpx.Response:
        return self.client(url).request(method, url, **options)

    def get(self, url: str, *, stop: str = "", **options: Any) -> httpx.Response:
        """GET and follow redirects, up to one that leads to an address beginning with `stop`."""
        return self.follow(self.request("GET", url, **options), stop=stop)

    def follow(self, response: httpx.Response, *, stop: str = "") -> httpx.Response:
        for _ in range(20):
            if not response.is_redirect:
                return response
            target = urljoin(str(response.url), response.headers["location"])
            if stop and target.startswith(stop):
                return response
            response = self.request("GET", target)
        raise AssertionError("too many redirects")

    def submit(
        self, page: httpx.Response, values: Mapping[str, str], *, stop: str = ""
    ) -> httpx.Response:
        """Submit the page's first form with its hidden fields and these values."""
        action = re.search(r'<form[^>]*action="([^"]*)"', page.text)
        assert "<form" in page.text, page.text
        fields = {}
        for tag in re.findall(r"<input[^>]*>", page.text):
            if 'type="hidden"' in tag and (name := re.search(r'name="([^"]*)"', tag)):
                value = re.search(r'value="([^"]*)"', tag)
                fields[html.unescape(name[1])] = html.unescape(value[1]) if value else ""
        target = urljoin(str(page.url), html.unescape(action[1]) if action else "")
        response = self.request("POST", target, data={**fields, **values})
        return self.follow(response, stop=stop)

    def close(self) -> None:
        for client in self.clients.values():
            client.close()


def choose(browser: Browser, url: str, account: str, *, stop: str) -> str:
    """Log in at the demo provider; gives the callback address it leads to."""
    page = browser.get(url)
    assert page.status_code == 200, page.text
    answer = browser.submit(page, {"account": account}, stop=stop)
    return str(answer.headers["location"])


def choose_at_node(browser: Browser, url: str, account: str, *, stop: str) -> str:
    """Log in at npm oidc-provider's development pages, and consent."""
    page = browser.get(url, stop=stop)
    for _ in range(3):
        if page.is_redirect:
            return str(page.headers["location"])
        page = browser.submit(page, {"login": account, "password": "any"}, stop=stop)
    raise AssertionError(page.text)


def choose_at_canaille(browser: Browser, url: str, account: str, *, stop: str) -> str:
    """Log in with a password, and consent; gives the callback address it leads to."""
    page = browser.get(url, stop=stop)
    for _ in range(4):
        if page.is_redirect:
            return str(page.headers["location"])
        answer = {"login": account, "password": "any", "answer": "accept"}
        page = browser.submit(page, answer, stop=stop)
    raise AssertionError(page.text)


def decide_device(browser: Browser, url: str, account: str) -> httpx.Response:
    """At the demo provider's page for a device's code: an account, or "" to cancel."""
    page = browser.get(url)
    assert page.status_code == 200, page.text
    return browser.submit(page, {"account": account})


def decide_device_at_node(browser: Browser, url: str, account: str) -> httpx.Response:
    """At npm oidc-provider: confirm the code, log in, consent."""
    page = browser.get(url)
    for _ in range(6):
        if "<form" not in page.text or "success" in page.text.lower():
            return page
        page = browser.submit(page, {"login": account, "password": "any", "confirm": "yes"})
    raise AssertionError(page.text)


def query_of(url: str) -> str:
    return urlsplit(url).query


def parameter(url: str, name: str) -> str:
    return parse_qs(query_of(url))[name][0]


def sign_bytes(key: Key, payload: bytes) -> str:
    return jws.serialize_compact({"alg": "RS256", "kid": key.kid}, payload, key)


@dataclass
class Forger:
    """Signs whatever the test wants; its discovery, keys, token and userinfo endpoints are real.

    Attributes:
        metadata: Added to the discovery document.
        answers: Path -> what is answered there instead.
    """

    issuer: str
    key: Key
    jwks: list[dict[str, Any]]
    now: int = field(default_factory=lambda: int(time.time()))
    fetches: int = 0
    down: bool = False
    sends_issuer: bool = True
    token_response: dict[str, Any] = field(default_factory=dict)
    userinfo_response: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    answers: dict[str, Response] = field(default_factory=dict)
    token_requests: list[dict[str, str]] = field(default_factory=list)

    def claims(self, **changes: Any) -> dict[str, Any]:
        claims = {
            "iss": self.issuer,
            "sub": "analyst",
            "aud": CLIENT_ID,
            "iat": self.now,
            "exp": self.now + 600,
            "groups": ["analysts"],
        }
        claims.update(changes)
        return {name: value for name, value in claims.items() if value is not None}

    def sign(
        self, key: Key | None = None, header: dict[str, Any] | None = None, **claims: Any
    ) -> str:
        used = key or self.key
        head = {"alg": "RS256", "kid": used.kid, **(header or {})}
        return jwt.encode(
            {name: value for name, value in head.items() if value is not None},
            self.claims(**claims),
            used,
            algorithms=[head["alg"]],
        )

    async def discovery(self, _: Request) -> Response:
        if self.down:
            return Response(status_code=503)
        return JSONResponse(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/jwks",
                "userinfo_endpoint": f"{self.issuer}/userinfo",
                "authorization_response_iss_parameter_supported": self.sends_issuer,
                **self.metadata,
            }
        )

    async def keys(self, _: Request) -> Response:
        self.fetches += 1
        return Response(status_code=503) if self.down else JSONResponse({"keys": self.jwks})

    async def token(self, request: Request) -> Response:
        form = parse_qs((await request.body()).decode())
        self.token_requests.append({name: values[0] for name, values in form.items()})
        return JSONResponse(self.token_response)

    async def userinfo(self, request: Request) -> Response:
        known = request.headers.get("authorization") == "Bearer at"
        return JSONResponse(self.userinfo_response if known else {}, 200 if known else 401)

    def answering(self, path: str, usual: Any) -> Route:
        async def answer(request: Request) -> Response:
            return self.answers.get(path) or await usual(request)

        return Route(path, answer, methods=["GET", "POST"])


@contextlib.contextmanager
def forger() -> Iterator[Forger]:
    listening = free_socket()
    key = RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256"}, auto_kid=True)
    provider = Forger(
        issuer=f"http://127.0.0.1:{listening.getsockname()[1]}",
        key=key,
        jwks=[dict(key.as_dict(private=False))],
    )
    usual = {
        "/.well-known/openid-configuration": provider.discovery,
        "/jwks": provider.keys,
        "/token": provider.token,
        "/userinfo": provider.userinfo,
    }
    app = Starlette(routes=[provider.answering(path, usual[path]) for path in usual])
    with serving(app, listening):
        yield provider
