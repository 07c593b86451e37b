"""JupyterLab itself opens a recording and saves it again: that is no tampering."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from jupyter_zt.recording import Log, build_recording, seal, trust_policy
from jupyter_zt.recording.verify import Verdict, verify
from tests.fixtures_recording import cell, opened

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
RICH: list[dict[str, Any]] = [
    {"output_type": "stream", "name": "stdout", "text": "1%\r2%\r\n"},
    {"output_type": "stream", "name": "stdout", "text": "abc\b\bX \U0001f600\n"},
    {"output_type": "stream", "name": "stderr", "text": "warning\n"},
    {
        "output_type": "display_data",
        "metadata": {},
        "data": {
            "image/png": (
                "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAA\n"
                "AABJRU5ErkJggg==\n"
            ),
            "text/html": "<table>\n<tr><td>1</td></tr>\n</table>\n",
            "text/plain": "a\nb\n",
            "application/json": {"width": 2.0, "big": 12345678901234567890, "tiny": 1e-7},
        },
    },
    {"output_type": "error", "ename": "E", "evalue": "v", "traceback": ["\x1b[31mE\x1b[0m", "v"]},
]


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A plain JupyterLab on a folder of its own: its address and the folder."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
            f"--ServerApp.port={port}",
            "--ServerApp.port_retries=0",
            "--IdentityProvider.token=",
            "--ServerApp.jpserver_extensions={'jupyter_zt': False, 'jupyterlab': True}",
            f"--ServerApp.root_dir={folder}",
        ],
        env={
            **os.environ,
            "HOME": str(tmp_path),
            "JUPYTER_CONFIG_DIR": str(tmp_path / "config"),
            "JUPYTER_DATA_DIR": str(tmp_path / "data"),
            "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"),
            "JUPYTER_NO_CONFIG": "1",
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try:
                urlopen(f"{address}/api/status", timeout=5).close()
                break
            except OSError:
                assert process.poll() is None, "JupyterLab did not start"
                time.sleep(0.1)
        yield address, folder
    finally:
        process.terminate()
        process.wait(timeout=20)


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
async def test_opening_and_saving_in_jupyterlab_is_no_tampering(
    log: Log, lab: tuple[str, Path]
) -> None:
    from playwright.async_api import async_playwright, expect

    address, folder = lab
    await log.append([opened(), cell(source="a = 1\nb\n", outputs=RICH), cell(outputs=[])])
    await seal(log, "s_1", 2)
    before = build_recording(log, "s_1")
    path = folder / "tour.ipynb"
    path.write_bytes(before)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = await browser.new_page()
        await page.goto(f"{address}/lab/tree/tour.ipynb?reset")
        dialog = page.locator(".jp-Dialog")
        await dialog.locator("button", has_text=re.compile("No Kernel")).click(timeout=60_000)
        notebook = page.locator(".jp-Notebook")
        await expect(notebook.locator(".jp-CodeCell")).to_have_count(2)
        # Collapsing the input is a change that is no evidence; it makes the file worth saving.
        await notebook.locator(".jp-CodeCell").first.locator(".jp-InputPrompt").click()
        await notebook.locator(".jp-CodeCell").first.locator(".jp-InputCollapser").click()
        await page.keyboard.press("Control+s")
        for _ in range(100):
            if path.read_bytes() != before:
                break
            await page.wait_for_timeout(100)
        await browser.close()
    after = path.read_bytes()
    saved = json.loads(after)
    assert after != before
    assert saved["cells"][1]["metadata"]["jupyter"]["source_hidden"] is True
    report = verify(after, trust_policy(log))
    assert report.verdict is Verdict.VALID, report.messages
