"""Workspaces and settings are a person's own, in each of the servers that people start."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.extension.jupyter_stack import Jupyter, Person, running_jupyter
from tests.extension.test_fail_closed import CONFIGURED, serve
from tests.fixtures_postgres import PostgresServer

WORKSPACE = "/lab/api/workspaces/default"
THEMES = "/lab/api/settings/@jupyterlab/apputils-extension:themes"
SHORTCUTS = "/lab/api/settings/@jupyterlab/shortcuts-extension:shortcuts"
LANGUAGE = "/lab/api/settings/@jupyterlab/translation-extension:plugin"


@pytest.fixture(scope="module", params=["jupyterlab", "jupyter_server", "notebook"])
def jupyter(
    request: pytest.FixtureRequest,
    postgres: PostgresServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Jupyter]:
    folder = tmp_path_factory.mktemp(request.param)
    with running_jupyter(folder, postgres, module=request.param) as server:
        yield server


@pytest.fixture(scope="module")
def analyst(jupyter: Jupyter) -> Person:
    return jupyter.person("analyst")


@pytest.fixture(scope="module")
def reviewer(jupyter: Jupyter) -> Person:
    return jupyter.person("reviewer")


def workspace(name: str = "default") -> dict[str, Any]:
    return {"data": {"docmanager:recents": ["tour.ipynb"]}, "metadata": {"id": name}}


def test_open_tabs_are_ones_own(analyst: Person, reviewer: Person) -> None:
    assert analyst.http.put(WORKSPACE, json=workspace()).status_code == 204
    assert analyst.http.put("/lab/api/workspaces/plan", json=workspace("plan")).status_code == 204

    assert analyst.http.get(WORKSPACE).json()["data"] == workspace()["data"]
    assert reviewer.http.get(WORKSPACE).json()["data"] == {}
    assert len(analyst.http.get("/lab/api/workspaces").json()["workspaces"]["ids"]) == 2
    assert reviewer.http.get("/lab/api/workspaces/").json()["workspaces"]["ids"] == []
    assert reviewer.http.delete("/lab/api/workspaces/plan").status_code == 404
    assert analyst.http.delete("/lab/api/workspaces/plan").status_code == 204


def test_settings_are_ones_own(analyst: Person, reviewer: Person) -> None:
    dark = {"raw": '{"theme": "JupyterLab Dark"}'}
    evil = {
        "raw": '{"shortcuts": [{"command": "zt:approve", "keys": ["Space"], "selector": "body"}]}'
    }
    assert analyst.http.put(THEMES, json=dark).status_code == 204
    assert analyst.http.put(SHORTCUTS, json=evil).status_code == 204

    assert analyst.http.get(THEMES).json()["settings"]["theme"] == "JupyterLab Dark"
    assert reviewer.http.get(THEMES).json()["settings"] == {}
    assert reviewer.http.get(SHORTCUTS).json()["raw"] == "{}"
    for person, count in ((analyst, 2), (reviewer, 0)):
        listed = person.http.get("/lab/api/settings").json()["settings"]
        assert len(listed) > 20
        assert sum(bool(one["settings"]) for one in listed) == count


def test_the_language_is_ones_own(analyst: Person, reviewer: Person) -> None:
    assert analyst.http.put(LANGUAGE, json={"raw": '{"locale": "fr_FR"}'}).status_code == 204

    assert reviewer.http.get(LANGUAGE).json()["settings"] == {}
    for person in (analyst, reviewer):
        packs = person.http.get("/lab/api/translations/").json()
        assert (packs["message"], list(packs["data"])) == ("", ["en"])


def test_what_is_kept_can_be_read_by_the_server_alone(analyst: Person, jupyter: Jupyter) -> None:
    analyst.http.put(WORKSPACE, json=workspace())
    analyst.http.put(THEMES, json={"raw": "{}"})

    for usual in ("workspaces", "user-settings"):
        [people] = (jupyter.folder / "lab" / usual).iterdir()
        assert people.name == "people"
        assert people.stat().st_mode & 0o077 == 0
        for person in people.iterdir():
            assert person.stat().st_mode & 0o077 == 0


def test_a_name_leads_to_no_other_person_s_settings(analyst: Person, jupyter: Jupyter) -> None:
    analyst.http.put(THEMES, json={"raw": '{"theme": "JupyterLab Dark"}'})
    [person, *_] = (jupyter.folder / "lab/user-settings/people").iterdir()
    stranger = jupyter.person("auditor")

    for name in (f"../{person.name}/@jupyterlab/apputils-extension:themes", "../../x:y"):
        answer = stranger.http.get(f"/lab/api/settings/{name.replace('/', '%2F')}")
        assert answer.status_code == 404


def test_nobody_reads_without_a_login(jupyter: Jupyter) -> None:
    import httpx

    for path in (WORKSPACE, THEMES, "/lab/api/workspaces", "/lab/api/translations/"):
        assert httpx.get(jupyter.url + path).status_code == 401


def test_the_page_has_no_renderer_that_runs_what_it_shows(
    analyst: Person, jupyter: Jupyter
) -> None:
    page = analyst.http.get("/tree" if jupyter.module == "notebook" else "/lab").text
    disabled = page.partition('"disabledExtensions"')[2][:500]
    assert "@jupyterlab/javascript-extension" in disabled
    assert "@jupyterlab/vega5-extension" in disabled


def test_an_extension_that_shares_them_in_its_own_way_ends_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sharing_workspaces.py").write_text(
        "from jupyterlab_server.workspaces_handler import WorkspacesHandler, WorkspacesManager\n"
        "class Shared(WorkspacesHandler): pass\n"
        "def _jupyter_server_extension_points(): return [{'module': 'sharing_workspaces'}]\n"
        "def _load_jupyter_server_extension(server):\n"
        "    more = {'name': 'x', 'manager': WorkspacesManager('/tmp')}\n"
        "    server.web_app.add_handlers('.*$', [('/shared/workspaces', Shared, more)])\n"
    )
    (tmp_path / "jupyter_server_config.d").mkdir()
    (tmp_path / "jupyter_server_config.d" / "sharing.json").write_text(
        '{"ServerApp": {"jpserver_extensions": {"sharing_workspaces": true}}}'
    )
    (tmp_path / "broker").write_text("secret")
    (tmp_path / "broker").chmod(0o600)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    ended = serve(
        tmp_path,
        *CONFIGURED,
        f"c.ZTIdentityProvider.client_secret_file = {str(tmp_path / 'client_secret')!r}",
        f"c.ZT.broker_secret_file = {str(tmp_path / 'broker')!r}",
    )

    assert ended.returncode != 0
    assert "sharing_workspaces.Shared shows everybody on this server the same" in ended.stderr
    assert "jupyter server extension disable sharing_workspaces" in ended.stderr
