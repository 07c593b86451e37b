"""The broker in a real Jupyter server, with real kernels in their sandbox and a real gateway."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.extension.jupyter_stack import V1_PROTOCOL, Jupyter, Person, running_jupyter
from tests.fixtures_postgres import PostgresServer
from tests.identity.logout_tokens import of_demo, send


@pytest.fixture(scope="module")
def jupyter(
    postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Jupyter]:
    agents = ['c.ZT.agents = {"agents/*": "react"}']
    with running_jupyter(
        tmp_path_factory.mktemp("broker"), postgres, more_settings=agents
    ) as server:
        yield server


@pytest.fixture(scope="module")
def analyst(jupyter: Jupyter) -> Person:
    return jupyter.person("analyst")


@pytest.fixture(scope="module")
def reviewer(jupyter: Jupyter) -> Person:
    return jupyter.person("reviewer")


async def until(holds: Callable[[], Any]) -> None:
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110 - what changes comes from another process
            await asyncio.sleep(0.05)


def shown(messages: list[dict[str, Any]], msg_type: str) -> list[dict[str, Any]]:
    return [message["content"] for message in messages if message["header"]["msg_type"] == msg_type]


def recorded(jupyter: Jupyter, stem: str) -> list[tuple[str, Any]]:
    """Source and texts of each recorded code cell."""
    cells = []
    for cell in jupyter.recording(stem).get("cells", []):
        if cell["cell_type"] == "code":
            texts = ["".join(output.get("text", "")) for output in cell["outputs"]]
            cells.append(("".join(cell["source"]), texts))
    return cells


# ------------------------------------------------------------------ the API


def test_the_panel_reads_as_the_person_who_is_logged_in(analyst: Person) -> None:
    me = analyst.http.get("/zt/api/me").json()

    assert (me["name"], me["roles"]) == ("analyst", ["analyst"])
    assert me["unsandboxed"] is False
    assert me["gateway"] == {"state": "ok"}
    connections = analyst.http.get("/zt/api/connections").json()
    assert [connection["name"] for connection in connections] == ["warehouse"]


@pytest.mark.parametrize("path", ["me", "sessions", "connections", "approvals"])
def test_nobody_reads_without_a_login(path: str, jupyter: Jupyter) -> None:
    import httpx

    answer = httpx.get(f"{jupyter.url}/zt/api/{path}")

    assert answer.status_code == 401
    assert answer.json()["code"] == "not_logged_in"


def test_a_vote_needs_the_xsrf_token_the_origin_and_json(analyst: Person) -> None:
    votes = "/zt/api/approvals/p_" + "0" * 32 + "/votes"
    vote = {"approve": True, "reason": "", "digest": "0" * 64}

    no_token = analyst.http.post(votes, json=vote, headers={"X-XSRFToken": ""})
    elsewhere = analyst.http.post(votes, json=vote, headers={"Origin": "https://evil.example"})
    framed = analyst.http.post(votes, json=vote, headers={"Origin": "null"})
    form = analyst.http.post(votes, data={"approve": "true"})
    unknown = analyst.http.post(votes, json=vote)

    assert no_token.status_code == 403
    assert elsewhere.status_code in {403, 404}
    assert framed.status_code in {403, 404}
    assert (form.status_code, form.json()["code"]) == (422, "invalid_input")
    assert unknown.status_code == 404
    assert set(unknown.json()) == {"code", "message", "hint"}


async def test_a_held_action_is_approved_by_another_person_through_the_panel(
    analyst: Person, reviewer: Person
) -> None:
    kernel, session = analyst.start_kernel("held.ipynb")
    page = await analyst.page(kernel)
    asked = await page.ask("%%sql warehouse\nupdate orders set total = total where id = 1")
    revision, held = "", []
    async with asyncio.timeout(30):
        while not held:
            answer = await asyncio.to_thread(
                reviewer.http.get, f"/zt/api/approvals?wait_seconds=5&after={revision}"
            )
            revision = answer.json()["revision"]
            held = [item for item in answer.json()["approvals"] if item["state"] == "open"]
    vote = {"approve": True, "reason": "seen", "digest": held[0]["digest"]}
    path = f"/zt/api/approvals/{held[0]['id']}/votes"

    own = analyst.http.post(path, json=vote)
    theirs = reviewer.http.post(path, json=vote)
    messages = await page.answers(asked)

    assert (own.status_code, own.json()["code"]) == (403, "own_action")
    assert theirs.status_code == 200, theirs.text
    [update] = [
        content["data"]["application/vnd.zt.held+json"]["state"]
        for content in shown(messages, "update_display_data")
        if "application/vnd.zt.held+json" in content["data"]
    ][-1:]
    assert update == "approved"
    analyst.http.delete(f"/api/sessions/{session}")


async def test_in_which_notebooks_an_agent_acts_is_the_servers_word(
    jupyter: Jupyter, analyst: Person
) -> None:
    (jupyter.root / "agents").mkdir()
    kernel, session = analyst.start_kernel("agents/tour.ipynb")
    own, own_session = analyst.start_kernel("mine.ipynb")
    agents = {item["kernel"]: item["agent"] for item in analyst.http.get("/zt/api/sessions").json()}
    assert (agents[kernel], agents[own]) == ("react", None)
    page = await analyst.page(kernel)
    messages = await page.run("%%sql warehouse\nupdate orders set total = total where id = 1")
    assert "agent_action" in str(shown(messages, "error"))
    for one in (session, own_session):
        analyst.http.delete(f"/api/sessions/{one}")


# ------------------------------------------------------------------ what the page is shown


@pytest.mark.parametrize("protocol", [V1_PROTOCOL, None], ids=["v1", "legacy"])
async def test_a_page_is_shown_inert_outputs_in_both_protocols(
    protocol: str | None, analyst: Person
) -> None:
    kernel, session = analyst.start_kernel(f"inert-{protocol}.ipynb")
    page = await analyst.page(kernel, protocol)

    messages = await page.run(
        "from IPython.display import HTML, Javascript, SVG, display\n"
        "display(HTML('<b>5</b><script>vote()</script>'), Javascript('vote()'))\n"
        "display(SVG('<svg xmlns=\"http://www.w3.org/2000/svg\"><script>1</script></svg>'))\n"
        "get_ipython().set_next_input('vote()')\n",
        user_expressions={"x": "open('/tmp/door', 'w')"},
    )
    door = await page.run("import os; print(os.path.exists('/tmp/door'))")

    html, script, svg = (content["data"] for content in shown(messages, "display_data"))
    assert html["text/html"] == "<b>5</b>"
    assert "<script>" in html["application/vnd.zt.html"]
    assert set(script) == {"text/plain"}
    assert svg["text/html"].startswith('<img src="data:image/svg+xml;base64,')
    [reply] = shown(messages, "execute_reply")
    assert reply["payload"] == []
    assert reply["user_expressions"] == {}
    assert shown(door, "stream")[0]["text"] == "False\n"
    analyst.http.delete(f"/api/sessions/{session}")


async def test_messages_that_were_buffered_go_through_the_same_filter(analyst: Person) -> None:
    kernel, session = analyst.start_kernel("buffered.ipynb")
    first = await analyst.page(kernel)
    url = f"/api/kernels/{kernel}"
    asked = await first.ask(
        "import time; from IPython.display import HTML, display; print('on', flush=True)\n"
        "time.sleep(2); display(HTML('<script>vote()</script><i>late</i>'))"
    )
    while "stream" not in {message["header"]["msg_type"] for _, message in first.seen}:
        await first.receive()
    first.socket.close()
    await until(lambda: analyst.http.get(url).json()["connections"] == 0)
    await until(lambda: analyst.http.get(url).json()["execution_state"] == "idle")

    second = await analyst.page(kernel, session_id=first.session_id)
    messages = await second.answers(asked)

    [late] = shown(messages, "display_data")
    assert late["data"]["text/html"] == "<i>late</i>"
    analyst.http.delete(f"/api/sessions/{session}")


async def test_what_a_page_may_not_send_is_dropped_and_a_repeated_id_is_refused(
    analyst: Person,
) -> None:
    kernel, session = analyst.start_kernel("doors.ipynb")
    page = await analyst.page(kernel)
    code = {"code": "open('/tmp/door', 'w')", "silent": True}
    await page.send("execute_request", code, channel="control")
    await page.send("comm_open", {"comm_id": "1", "target_name": "x", "data": {}})
    await page.send("debug_request", {"type": "request", "command": "evaluate"}, "control")
    await page.send("shutdown_request", {"restart": False}, "control")

    asked = await page.ask("import os; print(os.path.exists('/tmp/door'))")
    messages = await page.answers(asked)
    again = await page.send(
        "execute_request", {"code": "print('again')", "silent": False}, msg_id=asked
    )
    refused = await page.answers(again)

    assert shown(messages, "stream")[0]["text"] == "False\n"
    assert shown(refused, "execute_reply")[0]["ename"] == "ZTRefused"
    assert not shown(refused, "stream")
    analyst.http.delete(f"/api/sessions/{session}")


# ------------------------------------------------------------------ what is recorded


async def test_every_cell_is_recorded_and_sealed_when_the_kernel_ends(
    jupyter: Jupyter, analyst: Person
) -> None:
    kernel, session = analyst.start_kernel("story.ipynb")
    page = await analyst.page(kernel)
    await page.run("print('one')")
    await page.run("hidden = 1", silent=True, store_history=False)
    await page.run("1 / 0")
    await until(lambda: len(recorded(jupyter, "story")) == 3)
    mine = analyst.http.get("/zt/api/sessions").json()

    [entry] = [item for item in mine if item["notebook"] == "story.ipynb"]
    assert entry["recording"] == "ok"
    assert (jupyter.recordings / entry["recording_file"]).exists()
    assert analyst.http.delete(f"/api/sessions/{session}").status_code == 204

    assert [source for source, _ in recorded(jupyter, "story")] == [
        "print('one')",
        "hidden = 1",
        "1 / 0",
    ]
    kinds = [record["kind"] for record in jupyter.gateway.records(entry["id"])]
    assert kinds[-1] == "seal"
    assert kinds.count("cell") == 3


async def test_a_page_that_leaves_does_not_stop_the_recording(
    jupyter: Jupyter, analyst: Person
) -> None:
    kernel, session = analyst.start_kernel("alone.ipynb")
    page = await analyst.page(kernel)
    await page.ask("import time; time.sleep(1); print('nobody looked')")
    await asyncio.sleep(0.3)  # the request has to be on its way before the page is gone
    page.socket.close()

    await until(lambda: recorded(jupyter, "alone"))

    assert recorded(jupyter, "alone")[0][1] == ["nobody looked"]
    analyst.http.delete(f"/api/sessions/{session}")


async def test_a_restart_keeps_session_and_owner_and_aborts_what_ran(
    jupyter: Jupyter, analyst: Person
) -> None:
    kernel, session = analyst.start_kernel("restart.ipynb")
    page = await analyst.page(kernel)
    await page.run("import os, signal")
    await page.ask("os.kill(os.getpid(), signal.SIGKILL)")
    await until(lambda: len(recorded(jupyter, "restart")) == 2)
    again = await analyst.page(kernel)
    await again.run("print('back')")
    await until(lambda: len(recorded(jupyter, "restart")) == 3)

    mine = analyst.http.get("/zt/api/sessions").json()
    [entry] = [item for item in mine if item["notebook"] == "restart.ipynb"]
    statuses = [
        record["status"]
        for record in jupyter.gateway.records(entry["id"])
        if record["kind"] == "cell"
    ]
    assert statuses == ["ok", "aborted", "ok"]
    analyst.http.delete(f"/api/sessions/{session}")


# ------------------------------------------------------------------ logging out


async def test_a_kernel_that_died_is_explained_by_the_one_that_follows(analyst: Person) -> None:
    kernel, session = analyst.start_kernel("died.ipynb")
    page = await analyst.page(kernel)
    await page.ask("import os\nos.kill(os.getpid(), 9)")
    state = ""
    while "restarting" not in state:
        state = (await page.receive())[1]["content"].get("execution_state", "")
    said = shown(await page.run("1 + 1"), "stream")
    assert "the one before it ended, because it was killed" in said[0]["text"]
    assert not shown(await page.run("1 + 1"), "stream")
    analyst.http.delete(f"/api/sessions/{session}")


@pytest.mark.parametrize("part", ["image", "script", "style", "iframe", "video"])
@pytest.mark.parametrize("path", ["/logout", "/zt/api/me", "/api/contents"])
def test_no_part_of_a_page_logs_out_or_asks_an_api(path: str, part: str, analyst: Person) -> None:
    """An address in a document that a kernel wrote is asked for with the reader's cookies."""
    assert analyst.http.get(path, headers={"Sec-Fetch-Dest": part}).status_code == 403
    assert analyst.http.get("/zt/api/me", headers={"Sec-Fetch-Dest": "empty"}).is_success


async def test_after_the_logout_a_kernel_acts_no_more_until_the_person_is_back(
    jupyter: Jupyter,
) -> None:
    here, there = jupyter.person("analyst2"), jupyter.person("analyst2")
    kernel, _ = here.start_kernel("left.ipynb")
    page = await here.page(kernel)
    await page.run("%%sql warehouse\nselect 1 as one")
    await page.ask(
        "import time\n"
        "while True:\n"
        "    time.sleep(0.1)\n"
        "    try:\n"
        "        zt.sql('warehouse', 'select 1 as one')\n"
        "    except Exception as error:\n"
        "        print(error.code, error.hint)\n"
        "        break"
    )
    await asyncio.sleep(1)

    assert here.http.get("/logout").status_code == 302
    await asyncio.sleep(1)
    assert len(recorded(jupyter, "left")) == 1, "logged in elsewhere still"
    assert there.http.get("/logout").status_code == 302

    # Nobody looks any more; what ran was recorded all the same.
    await until(lambda: len(recorded(jupyter, "left")) == 2)
    [said] = recorded(jupyter, "left")[1][1]
    assert said.startswith("login_expired Log in again in JupyterLab")
    back = jupyter.person("analyst2")
    page = await back.page(kernel)
    async with asyncio.timeout(5):
        while shown(await page.run("%%sql warehouse\nselect 2 as two"), "error"):
            pass
    assert back.http.delete(f"/api/kernels/{kernel}").status_code == 204
    back.http.get("/logout")


async def test_a_held_action_is_withdrawn_when_its_requester_logs_out(
    jupyter: Jupyter, reviewer: Person
) -> None:
    requester = jupyter.person("analyst2")
    kernel, _ = requester.start_kernel("withdrawn.ipynb")
    page = await requester.page(kernel)
    await page.ask("%%sql warehouse\nupdate orders set total = total where id = 20202")

    def states() -> list[str]:
        approvals = reviewer.http.get("/zt/api/approvals").json()["approvals"]
        return [one["state"] for one in approvals if "20202" in one["command"]]

    await until(lambda: states() == ["open"])
    requester.http.get("/logout")
    await until(lambda: states() == ["cancelled"])

    back = jupyter.person("analyst2")
    await until(lambda: recorded(jupyter, "withdrawn"))
    assert back.http.delete(f"/api/kernels/{kernel}").status_code == 204
    back.http.get("/logout")


async def test_the_providers_logout_ends_logins_sockets_leases_and_what_waits(
    jupyter: Jupyter, reviewer: Person
) -> None:
    provider = jupyter.provider
    assert provider is not None
    here, there = jupyter.person("analyst2"), jupyter.person("analyst2")
    kernel, _ = here.start_kernel("disabled.ipynb")
    page = await here.page(kernel)
    await page.run("%%sql warehouse\nselect 1 as one")
    session = next(
        one["id"] for one in here.http.get("/zt/api/sessions").json() if one["kernel"] == kernel
    )
    leased = [one for one in jupyter.gateway.records(session) if one["kind"] == "lease"]
    role = leased[-1]["role"]
    roles = f"SELECT 1 FROM pg_roles WHERE rolname = '{role}'"
    assert await asyncio.to_thread(jupyter.gateway.postgres.sql, roles)
    await page.ask("%%sql warehouse\nupdate orders set total = total where id = 30303")

    def states() -> list[str]:
        approvals = reviewer.http.get("/zt/api/approvals").json()["approvals"]
        return [one["state"] for one in approvals if "30303" in one["command"]]

    await until(lambda: states() == ["open"])

    # An administrator disables the account: the provider tells everybody, and renews nothing.
    account = provider.memory.accounts.pop("analyst2")
    try:
        assert send(jupyter.url, of_demo(provider, "analyst2")).status_code == 200
        async with asyncio.timeout(30):
            while await page.socket.read_message() is not None:
                pass
        assert page.socket.close_code == 4401
        for person in (here, there):
            answer = person.http.get("/zt/api/me")
            assert (answer.status_code, answer.json()["code"]) == (401, "login_expired")
        await until(lambda: states() == ["cancelled"])
        async with asyncio.timeout(30):
            while await asyncio.to_thread(jupyter.gateway.postgres.sql, roles):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    finally:
        provider.memory.accounts["analyst2"] = account
    back = jupyter.person("analyst2")
    assert back.http.delete(f"/api/kernels/{kernel}").status_code == 204
    back.http.get("/logout")


# ------------------------------------------------------------------ whose kernel it is


async def test_another_person_s_kernel_is_not_there(
    analyst: Person, reviewer: Person, jupyter: Jupyter
) -> None:
    kernel, session = analyst.start_kernel("mine.ipynb")

    admin = jupyter.person("admin")
    for person in (reviewer, admin):
        assert person.http.get("/zt/api/sessions").json() == []
        assert person.http.get(f"/api/kernels/{kernel}").status_code == 404
        assert person.http.delete(f"/api/kernels/{kernel}").status_code == 404
        assert person.http.post(f"/api/kernels/{kernel}/restart").status_code == 404
        assert person.http.post(f"/api/kernels/{kernel}/interrupt").status_code == 404
        with pytest.raises(Exception, match=r"40[34]"):
            await person.page(kernel)
    page = await analyst.page(kernel)
    assert shown(await page.run("print(1)"), "stream")[0]["text"] == "1\n"
    analyst.http.delete(f"/api/sessions/{session}")


@pytest.mark.parametrize(
    ("body", "status"),
    [({"name": "python3"}, 403), ({"name": "zt", "kernel_id": "../../x"}, 400)],
)
def test_a_page_can_not_choose_another_kernel_or_its_files(
    body: dict[str, str], status: int, analyst: Person
) -> None:
    assert analyst.http.post("/api/kernels", json=body).status_code == status


async def test_files_that_a_kernel_wrote_are_served_as_no_script_and_no_page(
    analyst: Person,
) -> None:
    kernel, session = analyst.start_kernel("files.ipynb")
    page = await analyst.page(kernel)
    await page.run("for name in ('e.js', 'e.html', 'e.svg', 'e.css'): open(name, 'w').write('x')")

    for name in ("e.js", "e.html", "e.svg", "e.css"):
        answer = analyst.http.get(f"/files/{name}", headers={"Referer": f"{analyst.url}/lab"})
        assert answer.status_code == 200
        assert "script" not in answer.headers["content-type"]
        assert "html" not in answer.headers["content-type"]
        assert "css" not in answer.headers["content-type"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in answer.headers["content-security-policy"]
        assert "allow-scripts" not in answer.headers["content-security-policy"]
    analyst.http.delete(f"/api/sessions/{session}")


def test_a_page_fetches_nothing_from_another_place(analyst: Person) -> None:
    policy = analyst.http.get("/lab").headers["content-security-policy"]

    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'self'"
    assert rules["script-src"] == "'self' 'unsafe-eval'"
    assert rules["form-action"] == rules["frame-ancestors"] == "'self'"
    assert rules["object-src"] == rules["base-uri"] == "'none'"
    assert not any("http" in rule for name, rule in rules.items() if name != "frame-src")


def test_no_notebook_is_trusted_whoever_has_said_so(analyst: Person) -> None:
    cell = {
        "cell_type": "code",
        "id": "a",
        "metadata": {"trusted": True},
        "source": "",
        "outputs": [],
        "execution_count": None,
    }
    book = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    saved = analyst.http.put(
        "/api/contents/trusted.ipynb",
        json={"type": "notebook", "format": "json", "content": book},
    )
    assert saved.status_code in {200, 201}, saved.text

    opened = analyst.http.get("/api/contents/trusted.ipynb").json()

    assert opened["content"]["cells"][0]["metadata"]["trusted"] is False


# ------------------------------------------------------------------ when a part is away


async def test_cells_wait_for_a_gateway_that_is_away_and_nothing_is_lost(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    with running_jupyter(tmp_path, postgres) as jupyter:
        analyst = jupyter.person("analyst")
        kernel, _ = analyst.start_kernel("away.ipynb")
        page = await analyst.page(kernel)
        await page.run("print('before')")
        await until(lambda: len(recorded(jupyter, "away")) == 1)
        [session] = analyst.http.get("/zt/api/sessions").json()

        jupyter.gateway.stop()
        await page.run("print('while away')")
        me = analyst.http.get("/zt/api/me").json()
        sessions = analyst.http.get("/zt/api/sessions")
        refused = analyst.http.post("/api/kernels", json={"name": "zt"})
        jupyter.gateway.start()
        await until(lambda: len(recorded(jupyter, "away")) == 2)

        assert me["gateway"] == {"state": "unreachable"}
        assert me["name"] == "analyst"
        assert (sessions.status_code, sessions.json()["code"]) == (503, "gateway_unreachable")
        assert refused.status_code == 503, "no session, no kernel"
        assert "gateway_unreachable" in refused.json()["message"]
        jupyter.stop()
        assert [texts for _, texts in recorded(jupyter, "away")] == [["before"], ["while away"]]
        assert jupyter.gateway.records(session["id"])[-1]["kind"] == "seal", (
            "the server's end seals"
        )
