from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from jupyter_zt.extension.gateway_client import OpenedSession
from jupyter_zt.extension.journal import CellRun
from jupyter_zt.extension.recorder import SessionRecorder
from jupyter_zt.extension.recording_file import RecordingFile
from tests.extension.gateway_double import Gateway

SESSION = OpenedSession(
    "s_0123456789abcdef", "/run/s/gateway.sock", datetime(2030, 1, 1, tzinfo=UTC)
)


def cell(source: str) -> CellRun:
    return CellRun(source, "cell", source, [], "ok")


@pytest.fixture
def gateway() -> Gateway:
    return Gateway()


@pytest.fixture
async def recorder(gateway: Gateway, tmp_path: Path) -> AsyncIterator[SessionRecorder]:
    file = RecordingFile(tmp_path / "recordings", "work/tour.ipynb", SESSION.id)
    client = gateway.client()
    recorder = SessionRecorder(client, SESSION, file, logging.getLogger("test"))
    yield recorder
    recorder.stop()
    await client.close()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - what changes is another task's
            await asyncio.sleep(0.01)


def written(folder: Path) -> dict[str, object]:
    file = folder / "recordings" / "tour.0123456789ab.zt.ipynb"
    return json.loads(file.read_text()) if file.exists() else {}


async def test_cells_reach_the_log_in_order_and_the_file_follows(
    recorder: SessionRecorder, gateway: Gateway, tmp_path: Path
) -> None:
    recorder.add([cell("1"), cell("2")])
    recorder.add([cell("3")])

    await until(lambda: written(tmp_path).get("cells") == 3)

    assert [item["source"] for item in gateway.cells] == ["1", "2", "3"]
    assert recorder.state == "ok"


async def test_cells_wait_in_order_while_the_gateway_is_away(
    recorder: SessionRecorder, gateway: Gateway, tmp_path: Path
) -> None:
    gateway.away = True
    recorder.add([cell("1"), cell("2")])
    await until(lambda: recorder.state == "behind")
    recorder.add([cell("3")])

    gateway.away = False

    await until(lambda: written(tmp_path).get("cells") == 3)
    assert [item["source"] for item in gateway.cells] == ["1", "2", "3"]
    await until(lambda: recorder.state == "ok")


async def test_a_log_that_is_full_is_tried_again(
    recorder: SessionRecorder, gateway: Gateway
) -> None:
    gateway.refusals = [503, 500]
    recorder.add([cell("1")])

    await until(lambda: len(gateway.cells) == 1)

    assert recorder.state in {"ok", "behind"}


async def test_a_cell_that_is_refused_for_good_is_lost_and_said_to_be(
    recorder: SessionRecorder, gateway: Gateway
) -> None:
    gateway.refusals = [409]
    recorder.add([cell("1"), cell("2")])

    await until(lambda: len(gateway.cells) == 1)
    await recorder.seal()

    assert recorder.state == "failed"
    assert [item["source"] for item in gateway.cells] == ["2"]
    assert gateway.sealed == "2", "the seal says what was seen, so the lost cell is a gap"


async def test_a_cell_that_is_too_large_is_recorded_without_its_outputs(
    recorder: SessionRecorder, gateway: Gateway
) -> None:
    gateway.refusals = [413]
    recorder.add([cell("1")])

    await until(lambda: len(gateway.cells) == 1)

    assert gateway.cells[0]["source"] == "1"
    assert "too large" in gateway.cells[0]["outputs"][0]["text"]
    assert recorder.state == "ok"


async def test_sealing_waits_for_what_is_not_recorded_yet(
    recorder: SessionRecorder, gateway: Gateway, tmp_path: Path
) -> None:
    gateway.away = True
    recorder.add([cell("1")])
    sealing = asyncio.create_task(recorder.seal())
    await until(lambda: recorder.state == "behind")

    gateway.away = False
    await sealing

    assert written(tmp_path) == {"cells": 1, "sealed": "1"}


async def test_a_slow_write_of_what_came_before_does_not_replace_the_sealed_recording(
    gateway: Gateway, tmp_path: Path
) -> None:
    begun, go = threading.Event(), threading.Event()

    class SlowFile(RecordingFile):
        def write(self, content: bytes) -> None:
            if not json.loads(content)["sealed"]:
                begun.set()
                go.wait(20)
            super().write(content)

    file = SlowFile(tmp_path / "recordings", "work/tour.ipynb", SESSION.id)
    client = gateway.client()
    recorder = SessionRecorder(client, SESSION, file, logging.getLogger("test"))
    recorder.add([cell("1")])
    await until(begun.is_set)
    sealing = asyncio.create_task(recorder.seal())
    await asyncio.sleep(0.1)  # it would have been sealed by now

    go.set()
    await sealing
    await asyncio.sleep(0.1)  # nothing is written behind its back

    assert written(tmp_path) == {"cells": 1, "sealed": "1"}
    await client.close()


async def test_a_session_without_cells_leaves_no_file(
    recorder: SessionRecorder, gateway: Gateway, tmp_path: Path
) -> None:
    await recorder.seal()

    assert gateway.sealed == "0"
    assert not (tmp_path / "recordings").exists()


async def test_a_disk_that_is_full_is_tried_again(
    recorder: SessionRecorder, tmp_path: Path
) -> None:
    blocker = tmp_path / "recordings"
    blocker.write_text("not a folder")
    recorder.add([cell("1")])
    await until(lambda: recorder.state == "behind")

    blocker.unlink()

    await until(lambda: written(tmp_path).get("cells") == 1)


def test_a_recording_replaces_the_last_one_whole(tmp_path: Path) -> None:
    file = RecordingFile(tmp_path, "a/b/My notes (1).ipynb", "s_" + "ab" * 16)

    file.write(b"first")
    file.write(b"second")

    [written_file] = tmp_path.iterdir()
    assert written_file.name == "My notes (1).abababababab.zt.ipynb"
    assert written_file.read_bytes() == b"second"
    assert written_file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("notebook", "stem"),
    [
        ("", "console"),
        ("../../etc/passwd", "passwd"),
        (".hidden.ipynb", "hidden"),
        ("a\n<script>.ipynb", "a_script_"),
        ("über.ipynb", "über"),
        ("x" * 300 + ".ipynb", "x" * 80),
    ],
)
def test_a_recording_s_name_is_a_plain_file_name(notebook: str, stem: str, tmp_path: Path) -> None:
    assert RecordingFile(tmp_path, notebook, "s_1234").name == f"{stem}.1234.zt.ipynb"


def test_a_kernel_can_not_redirect_recordings_with_a_link(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "recordings").symlink_to(elsewhere)

    with pytest.raises(OSError, match="recordings"):
        RecordingFile(tmp_path / "recordings", "a.ipynb", "s_1").write(b"x")

    assert not list(elsewhere.iterdir())


def test_a_link_in_place_of_the_file_is_replaced_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    file = RecordingFile(tmp_path / "recordings", "a.ipynb", "s_1")
    (tmp_path / "recordings").mkdir()
    (tmp_path / "recordings" / file.name).symlink_to(victim)

    file.write(b"recording")

    assert victim.read_text() == "untouched"
    assert (tmp_path / "recordings" / file.name).read_bytes() == b"recording"
