"""Real logs in real folders, and a session that was recorded in one."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jupyter_zt.model import RecordDraft, RecordKind
from jupyter_zt.recording import (
    Log,
    build_recording,
    cell_projection,
    load_or_create_key,
    seal,
)
from jupyter_zt.storage import open_database

ORIGIN = "gateway.test/zt"
HUMAN = {"iss": "https://id.test", "sub": "7", "name": "analyst"}

OUTPUTS: list[dict[str, Any]] = [
    {"output_type": "stream", "name": "stdout", "text": "loading\n"},
    {
        "output_type": "execute_result",
        "execution_count": 1,
        "metadata": {},
        "data": {"text/plain": "   id email\n0   1 a***\n", "text/html": "<b>1</b>"},
    },
]


@contextmanager
def open_log(
    folder: Path,
    origin: str = ORIGIN,
    *,
    on_fatal: Callable[[str], None] | None = None,
    waiting: frozenset[str] = frozenset(),
) -> Iterator[Log]:
    """The log in `folder`, started; a second opening is a restart."""
    engine = open_database(f"sqlite:///{folder / 'state.sqlite'}")
    key = load_or_create_key(folder / "log.key")
    log = Log(engine, origin, key, lambda: datetime.now(UTC), os.urandom, on_fatal=on_fatal)
    try:
        log.start(waiting)
        yield log
    finally:
        log.close()
        engine.dispose()


def draft(kind: RecordKind, session: str = "s_1", **fields: Any) -> RecordDraft:
    """A record to be, of kind `kind`."""
    return RecordDraft(kind, session, fields)


def opened(session: str = "s_1") -> RecordDraft:
    """The first record of a session."""
    return draft(
        RecordKind.SESSION_OPEN,
        session,
        principal={"human": HUMAN, "agent": "", "session": session},
        notebook="tour.ipynb",
        sandbox={"state": "sandboxed", "detail": "bubblewrap 0.8.0"},
        connections=["llm", "warehouse"],
    )


def cell(
    session: str = "s_1",
    source: str = "df = 1",
    outputs: list[dict[str, Any]] | None = None,
    actions: tuple[str, ...] = (),
) -> RecordDraft:
    """A cell that the broker saw run."""
    body = cell_projection("abc-1", "code", source, OUTPUTS if outputs is None else outputs)
    fields = {"cell": "abc-1", "message": "m_1", "status": "ok", "actions": list(actions)}
    return RecordDraft(RecordKind.CELL, session, fields, {"cell": body}, "broker")


async def run_action(log: Log, session: str = "s_1", action: str = "a_1") -> str:
    """One action from intent to result; returns the intent's place in its session."""
    intent = RecordDraft(
        RecordKind.INTENT,
        session,
        {"action": action, "connection": "warehouse"},
        {"command": b"select id, email from customers"},
    )
    decision = draft(RecordKind.DECISION, session, action=action, verdict="allow")
    records = await log.append([intent, decision])
    fields = {"action": action, "status": "completed", "rows": "1"}
    await log.append([RecordDraft(RecordKind.RESULT, session, fields, {"result": b"1|a***"})])
    return str(records[0].seq)


async def record_session(
    log: Log, session: str = "s_1", *, cells: int = 3, cells_seen: int | None = None
) -> bytes:
    """A whole session, sealed, as its recording."""
    await log.append([opened(session)])
    for number in range(cells):
        place = await run_action(log, session, f"a_{session}_{number}")
        await log.append([cell(session, f"%%sql warehouse\nselect {number}", actions=(place,))])
    await seal(log, session, cells if cells_seen is None else cells_seen)
    return build_recording(log, session)


def change(recording: bytes, edit: Callable[[dict[str, Any]], None]) -> bytes:
    """The recording after somebody edited its notebook."""
    notebook = json.loads(recording)
    edit(notebook)
    return json.dumps(notebook).encode()
