"""JupyterLab as it comes, without anything of ours: what the same kernels do there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.attacks.active_notebooks import OPEN_PANEL, SLOW
from tests.identity import world

CONFIGURATION = """
c.ServerApp.jpserver_extensions = {"jupyter_zt": False}
c.IdentityProvider.token = ""
c.ServerApp.allow_root = True
c.ServerApp.open_browser = False
c.ServerApp.port_retries = 0
c.LabApp.news_url = None
"""
WITHOUT_OURS = """{"disabledExtensions": {
  "@jupyter-zt/labextension": true, "@jupyterlab/apputils-extension:announcements": true}}"""


class StockJupyterLab:
    """A server that anybody on this machine may use."""

    def __init__(self, folder: Path) -> None:
        self.work = folder / "work"
        configuration = folder / "etc"
        (configuration / "labconfig").mkdir(parents=True)
        (configuration / "jupyter_server_config.py").write_text(CONFIGURATION)
        (configuration / "labconfig" / "page_config.json").write_text(WITHOUT_OURS)
        self.work.mkdir()
        with world.free_socket() as probe:
            port = int(probe.getsockname()[1])
        self.url = f"http://127.0.0.1:{port}"
        with (folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "jupyterlab", f"--port={port}"],
                cwd=self.work,
                env={**os.environ, "JUPYTER_CONFIG_DIR": str(configuration)}
                | {f"JUPYTER_{name}_DIR": str(folder / name) for name in ("RUNTIME", "DATA")},
                stdout=log,
                stderr=log,
            )
        world.wait_until(self._is_ready, seconds=60)

    def _is_ready(self) -> bool:
        assert self._process.poll() is None
        try:
            return httpx.get(f"{self.url}/api").is_success
        except httpx.TransportError:
            return False

    def stop(self) -> None:
        for how in (signal.SIGINT, signal.SIGINT, signal.SIGKILL):
            self._process.send_signal(how)
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                continue
            return

    def open(self, context: BrowserContext, name: str) -> Page:
        """A notebook of the work folder, in JupyterLab, where nothing else is open."""
        page = context.new_page()
        page.goto(f"{self.url}/lab/workspaces/{Path(name).stem}/tree/{name}")
        page.wait_for_selector(f"{OPEN_PANEL} .jp-Cell")
        expect(page.locator("#jp-main-statusbar")).to_contain_text("| Idle", timeout=SLOW)
        return page

    def visitor(self, browser: Browser) -> BrowserContext:
        """Somebody's browser."""
        return browser.new_context(viewport={"width": 1500, "height": 950})


@contextmanager
def stock_jupyterlab(folder: Path) -> Iterator[StockJupyterLab]:
    """A server of its own, and nothing of it left."""
    server = StockJupyterLab(folder)
    try:
        yield server
    finally:
        server.stop()


def run_all(page: Page) -> None:
    """Runs the open notebook to its end."""
    page.locator(".lm-MenuBar-item", has_text="Run").first.click()
    page.locator(".lm-Menu-itemLabel", has_text="Run All Cells").first.click()
    last = page.locator(f"{OPEN_PANEL} .jp-CodeCell").last
    last.evaluate("node => node.scrollIntoView()")
    page.wait_for_function(
        """panel => {
          const prompts = [...document.querySelectorAll(panel + ' .jp-CodeCell .jp-InputPrompt')]
            .map(prompt => prompt.textContent);
          return /\\[\\d+\\]:/.test(prompts.at(-1)) && !prompts.includes('[*]:');
        }""",
        arg=OPEN_PANEL,
        timeout=SLOW,
    )
