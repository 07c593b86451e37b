"""kill -9 at any time: what was acknowledged is there, and the log is the one that was signed."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import random
import time
from pathlib import Path

from sqlalchemy import select

from jupyter_zt.recording.verify.note import Checkpoint, split_note
from jupyter_zt.storage.log_tables import log_leaves
from tests.fixtures_recording import open_log
from tests.recording import crash_child

CYCLES = int(os.environ.get("ZT_CRASH_CYCLES", "25"))


def _killed_run(context: multiprocessing.context.ForkContext, folder: Path, cycle: int) -> set[int]:
    """One child, killed after a while; returns the leaves that it was told are durable."""
    reader, writer = os.pipe()
    child = context.Process(target=crash_child.run, args=(str(folder), cycle, writer), daemon=True)
    child.start()
    os.close(writer)
    deadline = time.monotonic() + random.uniform(0.02, 0.35)
    told = bytearray()
    os.set_blocking(reader, False)
    while time.monotonic() < deadline:
        try:
            told += os.read(reader, 65536)
        except BlockingIOError:
            time.sleep(0.002)
    child.kill()
    child.join()
    while part := os.read(reader, 65536):
        told += part
    os.close(reader)
    return {int(line) for line in told.split(b"\n")[:-1]}


def test_no_acknowledged_record_is_lost_to_kill_9(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    acknowledged: set[int] = set()
    heads: list[Checkpoint] = []
    for cycle in range(CYCLES):
        acknowledged |= _killed_run(context, tmp_path, cycle)
        with open_log(tmp_path) as log:  # refuses to start unless it is as it was signed
            with log._engine.connect() as connection:
                rows = connection.execute(select(log_leaves.c.leaf, log_leaves.c.data)).all()
            heads.append(Checkpoint.parse(split_note(log.checkpoint())[0]))
            if len(heads) > 1 and heads[-2].size:
                assert log.consistency(heads[-2].size, heads[-1].size) is not None
        assert acknowledged <= {row.leaf for row in rows}
    assert len(acknowledged) > CYCLES
    records = [json.loads(row.data) for row in rows]
    closed = {it["action"] for it in records if it["kind"] in {"result", "unknown_outcome"}}
    assert {it["action"] for it in records if it["kind"] == "intent"} == closed


def test_the_loop_of_the_child_really_runs_under_load(tmp_path: Path) -> None:
    async def measure() -> int:
        reader, writer = os.pipe()
        task = asyncio.create_task(crash_child._main(tmp_path, 0, writer))
        await asyncio.sleep(0.3)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        os.close(writer)
        told = os.read(reader, 1 << 20)
        os.close(reader)
        return told.count(b"\n")

    assert asyncio.run(measure()) > crash_child.WRITERS
