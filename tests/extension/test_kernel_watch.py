"""A real kernel, heard by the broker without a browser."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from jupyter_server.services.kernels.kernelmanager import (
    AsyncMappingKernelManager,
    ServerKernelManager,
)

from jupyter_zt.extension.journal import CellRun, KernelJournal
from jupyter_zt.extension.kernel_watch import KernelWatch
from jupyter_zt.extension.message_filter import from_kernel


class Heard:
    """A running kernel, the broker's ear at it, and what was recorded."""

    def __init__(self, kernel: ServerKernelManager) -> None:
        self.kernel = kernel
        self.runs: list[CellRun] = []
        journal = KernelJournal(from_kernel, max_output_bytes=1_000_000)
        self.watch = KernelWatch(
            kernel, journal, self.runs.extend, logging.getLogger("test"), nudge_milliseconds=50
        )
        self._shell: Any = kernel.connect_shell()

    def ask(self, code: str) -> None:
        """Ask as the page's socket does: noted first, and not before the broker can hear."""
        request = self.kernel.session.msg("execute_request", {"code": code, "silent": False})
        self.watch.when_listening(partial(self._pass_on, request, code))

    def _pass_on(self, request: dict[str, Any], code: str) -> None:
        self.watch.journal.asked(request["header"]["msg_id"], code, "")
        self.kernel.session.send(self._shell, request)

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not holds():  # noqa: ASYNC110 - what changes comes from another process
                await asyncio.sleep(0.02)

    def close(self) -> None:
        self.watch.close()
        self._shell.close()


@pytest.fixture
async def heard(tmp_path: Path) -> AsyncIterator[Heard]:
    kernels = AsyncMappingKernelManager(root_dir=str(tmp_path))
    kernel_id = await kernels.start_kernel(kernel_name="python3")
    heard = Heard(kernels.get_kernel(kernel_id))
    yield heard
    heard.close()
    await kernels.shutdown_kernel(kernel_id, now=True)


def texts(run: CellRun) -> str:
    return "".join(output.get("text", "") for output in run.outputs)


async def test_no_output_is_missed_from_the_first_request_on(heard: Heard) -> None:
    heard.ask("print('first')")
    heard.ask("print('second')")

    await heard.until(lambda: len(heard.runs) == 2)

    assert [texts(run) for run in heard.runs] == ["first\n", "second\n"]
    assert [run.status for run in heard.runs] == ["ok", "ok"]


async def test_a_restart_aborts_what_ran_and_hears_the_new_process(heard: Heard) -> None:
    heard.ask("import time; print('half', flush=True); time.sleep(60)")
    heard.ask("print('never')")
    await heard.until(lambda: heard.kernel.execution_state == "busy")

    await heard.kernel.shutdown_kernel(now=True, restart=True)
    heard.watch.restarted()
    await heard.kernel.start_kernel()
    heard.ask("print('after')")

    await heard.until(lambda: len(heard.runs) == 3)
    assert [(run.status, texts(run)) for run in heard.runs][1:] == [
        ("aborted", ""),
        ("ok", "after\n"),
    ]
    assert heard.runs[0].status == "aborted"


async def test_a_message_with_a_false_signature_is_shown_so_it_is_recorded(heard: Heard) -> None:
    forge = """
import json
from ipykernel.kernelapp import IPKernelApp
kernel = IPKernelApp.instance().kernel
parent = kernel.get_parent()["header"]
header = {**parent, "msg_id": "forged", "msg_type": "stream"}
content = {"name": "stdout", "text": "unsigned"}
parts = [json.dumps(part, default=str).encode() for part in (header, parent, {}, content)]
kernel.iopub_socket.send_multipart([b"stream", b"<IDS|MSG>", b"no signature", *parts])
"""
    heard.ask(forge)

    await heard.until(lambda: len(heard.runs) == 1)

    assert texts(heard.runs[0]) == "unsigned"


async def test_what_is_no_message_does_not_stop_the_journal(heard: Heard) -> None:
    rubbish = """
from ipykernel.kernelapp import IPKernelApp
socket = IPKernelApp.instance().kernel.iopub_socket
socket.send_multipart([b"rubbish"])
socket.send_multipart([b"x", b"<IDS|MSG>", b"", b"{", b"[]", b"NaN", b"\\xff"])
print("goes on")
"""
    heard.ask(rubbish)

    await heard.until(lambda: len(heard.runs) == 1)

    assert texts(heard.runs[0]) == "goes on\n"


async def test_a_flood_is_heard_whole(heard: Heard) -> None:
    heard.ask("for i in range(5000): print(i, flush=i % 10 == 0)")

    await heard.until(lambda: len(heard.runs) == 1)

    assert texts(heard.runs[0]).split() == [str(i) for i in range(5000)]
    assert json.dumps(heard.runs[0].outputs)
