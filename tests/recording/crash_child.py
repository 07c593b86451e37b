"""Appends from many tasks until it is killed; says what was acknowledged, and only then."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from jupyter_zt.model import RecordDraft, RecordKind
from tests.fixtures_recording import draft, open_log

WRITERS = 8


def run(folder: str, cycle: int, pipe: int) -> None:
    """Append to the log in `folder`, and write ``<leaf>\\n`` to `pipe` once it is durable."""
    asyncio.run(_main(Path(folder), cycle, pipe))


async def _main(folder: Path, cycle: int, pipe: int) -> None:
    with open_log(folder) as log:

        async def write(number: int) -> None:
            session = f"s_{cycle}_{number}"
            step = 0
            while True:
                intent = RecordDraft(
                    RecordKind.INTENT,
                    session,
                    {"action": f"a_{cycle}_{number}_{step}"},
                    {"command": b"select 1" * 50},
                )
                records = await log.append([intent])
                os.write(pipe, b"%d\n" % records[0].leaf)
                if step % 2:
                    done = draft(RecordKind.RESULT, session, action=intent.fields["action"])
                    records = await log.append([done])
                    os.write(pipe, b"%d\n" % records[0].leaf)
                step += 1

        await asyncio.gather(*(write(number) for number in range(WRITERS)))
