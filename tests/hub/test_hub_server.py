"""A person's own server under the Hub, and what becomes of its sessions when the Hub lets go."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from jupyter_zt.errors import ConfigError
from jupyter_zt.extension.preconditions import check_issuer
from jupyter_zt.identity.exchange import ACCESS_TOKEN, TOKEN_EXCHANGE
from tests import fixtures_gateway
from tests.hub import stand
from tests.hub.visitor import Visitor
from tests.identity import world

BOUND_SECONDS = 60
"""As docs/jupyterhub.md says it."""


@pytest.fixture
def ada(hub: stand.Hub) -> Iterator[Visitor]:
    yield from logged_in(hub, "ada")


@pytest.fixture
def bob(hub: stand.Hub) -> Iterator[Visitor]:
    yield from logged_in(hub, "bob")


@pytest.fixture
def grace(hub: stand.Hub) -> Iterator[Visitor]:
    yield from logged_in(hub, "grace")


def logged_in(hub: stand.Hub, name: str) -> Iterator[Visitor]:
    visitor = Visitor(hub, name)
    assert visitor.visit().status_code == 200
    yield visitor
    visitor.log_out()
    visitor.http.close()


class Kernel:
    """A person's kernel, and its way to the gateway."""

    def __init__(self, hub: stand.Hub, person: Visitor) -> None:
        self.person = person
        body = {
            "path": "tour.ipynb",
            "name": "tour.ipynb",
            "type": "notebook",
            "kernel": {"name": "zt"},
        }
        before = {session["id"] for session in self.sessions()}
        answer = person.call("POST", "api/sessions", json=body)
        assert answer.status_code == 201, answer.text
        self.jupyter_session = answer.json()["id"]
        [self.session] = [s for s in self.sessions() if s["id"] not in before]
        self.socket = hub.runtime / self.session["id"].removeprefix("s_")[:16] / "gateway.sock"

    def sessions(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.person.call("GET", "zt/api/sessions").json()
        return found

    def start(self, command: str) -> fixtures_gateway.Call:
        body = {"connection": "warehouse", "command": command, "parameters": []}
        return fixtures_gateway.Call(
            str(self.socket), "POST", "/v1/actions", json.dumps(body).encode()
        )

    def code(self) -> str:
        """What an action says now: "" when it works."""
        try:
            last = self.start("SELECT id FROM customers WHERE id = 1").result().last
        except OSError:
            return "no_socket"
        return str(last.get("code", ""))

    def shut_down(self) -> None:
        self.person.call("DELETE", f"api/sessions/{self.jupyter_session}")


def ended_within(kernel: Kernel, code: str) -> None:
    """The kernel's actions are refused so, at last within the time that the document says."""
    said = []

    def ended() -> bool:
        said.append(kernel.code())
        return said[-1] == code

    try:
        world.wait_until(ended, seconds=BOUND_SECONDS)
    except TimeoutError as error:
        raise AssertionError(f"{set(said)}, {said[-1]!r} at last") from error


def test_the_page_gets_no_token(ada: Visitor) -> None:
    page = ada.http.get("/user/ada/lab")
    found = re.search(r'id="jupyter-config-data"[^>]*>(.*?)</script>', page.text, re.DOTALL)
    assert found
    settings = json.loads(found[1])
    assert (settings["token"], settings["hubUser"]) == ("", "ada")
    assert ada.token() not in page.text


def test_no_token_logs_in_without_a_browser(hub: stand.Hub, ada: Visitor) -> None:
    scopes = ["access:services!service=zt-gateway", "access:servers!server=ada/"]
    made = hub.call("POST", "/users/ada/tokens", json={"scopes": scopes}).json()["token"]
    for token in (made, ada.token()):
        for path in ("zt/api/me", "api/contents", "lab/api/settings", "api/me"):
            address = f"{hub.url}/user/ada/{path}"
            header = {"Authorization": f"token {token}"}
            assert httpx.get(address, headers=header).status_code == 403
            assert httpx.get(address, params={"token": token}).status_code in {401, 403, 302}


def test_a_token_from_a_browser_is_no_use_at_the_gateway(hub: stand.Hub, ada: Visitor) -> None:
    form = {
        "grant_type": TOKEN_EXCHANGE,
        "subject_token": ada.token(),
        "subject_token_type": ACCESS_TOKEN,
        "audience": hub.gateway_url,
        "client_id": "broker",
    }
    refusal = httpx.post(f"{hub.gateway_url}/v1/token", data=form)
    assert (refusal.status_code, refusal.json()["error"]) == (401, "invalid_client")
    bearer = {"Authorization": f"Bearer {ada.token()}"}
    assert httpx.get(f"{hub.gateway_url}/v1/me", headers=bearer).status_code == 401


def test_a_change_needs_the_xsrf_token(ada: Visitor) -> None:
    body = {"type": "notebook"}
    assert ada.http.post("/user/ada/api/contents", json=body).status_code in {401, 403}
    assert ada.call("POST", "api/contents", json=body).status_code == 201


def test_without_a_login_the_panel_is_told_so_and_can_log_in(hub: stand.Hub, ada: Visitor) -> None:
    stranger = httpx.Client(base_url=hub.url)
    refusal = stranger.get("/user/ada/zt/api/me")
    assert (refusal.status_code, refusal.json()["code"]) == (401, "login_expired")
    asked = stranger.get("/user/ada/login", params={"next": "/user/ada/lab/tree/x.ipynb"})
    assert asked.headers["location"].startswith(f"{hub.url}/hub/api/oauth2/authorize")

    for page, after in {
        "/user/ada/lab/tree/x.ipynb": "/user/ada/lab/tree/x.ipynb",
        "//evil.example/": "/user/ada/",
    }.items():
        back = ada.http.get("/user/ada/login", params={"next": page}, follow_redirects=False)
        assert back.headers["location"] == after


def test_who_asked_and_who_is_no_reviewer_do_not_approve(
    hub: stand.Hub, ada: Visitor, bob: Visitor, grace: Visitor
) -> None:
    kernel = Kernel(hub, ada)
    call = kernel.start("UPDATE customers SET city = 'Nowhere' WHERE id = 78")
    held = call.wait_for("held")["approval"]
    vote = {"approve": True, "reason": "", "digest": held["digest"]}
    path = f"zt/api/approvals/{held['id']}"

    answers = [person.call("POST", f"{path}/votes", json=vote) for person in (ada, bob)]
    assert [answer.json()["code"] for answer in answers] == ["own_action", "not_a_reviewer"]
    assert bob.call("GET", "zt/api/approvals").json()["approvals"] == []

    # At somebody else's server a reviewer is nobody: that server is not theirs to trust.
    grace.visit("bob")
    there = grace.call("POST", f"{path}/votes", owner="bob", json=vote)
    assert (there.status_code, there.json()["code"]) == (401, "another_persons_server"), there.text
    assert grace.call("GET", path).json()["state"] == "open"
    call.close()
    kernel.shut_down()


def test_each_person_has_what_is_theirs_on_their_own_server(
    hub: stand.Hub, ada: Visitor, bob: Visitor, grace: Visitor
) -> None:
    kernel = Kernel(hub, ada)
    assert [s["id"] for s in Kernel.sessions(kernel)] == [kernel.session["id"]]
    assert bob.call("GET", "zt/api/sessions").json() == []
    # A guest does not see the owner's kernels, and starts none in the owner's name.
    grace.visit("bob")
    theirs = Kernel(hub, bob)
    assert grace.call("GET", "api/kernels", owner="bob").json() == []
    assert grace.call("GET", "api/sessions", owner="bob").json() == []
    for one in (kernel, theirs):
        one.shut_down()


def test_a_session_is_good_for_a_minute_unless_the_hub_is_asked_again(
    hub: stand.Hub, ada: Visitor
) -> None:
    kernel = Kernel(hub, ada)
    expires_at = datetime.fromisoformat(kernel.session["expires_at"])
    assert expires_at <= datetime.now(UTC) + timedelta(seconds=BOUND_SECONDS)
    kernel.shut_down()


def test_a_logout_at_the_hub_ends_what_the_kernel_may_do(hub: stand.Hub, ada: Visitor) -> None:
    kernel = Kernel(hub, ada)
    assert kernel.code() == ""
    held = kernel.start("UPDATE customers SET city = 'Late' WHERE id = 79")
    held.wait_for("held")
    ada.log_out()
    ended_within(kernel, "login_expired")
    assert held.result().last["code"] in {"login_expired", "cancelled"}
    assert ada.call("GET", "zt/api/me").status_code in {401, 403}


def test_a_logout_on_the_server_ends_it_at_once(hub: stand.Hub, grace: Visitor) -> None:
    kernel = Kernel(hub, grace)
    token = grace.token()
    cookies = {c.name: str(c.value) for c in grace._cookies("/user/grace/")}
    httpx.get(f"{hub.url}/user/grace/logout", cookies=cookies)
    again = httpx.get(f"{hub.url}/user/grace/zt/api/me", cookies=cookies)
    assert again.status_code == 401, "the Hub still knows this token, and we do not"
    assert hub.call("GET", "/user", token).status_code == 200
    ended_within(kernel, "login_expired")


def test_a_person_who_is_deleted_loses_everything(hub: stand.Hub, bob: Visitor) -> None:
    kernel = Kernel(hub, bob)
    token = bob.token()
    try:
        assert hub.call("DELETE", "/users/bob").status_code == 204
        ended_within(kernel, "no_socket")
        assert hub.call("GET", "/user", token).status_code == 403
        assert hub.records(kernel.session["id"])[-1]["kind"] == "seal"
    finally:
        hub.call("POST", "/users/bob")


def test_a_server_that_a_home_may_configure_does_not_start(tmp_path: Path, hub: stand.Hub) -> None:
    said = single_user(tmp_path, hub, JUPYTERHUB_PUBLIC_HUB_URL="https://hub.example/hub/")
    assert "server_not_guarded" in said
    assert "c.Spawner.disable_user_config is False" in said


def test_a_server_that_does_not_know_its_hub_does_not_start() -> None:
    with pytest.raises(ConfigError, match="public address") as caught:
        check_issuer("")
    assert "c.JupyterHub.public_url" in caught.value.hint


def single_user(folder: Path, hub: stand.Hub, **environment: str) -> str:
    """What a single-user server says that ends by itself."""
    told = {
        "JUPYTERHUB_USER": "ada",
        "JUPYTERHUB_API_TOKEN": base64.b16encode(os.urandom(16)).decode(),
        "JUPYTERHUB_CLIENT_ID": "jupyterhub-user-ada",
        "JUPYTERHUB_API_URL": hub.api,
        "JUPYTERHUB_SERVICE_URL": "http://127.0.0.1:1/user/ada/",
        "JUPYTERHUB_SERVICE_PREFIX": "/user/ada/",
        "JUPYTERHUB_ROOT_DIR": str(folder),
        "JUPYTER_CONFIG_PATH": str(hub.folder / "jupyter"),
        "HOME": str(folder),
    }
    done = subprocess.run(
        [sys.executable, "-m", "jupyterhub.singleuser", "--allow-root"],
        env={**os.environ, **told, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    return done.stderr
