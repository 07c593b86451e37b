"""The whole demo as a newcomer starts it, and people in real browsers."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect, sync_playwright

from tests.identity import world

CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
READY_SECONDS = 120
SLOW_MILLISECONDS = 60_000


class Demo:
    """`jupyter zt demo`, running."""

    def __init__(self, directory: Path, *options: str) -> None:
        self.directory = directory
        self._options = options
        with world.free_socket() as probe:
            self.port = int(probe.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self.output = directory.with_suffix(".out")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.output.open("wb") as output:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "jupyter_zt.cli", "demo", "--no-browser"),
                    *("--dir", str(self.directory), "--port", str(self.port)),
                    "--log-statements",
                    *self._options,
                ],
                stdout=output,
                stderr=output,
            )
        world.wait_until(self._is_ready, seconds=READY_SECONDS)

    def _is_ready(self) -> bool:
        assert self._process is not None
        said = self.output.read_text()
        assert self._process.poll() is None, said
        return "Ctrl-C stops everything" in said

    def stop(self) -> int:
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)
        try:
            return self._process.wait(timeout=60)
        finally:
            self._process.kill()
            self._process.wait()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def statements(self, containing: str) -> list[str]:
        """Lines of PostgreSQL's own statement log that hold this text."""
        time.sleep(0.1)
        log = (self.directory / "logs/postgres.log").read_text(errors="replace")
        return [line for line in log.splitlines() if containing in line]

    def records(self, session: str) -> list[dict[str, Any]]:
        """A session's records, read from the gateway's database."""
        database = self.directory / "gateway/state/gateway.db"
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            rows = connection.execute(
                "SELECT data FROM log_leaves WHERE session LIKE ? ORDER BY seq", (f"{session}%",)
            ).fetchall()
        return [json.loads(row[0]) for row in rows]

    def recordings(self, stem: str = "") -> list[Path]:
        return sorted((self.directory / "work/recordings").glob(f"{stem}*.zt.ipynb"))


class Person:
    """Somebody logged in with a browser of their own."""

    def __init__(self, demo: Demo, browser: Browser, name: str) -> None:
        self.demo = demo
        self.name = name
        self.context: BrowserContext = browser.new_context(viewport={"width": 1500, "height": 950})
        self.context.set_default_timeout(SLOW_MILLISECONDS)
        self.page: Page = self.context.new_page()

    def log_in(self, path: str = "/lab") -> None:
        self.page.goto(self.demo.url + path)
        self.page.get_by_role("button", name=re.compile(rf"^{self.name}\b")).first.click()
        self.page.wait_for_selector("#jp-main-dock-panel")

    def open_notebook(self, name: str) -> None:
        self.log_in(f"/lab/tree/{name}")
        self.page.wait_for_selector(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Cell")
        # The status bar still shows the notebook that was open before.
        expect(self.page.locator("#jp-main-statusbar")).to_contain_text(name)
        self.page.wait_for_timeout(300)
        self.wait_idle()

    def wait_idle(self) -> None:
        expect(self.page.locator("#jp-main-statusbar")).to_contain_text(
            "| Idle", timeout=SLOW_MILLISECONDS
        )

    def open_panel(self) -> None:
        tab = self.page.locator(
            ".jp-SideBar.jp-mod-right .lm-TabBar-tab[data-id='jupyter-zt-panel']"
        )
        # It may open by itself while a click is under way, which then closes it.
        for _ in range(20):
            if "lm-mod-current" in (tab.get_attribute("class") or ""):
                break
            tab.click()
            self.page.wait_for_timeout(250)
        self.page.wait_for_selector(".jp-ZT-Approvals")

    def request(self, containing: str) -> Locator:
        """The card of a request in the side panel, opened so that its command shows."""
        self.open_panel()
        card = self.page.locator(".jp-ZT-Card", has_text=containing)
        card.first.wait_for()
        if card.first.locator(".jp-ZT-Command").count() == 0:
            card.first.locator(".jp-ZT-Card-head").click()
        card.first.locator(".jp-ZT-Command").wait_for()
        return card.first

    def approve(self, containing: str) -> None:
        """Reads a request in the side panel, and says yes, twice."""
        self.request(containing).get_by_role("button", name=re.compile("^Approve")).click()
        self.page.locator(".jp-ZT-Decision-confirm .jp-mod-accept").click()
        expect(self.page.locator(".jp-ZT-Notice")).to_contain_text("Approved")

    def run_all(self) -> None:
        """Runs the open notebook from the top; JupyterLab goes to its last cell."""
        self.menu("Run", "Run All Cells")

    def wait_last_cell(self, milliseconds: float = SLOW_MILLISECONDS) -> None:
        """Until the open notebook's last code cell, which must be in sight, has run."""
        cell = self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-CodeCell").last
        expect(cell.locator(".jp-InputPrompt")).to_have_text(
            re.compile(r"\[\d+\]:"), timeout=milliseconds
        )

    def save_notebook(self, name: str) -> dict[str, Any]:
        """Saves the open notebook, and gives what stands in the file."""
        with self.page.expect_response(
            lambda answer: answer.request.method == "PUT" and f"/api/contents/{name}" in answer.url
        ):
            self.menu("File", "Save Notebook")
        saved: dict[str, Any] = json.loads((self.demo.directory / "work" / name).read_text())
        return saved

    def run_cell(self, source: str) -> Locator:
        """Adds a cell at the end of the open notebook, runs it, and gives its outputs."""
        panel = self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
        count = panel.locator(".jp-Cell").count()
        panel.locator(".jp-Cell").last.locator(".jp-InputPrompt, .jp-InputArea").first.click()
        self.page.keyboard.press("Escape")
        self.page.keyboard.press("b")
        cell = panel.locator(".jp-Cell").nth(count)
        cell.locator(".cm-content").click()
        self.page.keyboard.insert_text(source)
        expect(cell.locator(".cm-content")).to_be_focused()
        self.page.keyboard.press("Control+Enter")
        expect(cell.locator(".jp-InputPrompt").first).not_to_have_text("[ ]:")
        return cell.locator(".jp-Cell-outputArea")

    def menu(self, *path: str) -> None:
        self.page.locator(".lm-MenuBar-item", has_text=path[0]).first.click()
        for item in path[1:]:
            label = self.page.locator(".lm-Menu-item .lm-Menu-itemLabel", has_text=item)
            label.first.click()

    def close(self) -> None:
        self.context.close()


@contextmanager
def running_demo(directory: Path, *options: str) -> Iterator[Demo]:
    """A demo in this directory; whatever happens, nothing of it stays."""
    demo = Demo(directory, *options)
    demo.start()
    try:
        yield demo
    finally:
        if demo.stop() != 0 or os.environ.get("ZT_SHOW_LOGS"):
            for log in sorted((directory / "logs").glob("*.log")):
                print(f"== {log.name}\n{log.read_text(errors='replace')[-4000:]}")


@contextmanager
def folder_for_a_demo() -> Iterator[Path]:
    """Outside of pytest's folders, which are root's alone: PostgreSQL runs as somebody else."""
    folder = Path(tempfile.mkdtemp(prefix="zt-demo-"))
    try:
        yield folder / "demo"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def demo() -> Iterator[Demo]:
    """One demo for the whole run."""
    with folder_for_a_demo() as folder, running_demo(folder) as running:
        yield running


@contextmanager
def headless_chromium() -> Iterator[Browser]:
    """The system's own Chromium or Chrome, without a window."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    executable = next(filter(None, map(shutil.which, names)), None)
    assert executable, "Chromium is missing: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One browser for the whole run; each person has a profile of their own in it."""
    with headless_chromium() as browser:
        yield browser


@pytest.fixture
def people(demo: Demo, chromium: Browser) -> Iterator[dict[str, Person]]:
    """Browsers of the demo's people; nobody is logged in yet."""
    names = ("analyst", "analyst2", "reviewer", "auditor", "admin")
    everybody = {name: Person(demo, chromium, name) for name in names}
    yield everybody
    for person in everybody.values():
        person.close()
