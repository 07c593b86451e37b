from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from jupyter_zt.identity.demo_accounts import Account
from tests.identity import world
from tests.identity.jupyter import (
    Jupyter,
    Person,
    free_port,
    jupyter,
    jupyter_with_demo_provider,
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jupyter]:
    with jupyter_with_demo_provider(tmp_path_factory.mktemp("jupyter")) as running:
        yield running


def test_a_page_leads_to_the_login_and_back_to_the_page(server: Jupyter) -> None:
    person = server.person()
    page = person.browser.get(f"{server.url}/lab/tree/a%20b.ipynb?x=1")
    assert "demo identity provider" in page.text
    landed = person.browser.submit(page, {"account": "analyst"})
    assert landed.status_code == 200
    assert str(landed.url) == f"{server.url}/lab/tree/a%20b.ipynb?x=1"


def test_me_is_the_person_of_the_provider(server: Jupyter) -> None:
    me = server.person("reviewer").call("GET", "/api/me").json()["identity"]
    assert server.provider is not None
    assert me["username"] == f"{server.provider.memory.issuer}#reviewer"
    assert me["name"] == "reviewer"


def test_the_cookie_is_opaque_and_out_of_reach_of_scripts(server: Jupyter) -> None:
    person = server.person()
    page = person.browser.get(f"{server.url}/login")
    stop = f"{server.url}/zt/login/callback"
    callback = person.browser.submit(page, {"account": "analyst"}, stop=stop)
    answer = person.browser.request("GET", callback.headers["location"])
    cookie = next(
        text for text in answer.headers.get_list("set-cookie") if text.startswith("zt-login-")
    )
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
    assert "analyst" not in cookie
    assert "no-store" in answer.headers["cache-control"]


def test_an_api_call_without_a_login_is_json(server: Jupyter) -> None:
    person = server.person("analyst")
    assert server.person().call("GET", "/api/contents").json()["reason"] == "not_logged_in"
    person.browser.get(f"{server.url}/logout")
    name, value = "zt-login-x", "y"
    assert person.call("GET", "/api/contents").status_code == 401
    person.cookies.set(name, value, domain="127.0.0.1")
    assert person.call("GET", "/api/contents").status_code == 401


def test_an_ended_login_is_named_so(server: Jupyter) -> None:
    person = server.person("analyst")
    name, value = person.login_cookie
    person.browser.get(f"{server.url}/logout")
    person.cookies.set(name, value, domain="127.0.0.1", path="/")
    answer = person.call("GET", "/api/contents")
    assert (answer.status_code, answer.json()["reason"]) == (401, "login_expired")


def test_logout_ends_at_the_provider_and_says_so(server: Jupyter) -> None:
    person = server.person("analyst")
    assert server.provider is not None
    landed = person.browser.get(f"{server.url}/logout")
    assert str(landed.url) == f"{server.url}/zt/logged-out"
    assert "logged out" in landed.text
    assert all(
        issued.family.revoked for issued in list(server.provider.memory.refresh.values())[-1:]
    )


async def test_logout_closes_open_channels(server: Jupyter) -> None:
    person = server.person("analyst")
    kernel = person.call("POST", "/api/kernels", {"name": "python3"}).json()
    channels = await person.channels(kernel["id"])
    assert not isinstance(channels, int)
    person.browser.get(f"{server.url}/logout")
    while await channels.read_message() is not None:
        pass
    assert channels.close_code == 4401


def test_the_provider_being_gone_is_told_on_the_login_page(tmp_path: Path) -> None:
    port = free_port()
    with jupyter(tmp_path, port, "http://127.0.0.1:9/"):
        page = Person(f"http://127.0.0.1:{port}").browser.get(f"http://127.0.0.1:{port}/lab")
    assert page.status_code == 503
    assert "can't be used right now" in page.text.replace("&#x27;", "'")


def test_tokens_are_renewed_and_groups_read_again_in_the_background(tmp_path: Path) -> None:
    with jupyter_with_demo_provider(tmp_path, id_token_seconds=3) as server:
        assert server.provider is not None
        person = server.person("auditor")
        shutdown = "/api/config/notebook"
        assert person.call("PUT", shutdown, {}).status_code == 403
        accounts = server.provider.memory.accounts
        accounts["auditor"] = Account("auditor", ("admins",), "")
        world.wait_until(lambda: person.call("PUT", shutdown, {}).status_code == 204, seconds=15)
        del accounts["auditor"]
        world.wait_until(lambda: person.call("GET", "/api/contents").status_code == 401, seconds=15)


def test_an_id_token_for_the_logout_is_posted_and_never_part_of_an_address(tmp_path: Path) -> None:
    line = "c.ZTIdentityProvider.logout_with_id_token = True"
    with jupyter_with_demo_provider(tmp_path, line) as server:
        person = server.person("analyst")
        page = person.browser.request("GET", f"{server.url}/logout")
        assert page.status_code == 200
        assert 'name="id_token_hint"' in page.text
        assert f"form-action 'self' {server.issuer}" in page.headers["content-security-policy"]
        assert "no-store" in page.headers["cache-control"]
        assert person.call("GET", "/api/contents").status_code == 401
        landed = person.browser.submit(page, {})
        assert str(landed.url) == f"{server.url}/zt/logged-out"


def test_a_stolen_refresh_token_that_is_used_ends_the_persons_login_too(tmp_path: Path) -> None:
    line = "c.ZTIdentityProvider.renew_minutes = 0.05"
    with jupyter_with_demo_provider(tmp_path, line) as server:
        person = server.person("reviewer")
        assert server.provider is not None
        [stolen] = server.provider.memory.refresh
        used = httpx.post(
            f"{server.issuer}/token",
            data={"grant_type": "refresh_token", "refresh_token": stolen},
            auth=(world.CLIENT_ID, world.CLIENT_SECRET),
        )
        assert used.status_code == 200
        world.wait_until(lambda: person.call("GET", "/api/contents").status_code == 401, seconds=20)
        assert person.call("GET", "/api/contents").json()["reason"] == "login_expired"
        thief = httpx.post(
            f"{server.issuer}/token",
            data={"grant_type": "refresh_token", "refresh_token": used.json()["refresh_token"]},
            auth=(world.CLIENT_ID, world.CLIENT_SECRET),
        )
        assert thief.json()["error"] == "invalid_grant"


def test_login_at_npm_oidc_provider(node_packages: Path, tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with (
        world.node_provider(
            node_packages, f"{url}/zt/login/callback", f"{url}/zt/logged-out", 3
        ) as issuer,
        jupyter(tmp_path, port, issuer),
    ):
        person = Person(url)
        assert person.log_in_at_node("analyst").status_code == 200
        assert person.call("GET", "/api/me").json()["identity"]["name"] == "analyst"
        # Longer than its ID token lives, so it was renewed.
        import time

        until = time.monotonic() + 5
        world.wait_until(lambda: time.monotonic() > until, seconds=10)
        assert person.call("GET", "/api/me").status_code == 200


def test_logout_at_npm_oidc_provider_ends_the_session_it_names(
    tmp_path: Path, node_packages: Path
) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with (
        world.node_provider(
            node_packages,
            f"{url}/zt/login/callback",
            f"{url}/zt/logged-out",
            backchannel_logout=f"{url}/zt/backchannel-logout",
        ) as issuer,
        jupyter(tmp_path, port, issuer, "c.ZTIdentityProvider.roles = {'analyst': ['analysts']}"),
    ):
        here, there = Person(url), Person(url)
        for person in (here, there):
            assert person.log_in_at_node("analyst").status_code == 200
        # The person logs out at the provider itself, in one of two browsers.
        page = here.browser.get(f"{issuer}/session/end")
        here.browser.submit(page, {"logout": "yes"})
        world.wait_until(lambda: here.call("GET", "/api/contents").status_code == 401, seconds=10)
        assert here.call("GET", "/api/contents").json()["reason"] == "login_expired"
        assert there.call("GET", "/api/contents").status_code == 200
