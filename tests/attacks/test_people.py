"""One Jupyter server, several people: nobody is another, nobody uses another's kernel."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect

from tests.identity.jupyter import Jupyter, Person, jupyter_with_demo_provider


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jupyter]:
    with jupyter_with_demo_provider(tmp_path_factory.mktemp("people")) as running:
        yield running


@pytest.fixture(scope="module")
def analyst(server: Jupyter) -> Person:
    return server.person("analyst")


@pytest.fixture(scope="module")
def other(server: Jupyter) -> Person:
    return server.person("analyst2")


@pytest.fixture(scope="module")
def admin(server: Jupyter) -> Person:
    return server.person("admin")


@pytest.fixture(scope="module")
def session(analyst: Person) -> dict[str, Any]:
    """The analyst's notebook session with its kernel."""
    answer = analyst.call(
        "POST",
        "/api/sessions",
        {"path": "a.ipynb", "type": "notebook", "name": "a", "kernel": {"name": "python3"}},
    )
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


# --- cookies and the login ------------------------------------------------------------------------


def test_forged_cookies(server: Jupyter, analyst: Person) -> None:
    name, value = analyst.login_cookie
    jupyters = {"username": analyst.call("GET", "/api/me").json()["identity"]["username"]}
    for forged in (
        value[:-1],
        value[:-1] + ("a" if value[-1] != "a" else "b"),
        "",
        "analyst",
        base64.b64encode(json.dumps(jupyters).encode()).decode(),
        # What tornado signs with a cookie secret that leaked.
        f"2|1:0|10:1700000000|{len(name)}:{name}|8:YW5hbHlzdA==|" + "0" * 64,
    ):
        answer = httpx.get(f"{server.url}/api/contents", headers={"Cookie": f"{name}={forged}"})
        assert answer.status_code == 401, forged


def test_server_files_hold_no_credential(server: Jupyter) -> None:
    files = [path for path in server.runtime.rglob("*") if path.is_file()]
    assert files
    assert not any("cookie_secret" in path.name for path in files)
    described = [json.loads(path.read_text()) for path in server.runtime.glob("jpserver-*.json")]
    assert [one["token"] for one in described] == [""]


@pytest.mark.parametrize("scheme", ["token", "Bearer"])
def test_token_login_is_off(scheme: str, server: Jupyter) -> None:
    for headers, query in (({"Authorization": f"{scheme} x"}, ""), ({}, "?token=")):
        answer = httpx.get(f"{server.url}/api/contents{query}", headers=headers)
        assert answer.status_code == 401


def test_password_login_is_off(server: Jupyter) -> None:
    answer = httpx.post(f"{server.url}/login", data={"password": ""})
    assert answer.status_code in {403, 405}


def test_session_fixed_before_the_login(server: Jupyter) -> None:
    person = server.person("analyst")
    name, planted = person.login_cookie
    victim = server.person()
    victim.cookies.set(name, planted, domain="127.0.0.1", path="/")
    person.browser.get(f"{server.url}/logout")
    victim.log_in("admin")
    assert victim.login_cookie[1] != planted
    headers = {"Cookie": f"{name}={planted}"}
    assert httpx.get(f"{server.url}/api/contents", headers=headers).status_code == 401


def test_login_on_top_of_another_ends_the_first(server: Jupyter) -> None:
    person = server.person("analyst")
    name, before = person.login_cookie
    page = person.browser.request("GET", f"{server.url}/login")
    assert page.is_redirect
    person.browser.get(f"{server.url}/logout")
    person.log_in("reviewer")
    headers = {"Cookie": f"{name}={before}"}
    assert httpx.get(f"{server.url}/api/contents", headers=headers).status_code == 401


def test_answer_of_another_browsers_login(server: Jupyter) -> None:
    attacker, victim = server.person(), server.person()
    page = attacker.browser.get(f"{server.url}/login")
    stop = f"{server.url}/zt/login/callback"
    callback = attacker.browser.submit(page, {"account": "analyst"}, stop=stop)
    answer = victim.browser.get(callback.headers["location"])
    assert answer.status_code == 401
    assert not any(name.startswith("zt-login") for name in victim.cookies)


def test_answer_used_twice(server: Jupyter) -> None:
    person = server.person()
    page = person.browser.get(f"{server.url}/login")
    stop = f"{server.url}/zt/login/callback"
    callback = person.browser.submit(page, {"account": "analyst"}, stop=stop).headers["location"]
    cookies = dict(person.cookies)
    assert person.browser.request("GET", callback).status_code == 302
    assert httpx.get(callback, cookies=cookies).status_code == 401


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example/",
        "///evil.example/",
        "/\\evil.example/",
        "\\\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "javascript:alert(1)",
        "http:evil.example",
        "%2F%2Fevil.example",
        "/%09/evil.example",
        "evil.example",
        "@evil.example",
        "/login?next=//evil.example",
        "/lab\u202e",
    ],
)
def test_open_redirect_after_login(target: str, server: Jupyter) -> None:
    person = server.person()
    page = person.browser.get(f"{server.url}/login?next={quote(target, safe='')}")
    stop = f"{server.url}/zt/login/callback"
    callback = person.browser.submit(page, {"account": "analyst"}, stop=stop)
    landed = person.browser.request("GET", callback.headers["location"])
    location = landed.headers["location"]
    assert location.startswith("/")
    assert re.match(r"/[\\/\s]", location) is None
    again = person.browser.request("GET", f"{server.url}/login?next={quote(target, safe='')}")
    assert again.headers["location"] == location


def test_cross_site_logout_asks_first(server: Jupyter) -> None:
    person = server.person("analyst")
    headers = {"Sec-Fetch-Site": "cross-site"}
    page = person.browser.request("GET", f"{server.url}/logout", headers=headers)
    assert "Log out?" in page.text
    assert person.call("GET", "/api/contents").status_code == 200
    assert person.browser.request("POST", f"{server.url}/logout").status_code == 403
    person.browser.submit(page, {})
    assert person.call("GET", "/api/contents").status_code == 401


def test_writes_need_the_xsrf_token(server: Jupyter, analyst: Person) -> None:
    answer = analyst.browser.request("POST", f"{server.url}/api/kernels", json={})
    assert answer.status_code == 403


def test_login_of_a_foreign_page_in_a_frame(server: Jupyter) -> None:
    page = httpx.get(f"{server.url}/zt/logged-out")
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]


# --- another person's kernel ----------------------------------------------------------------------


@pytest.mark.parametrize("person_name", ["other", "admin"])
async def test_another_persons_kernel_does_not_exist(
    person_name: str, session: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    person: Person = request.getfixturevalue(person_name)
    kernel, own = session["kernel"]["id"], session["id"]
    for method, path in (
        ("GET", f"/api/kernels/{kernel}"),
        ("DELETE", f"/api/kernels/{kernel}"),
        ("POST", f"/api/kernels/{kernel}/interrupt"),
        ("POST", f"/api/kernels/{kernel}/restart"),
        ("GET", f"/api/sessions/{own}"),
        ("DELETE", f"/api/sessions/{own}"),
    ):
        assert person.call(method, path).status_code == 404, (method, path)
    assert person.call("PATCH", f"/api/sessions/{own}", {"path": "b.ipynb"}).status_code == 404
    assert await person.channels(kernel) == 404


async def test_the_owner_runs_code_on_their_kernel(
    analyst: Person, session: dict[str, Any]
) -> None:
    channels = await analyst.channels(session["kernel"]["id"])
    assert not isinstance(channels, int)
    message = {
        "header": {"msg_id": "m1", "msg_type": "execute_request", "version": "5.3"},
        "parent_header": {},
        "metadata": {},
        "content": {"code": "print(6 * 7)", "silent": False},
        "channel": "shell",
    }
    await channels.write_message(json.dumps(message))
    while True:
        received = json.loads(str(await channels.read_message()))
        if received["header"]["msg_type"] == "stream":
            break
    assert received["content"]["text"] == "42\n"
    channels.close()


async def test_nobody_without_a_login_reads_channels(
    server: Jupyter, session: dict[str, Any]
) -> None:
    assert await server.person().channels(session["kernel"]["id"]) == 403


async def test_channels_from_another_origin(
    server: Jupyter, analyst: Person, session: dict[str, Any]
) -> None:
    name, value = analyst.login_cookie
    address = f"{server.url}/api/kernels/{session['kernel']['id']}/channels".replace("http", "ws")
    headers = {"Cookie": f"{name}={value}", "Origin": "http://evil.example"}
    with pytest.raises(HTTPClientError) as refusal:
        await websocket_connect(HTTPRequest(address, headers=headers))
    assert refusal.value.code == 403


@pytest.mark.usefixtures("session")
def test_lists_show_ones_own(analyst: Person, other: Person) -> None:
    for path in ("/api/kernels", "/api/sessions"):
        assert len(analyst.call("GET", path).json()) == 1
        assert other.call("GET", path).json() == []


def test_two_people_on_one_notebook_have_a_kernel_each(
    analyst: Person, server: Jupyter, session: dict[str, Any]
) -> None:
    person = server.person("reviewer")
    body = {"path": "a.ipynb", "type": "notebook", "kernel": {"name": "python3"}}
    theirs = person.call("POST", "/api/sessions", body).json()
    assert theirs["kernel"]["id"] != session["kernel"]["id"]
    assert person.call("POST", "/api/sessions", body).json()["id"] == theirs["id"]
    again = analyst.call("POST", "/api/sessions", body).json()
    assert again["kernel"]["id"] == session["kernel"]["id"]
    assert person.call("DELETE", f"/api/sessions/{theirs['id']}").status_code == 204


def test_another_persons_kernel_put_into_ones_own_session(
    analyst: Person, other: Person, session: dict[str, Any]
) -> None:
    kernel = session["kernel"]["id"]
    body = {"path": "mine.ipynb", "type": "notebook", "kernel": {"id": kernel}}
    assert other.call("POST", "/api/sessions", body).status_code == 404
    body["kernel"] = {"name": "python3"}
    mine = other.call("POST", "/api/sessions", body).json()
    swap = {"kernel": {"id": kernel}}
    assert other.call("PATCH", f"/api/sessions/{mine['id']}", swap).status_code == 404
    assert other.call("POST", "/api/kernels", {"kernel_id": kernel}).status_code == 404
    other.call("DELETE", f"/api/sessions/{mine['id']}")
    assert analyst.call("GET", f"/api/kernels/{kernel}").status_code == 200


# --- files and the server -------------------------------------------------------------------------


def test_recordings_are_read_only(server: Jupyter, analyst: Person, admin: Person) -> None:
    recording = server.root / "recordings" / "a.zt.ipynb"
    recording.write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')
    body = {"type": "file", "format": "text", "content": "x"}
    for person in (analyst, admin):
        for method, path, sent in (
            ("PUT", "/api/contents/recordings/a.zt.ipynb", body),
            ("PUT", "/api/contents/./recordings/new.txt", body),
            ("PUT", "/api/contents/x/../recordings/new.txt", body),
            ("DELETE", "/api/contents/recordings/a.zt.ipynb", None),
            ("DELETE", "/api/contents/recordings", None),
            ("PATCH", "/api/contents/recordings/a.zt.ipynb", {"path": "b.ipynb"}),
            ("PATCH", "/api/contents/recordings", {"path": "old"}),
            ("POST", "/api/contents/recordings", {"type": "file"}),
            ("POST", "/api/contents/recordings/a.zt.ipynb/checkpoints", None),
        ):
            answer = person.call(method, path, sent)
            assert answer.status_code in {403, 404}, (method, path, answer.text)
    other_file = server.root / "c.ipynb"
    other_file.write_text(recording.read_text())
    target = {"path": "recordings/c.ipynb"}
    assert analyst.call("PATCH", "/api/contents/c.ipynb", target).status_code == 403
    assert recording.exists()
    assert not (server.root / "recordings" / "c.ipynb").exists()


def test_recordings_are_read_by_owner_and_auditor(server: Jupyter, analyst: Person) -> None:
    (server.root / "recordings" / "r.zt.ipynb").write_text(
        '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'
    )
    auditor = server.person("auditor")
    path = "/api/contents/recordings/r.zt.ipynb"
    assert auditor.call("GET", path).status_code == 200
    assert analyst.call("GET", path).status_code == 403
    assert analyst.call("GET", "/files/recordings/r.zt.ipynb").status_code == 403
    assert analyst.call("GET", "/nbconvert/html/recordings/r.zt.ipynb").status_code == 403
    opened = {"principal": {"human": {"iss": server.issuer, "sub": "analyst"}}}
    bundle = base64.b64encode(json.dumps({"records": [json.dumps(opened)]}).encode()).decode()
    theirs = server.root / "recordings" / "mine.zt.ipynb"
    notebook = {"cells": [], "metadata": {"zt": {"recording": bundle}}, "nbformat": 4}
    theirs.write_text(json.dumps({**notebook, "nbformat_minor": 5}))
    assert analyst.call("GET", "/api/contents/recordings/mine.zt.ipynb").status_code == 200
    stranger = server.person("analyst2")
    assert stranger.call("GET", "/api/contents/recordings/mine.zt.ipynb").status_code == 403
    copy = {"copy_from": "recordings/r.zt.ipynb"}
    assert analyst.call("POST", "/api/contents/", copy).status_code == 403


def test_names_of_other_peoples_recordings(server: Jupyter, analyst: Person, admin: Person) -> None:
    folder = server.root / "recordings"
    for name in ("analyst", "analyst2"):
        opened = {"principal": {"human": {"iss": server.issuer, "sub": name}}}
        bundle = base64.b64encode(json.dumps({"records": [json.dumps(opened)]}).encode()).decode()
        notebook = {"cells": [], "metadata": {"zt": {"recording": bundle}}, "nbformat": 4}
        (folder / f"of-{name}.zt.ipynb").write_text(json.dumps({**notebook, "nbformat_minor": 5}))
    (server.root / "all").symlink_to(folder)
    (server.root / "one").symlink_to(folder / "of-analyst2.zt.ipynb")

    def listed(person: Person, path: str = "recordings") -> set[str]:
        content = person.call("GET", f"/api/contents/{path}").json()["content"]
        return {entry["name"] for entry in content if "of-" in entry["name"]}

    both = {"of-analyst.zt.ipynb", "of-analyst2.zt.ipynb"}
    assert listed(analyst) == {"of-analyst.zt.ipynb"}
    assert listed(server.person("analyst2"), "all") == {"of-analyst2.zt.ipynb"}
    assert listed(server.person("reviewer")) == set()
    assert listed(server.person("auditor")) == both
    assert listed(admin) == both
    names = {entry["name"] for entry in analyst.call("GET", "/api/contents").json()["content"]}
    assert {"recordings", "all"} <= names
    assert "one" not in names
    for name in ("all", "one"):
        (server.root / name).unlink()


def test_copies_of_folders_with_recordings_or_links_in_them(
    server: Jupyter, analyst: Person
) -> None:
    (server.root / "recordings" / "r.zt.ipynb").write_text("{}")
    (server.root / "bag").mkdir()
    (server.root / "bag" / "secret").symlink_to(server.root.parent / "client_secret")
    for folder in ("recordings", "bag", "./recordings/", ""):
        for to in ("", "bag"):
            answer = analyst.call("POST", f"/api/contents/{to}", {"copy_from": folder or "/"})
            assert answer.status_code in {400, 403}, (folder, to, answer.text)
    assert {path.name for path in (server.root / "bag").iterdir()} == {"secret"}
    (server.root / "bag" / "secret").unlink()
    (server.root / "bag").rmdir()


def test_links_made_by_a_kernel_lead_nowhere(server: Jupyter, analyst: Person) -> None:
    (server.root / "secret").symlink_to(server.root.parent / "client_secret")
    (server.root / "up").symlink_to(server.root.parent)
    (server.root / "rec").symlink_to(server.root / "recordings")
    (server.root / "recordings" / "l.zt.ipynb").write_text("{}")
    body = {"type": "file", "format": "text", "content": "x"}
    for method, path, sent in (
        ("GET", "/api/contents/secret", None),
        ("GET", "/files/secret", None),
        ("GET", "/api/contents/up/client_secret", None),
        ("GET", "/api/contents/up", None),
        ("PUT", "/api/contents/up/client_secret", body),
        ("POST", "/api/contents/", {"copy_from": "secret"}),
        ("GET", "/api/contents/rec/l.zt.ipynb", None),
        ("PUT", "/api/contents/rec/l.zt.ipynb", body),
    ):
        answer = analyst.call(method, path, sent)
        assert answer.status_code == 403, (method, path, answer.text)
    for name in ("secret", "up", "rec"):
        (server.root / name).unlink()


def test_contents_work_for_everybody(analyst: Person, other: Person) -> None:
    body = {"type": "file", "format": "text", "content": "hello"}
    assert analyst.call("PUT", "/api/contents/hello.txt", body).status_code == 201
    assert other.call("GET", "/api/contents/hello.txt").json()["content"] == "hello"
    assert other.call("PATCH", "/api/contents/hello.txt", {"path": "hi.txt"}).status_code == 200
    assert other.call("POST", "/api/contents/", {"copy_from": "hi.txt"}).status_code == 201


@pytest.mark.parametrize("format_name", ["latex", "pdf", "webpdf"])
def test_exports_that_run_programs(format_name: str, analyst: Person) -> None:
    assert analyst.call("GET", f"/nbconvert/{format_name}/c.ipynb").status_code == 403


def test_server_state_is_the_administrators(analyst: Person, admin: Person) -> None:
    assert analyst.call("POST", "/api/shutdown").status_code == 403
    assert analyst.call("PUT", "/api/config/notebook", {}).status_code == 403
    assert admin.call("PUT", "/api/config/notebook", {}).status_code == 204
    for path in ("/lab/api/extensions", "/lab/api/build", "/lab/api/plugins"):
        assert analyst.call("POST", path, {}).status_code == 403, path


async def test_forged_events(server: Jupyter, admin: Person) -> None:
    cookie = "; ".join(f"{name}={value}" for name, value in admin.cookies.items())
    address = f"{server.url}/api/events/subscribe".replace("http", "ws", 1)
    subscribed = await websocket_connect(HTTPRequest(address, headers={"Cookie": cookie}))
    subscribed.close()
    event = {"schema_id": "https://events.jupyter.org/jupyter_server/kernel_actions/v1"}
    assert admin.call("POST", "/api/events", event).status_code == 403


def test_terminals_are_off(admin: Person) -> None:
    assert admin.call("POST", "/api/terminals").status_code in {403, 404}
    assert admin.call("GET", "/api/terminals").status_code in {403, 404}


def test_the_same_after_another_class_was_asked_first(
    analyst: Person, other: Person, session: dict[str, Any]
) -> None:
    """`@authorized` remembers the first resource of a shared method; ids decide, so it is moot."""
    analyst.call("GET", "/api/contents")
    other.call("GET", "/nbconvert/html/a.ipynb")
    path = f"/api/kernels/{session['kernel']['id']}"
    assert other.call("GET", path).status_code == 404
    assert analyst.call("GET", path).status_code == 200
