"""Two people of a JupyterHub, each with a browser and a server of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests import fixtures_demo
from tests.hub import stand

SLOW = fixtures_demo.SLOW_MILLISECONDS
HELD = "UPDATE customers SET city = 'Hubtown' WHERE id = 77"
NOTEBOOK: dict[str, Any] = {
    "cells": [{"cell_type": "markdown", "id": "title", "metadata": {}, "source": "# A story"}],
    "metadata": {"kernelspec": {"name": "zt", "display_name": "Zero trust (Python)"}},
    "nbformat": 4,
    "nbformat_minor": 5,
}


class Person(fixtures_demo.Person):
    """Somebody of the Hub, with a browser of their own."""

    def __init__(self, hub: stand.Hub, browser: Browser, name: str) -> None:
        super().__init__(hub, browser, name)  # type: ignore[arg-type]  # uses its address alone
        self.hub = hub

    def log_in(self, path: str = "/lab") -> None:
        """At the Hub, which starts this person's server."""
        self.page.goto(f"{self.hub.url}/user/{self.name}{path}")
        if self.page.locator("#username_input").count():
            self.page.locator("#username_input").fill(self.name)
            self.page.locator("#password_input").fill(stand.PASSWORD)
            self.page.locator("#login_submit").click()
        self.page.wait_for_selector("#jp-main-dock-panel")


@pytest.fixture
def people(hub: stand.Hub, chromium: Browser) -> Iterator[dict[str, Person]]:
    names = ("ada", "grace")
    hub.start_servers(*names)
    everybody = {name: Person(hub, chromium, name) for name in names}
    yield everybody
    for person in everybody.values():
        person.close()


def picture(person: Person, name: str) -> None:
    """For whoever wants to look: ZT_PICTURES names a folder."""
    folder = os.environ.get("ZT_PICTURES")
    if folder:
        person.page.screenshot(path=Path(folder, f"hub-{name}.png"))


def test_two_people_on_their_own_servers(hub: stand.Hub, people: dict[str, Person]) -> None:
    ada, grace = people["ada"], people["grace"]
    work = hub.home("ada") / "work"
    (work / "story.ipynb").write_text(json.dumps(NOTEBOOK))
    ada.open_notebook("story.ipynb")

    # The kernel has nothing of the Hub's, and reaches nothing of it.
    doors = {"hub": hub.hub_port, "proxy": hub.port, "api": hub.proxy_port}
    escape = ada.run_cell(
        "import os, socket, pathlib\n"
        "hidden = [name for name in os.environ if 'HUB' in name]\n"
        "seen = [path for path in pathlib.Path('/proc').glob('*/environ')\n"
        "        if b'JUPYTERHUB' in path.read_bytes()]\n"
        "open_doors = []\n"
        f"for name, port in {doors}.items():\n"
        "    try:\n"
        "        socket.create_connection(('127.0.0.1', port), 2).close()\n"
        "        open_doors.append(name)\n"
        "    except OSError: pass\n"
        f"homes = os.path.exists({str(hub.folder / 'homes/grace')!r})\n"
        "print('escaped', hidden, seen, open_doors, homes)"
    )
    expect(escape).to_contain_text("escaped [] [] [] False", timeout=SLOW)

    # What needs consent waits, and the requester can't give it.
    held = ada.run_cell(f"%%sql warehouse\n{HELD}")
    expect(held).to_contain_text("waiting for the approval of a reviewer", timeout=SLOW)
    mine = ada.request("Hubtown")
    expect(mine.get_by_role("button", name="Approve")).to_have_count(0)

    # The reviewer sees it in the panel of their own server, and approves.
    grace.log_in()
    shown = grace.request("Hubtown")
    expect(shown.locator(".jp-ZT-Command")).to_have_text(HELD)
    expect(shown).to_contain_text("ada")
    picture(ada, "requester-waits")
    picture(grace, "reviewer-decides")
    grace.approve("Hubtown")

    # It runs, and what is read is masked.
    expect(held).to_contain_text("UPDATE 1", timeout=SLOW)
    expect(held).to_contain_text("grace")
    read = ada.run_cell("%%sql warehouse\nSELECT city, email, phone FROM customers WHERE id = 77")
    expect(read).to_contain_text("Hubtown", timeout=SLOW)
    assert "@" not in read.inner_text()
    picture(ada, "requester-has-it")

    # The recording verifies.
    [recording] = list((work / "recordings").glob("story*.zt.ipynb"))
    ada.menu("Kernel", "Shut Down Kernel")
    ada.page.wait_for_timeout(500)
    for _ in range(100):
        if "INCOMPLETE" not in recording.read_text():
            break
        ada.page.wait_for_timeout(100)
    verdict = subprocess.run(
        [
            *(sys.executable, "-m", "jupyter_zt.cli", "verify", str(recording)),
            *("--trust", str(hub.gateway / "state/trust.json")),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert verdict.returncode == 0, verdict.stdout + verdict.stderr
