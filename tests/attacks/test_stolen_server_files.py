"""What a process of the server's user reads in the server's files, and becomes with it.

Each attack is run against a stock Jupyter server first, where it succeeds: an attack that can't
succeed anywhere shows nothing. Then against ours.
"""

from __future__ import annotations

import contextlib
import hmac
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from tornado.web import create_signed_value
from traitlets import TraitError

from jupyter_zt.extension.identity_provider import ZTIdentityProvider
from tests.identity import world
from tests.identity.jupyter import Jupyter, free_port, jupyter_with_demo_provider

SECRET = "the same for every server of a lazy administrator"


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A Jupyter server as it comes: its address, and the folder of its runtime files."""
    folder = tmp_path_factory.mktemp("stock")
    port = free_port()
    command = [sys.executable, "-m", "jupyter_server", "--allow-root", "--no-browser"]
    settings = [f"--port={port}", "--ip=127.0.0.1"]
    for extension in ("jupyter_zt", "jupyterlab", "notebook", "notebook_shim", "jupyter_lsp"):
        settings += ["--ServerApp.jpserver_extensions", f"{extension}=False"]
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("JUPYTER")
    }
    for name in ("CONFIG", "DATA", "RUNTIME"):
        environment[f"JUPYTER_{name}_DIR"] = str(folder / name.lower())
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            [*command, *settings], env=environment, cwd=folder, stdout=log, stderr=log
        )
    url = f"http://127.0.0.1:{port}"
    try:
        world.wait_until(lambda: server.poll() is not None or answers(url), seconds=60)
        assert server.poll() is None, (folder / "log").read_text()
        yield url, folder / "runtime"
    finally:
        server.terminate()
        server.wait(timeout=30)


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jupyter]:
    folder = tmp_path_factory.mktemp("ours")
    # The worst case: somebody has chosen the secret, and the attacker knows it.
    secret = f"c.ServerApp.cookie_secret = {SECRET.encode()!r}"
    with jupyter_with_demo_provider(folder, secret, extension=True) as running:
        yield running


def answers(url: str) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(f"{url}/api").status_code < 500
    return False


def is_in(url: str, headers: dict[str, str]) -> bool:
    """Whether a request with these headers lists the server's files."""
    return httpx.get(f"{url}/api/contents", headers=headers).status_code == 200


def forged_cookie(url: str, secret: bytes, username: str) -> str:
    """The cookie that Jupyter Server makes for somebody who has logged in."""
    empty = dict.fromkeys(("display_name", "initials", "avatar_url", "color"), "")
    user = {**empty, "username": username, "name": username}
    name = re.sub(r"[^A-Za-z0-9]", "-", f"username-{urlsplit(url).netloc}")
    return f"{name}={create_signed_value(secret, name, json.dumps(user)).decode()}"


def tokens_in(runtime: Path) -> list[str]:
    return [json.loads(file.read_text())["token"] for file in runtime.glob("jpserver-*.json")]


def test_cookie_forged_with_the_servers_secret(stock: tuple[str, Path], ours: Jupyter) -> None:
    url, runtime = stock
    stolen = (runtime / "jupyter_cookie_secret").read_bytes()
    # Without a password: jupyter_server.serverapp.ServerApp._default_cookie_secret.
    secret = hmac.digest(stolen, b"", "sha256")
    assert is_in(url, {"Cookie": forged_cookie(url, secret, "reviewer")})

    assert not list(ours.runtime.glob("*cookie_secret*"))
    person = ours.person("reviewer")
    name, value = person.login_cookie
    signed = create_signed_value(SECRET.encode(), name, value).decode()
    someone = forged_cookie(ours.url, SECRET.encode(), f"{ours.issuer}#reviewer")
    for cookie in (someone, f"{name}={signed}", f"{name}={someone.partition('=')[2]}"):
        assert not is_in(ours.url, {"Cookie": cookie})
    assert person.call("GET", "/api/contents").status_code == 200


def test_token_in_the_servers_runtime_file(stock: tuple[str, Path], ours: Jupyter) -> None:
    url, runtime = stock
    [token] = tokens_in(runtime)
    assert is_in(url, {"Authorization": f"token {token}"})

    [none] = tokens_in(ours.runtime)
    assert none == ""
    for file in ours.runtime.rglob("*"):
        assert file.is_dir() or b"token=" not in file.read_bytes(), file
    for value in (token, "undefined", SECRET):
        for scheme in ("token", "Bearer"):
            assert not is_in(ours.url, {"Authorization": f"{scheme} {value}"})
        assert httpx.get(f"{ours.url}/api/contents", params={"token": value}).status_code == 401
    for empty in ({}, {"token": ""}):
        assert httpx.get(f"{ours.url}/api/contents", params=empty).status_code == 401


def test_persons_own_tokens_open_no_door_of_the_jupyter_server(ours: Jupyter) -> None:
    assert ours.provider is not None
    ours.person("reviewer")
    tokens = [*ours.provider.memory.access, *ours.provider.memory.refresh]
    assert tokens
    for token in tokens:
        for name in ("token", "access_token", "id_token", "code"):
            answer = httpx.get(f"{ours.url}/api/contents", params={name: token})
            assert answer.status_code == 401, name
        assert not is_in(ours.url, {"Authorization": f"Bearer {token}"})


def test_server_with_a_token_of_its_own_can_not_be_configured() -> None:
    with pytest.raises(TraitError, match="no token login"):
        ZTIdentityProvider(token="known")
