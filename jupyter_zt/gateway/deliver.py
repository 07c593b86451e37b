"""Execute, mask, record, release: from the lease to the bytes that the kernel gets."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass

from jupyter_zt.errors import LogUnavailableError
from jupyter_zt.gateway.answers import Answer
from jupyter_zt.gateway.body import ArrowBody
from jupyter_zt.gateway.rooms import Rooms
from jupyter_zt.gateway.sessions import LiveSession
from jupyter_zt.gateway.stream import AnswerStream, Piece
from jupyter_zt.gateway.targets import Target
from jupyter_zt.gateway.unbroken import conclusive
from jupyter_zt.model import Action, Approval, Facts, Lease, Record, RecordDraft, RecordKind

RELEASE_BYTES = 1024 * 1024
"""Up to here a result is released only after its record is durable (recording format v1, Log)."""

PROGRESS_SECONDS = 0.5
INLINE_BYTES = 64 * 1024
"""Batches up to this size are encoded at once: a thread would cost more than it saves."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """What became of an executed action.

    Attributes:
        body: A model's answer; None for everything else.
        truncated: Which limit cut the result, or None.
    """

    record: Record
    rows: int
    size_bytes: int
    command_tag: str
    truncated: dict[str, str] | None
    body: dict[str, object] | None


async def deliver(
    rooms: Rooms,
    session: LiveSession,
    action: Action,
    target: Target,
    facts: Facts,
    lease: Lease | None,
    stream: AnswerStream,
    executing: Approval | None,
) -> Delivered:
    """Runs the action as the lease and brings its answer, recorded, to the kernel.

    Raises:
        TargetError: The target refused or failed, or what became of a write is unknown.
        LogUnavailableError: The result can't be recorded: it is not released.
    """
    agent = rooms.agent(action.agent)
    comment = f"jupyter-zt session={session.id} action={action.id}"
    if agent is not None:
        comment += f" agent={agent.name}"
    max_rows = agent.max_rows if agent else None
    async with target.execute(lease, action, comment, max_rows) as answer:
        if answer.body is not None:
            return await _record_model_call(rooms, session, action, answer, executing)
        if answer.schema is None:
            size_bytes, withheld, preview, columns = 0, [], b"", []
        else:
            columns = target.columns(facts, answer.schema)
            stream.event("schema", columns=columns)
            body = ArrowBody(answer.schema)
            withheld = await _send_batches(body, answer, stream)
            size_bytes, preview = body.size_bytes, body.record()
    truncated = answer.truncated
    draft = RecordDraft(
        RecordKind.RESULT,
        session.id,
        fields={
            "action": action.id,
            "status": "completed",
            "rows": str(answer.rows),
            "bytes": str(size_bytes),
            "command_tag": answer.command_tag,
            "truncated": truncated["limit"] if truncated else "",
            "masked": [
                {"column": column["name"], **mask}
                for column in columns
                if isinstance(mask := column["mask"], dict)
            ],
        },
        bodies={"result": preview} if preview else {},
    )
    record = await _recorded(rooms, draft, executing)
    stream.arrow(withheld)
    return Delivered(record, answer.rows, size_bytes, answer.command_tag, truncated, None)


async def _send_batches(body: ArrowBody, answer: Answer, stream: AnswerStream) -> list[Piece]:
    """Streams all but the last part, which is returned: it may go out only with its record."""
    started = last_progress = time.monotonic()
    withheld: list[Piece] = []
    async for batch in answer:
        if batch.nbytes <= INLINE_BYTES:
            withheld += body.add(batch)
        else:
            withheld += await asyncio.to_thread(body.add, batch)
        if body.size_bytes > RELEASE_BYTES:
            stream.arrow(withheld)
            withheld = []
            now = time.monotonic()
            if now - last_progress >= PROGRESS_SECONDS:
                last_progress = now
                stream.event("progress", rows=str(body.rows), seconds=round(now - started, 3))
            await stream.flush()
    withheld += body.finish()
    return withheld


async def _recorded(rooms: Rooms, draft: RecordDraft, executing: Approval | None) -> Record:
    """Records what was done. It is done: a cancel comes too late."""
    try:
        return await conclusive(rooms.close_execution(draft, executing, outcome_known=True))
    except LogUnavailableError as error:
        raise LogUnavailableError(
            f"This was done, but its result can't be recorded, so it is not shown. {error.message}",
            hint="Look at what it did before you run it again.",
        ) from error


async def _record_model_call(
    rooms: Rooms,
    session: LiveSession,
    action: Action,
    answer: Answer,
    executing: Approval | None,
) -> Delivered:
    body = answer.body or {}
    encoded = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
    usage = body.get("usage")
    draft = RecordDraft(
        RecordKind.MODEL_CALL,
        session.id,
        fields={
            "action": action.id,
            "status": "completed",
            "model": str(body.get("model", "")),
            "usage": {name: str(count) for name, count in usage.items()}
            if isinstance(usage, dict)
            else {},
        },
        bodies={"prompt": action.command.encode("utf-8", "replace"), "answer": encoded},
    )
    record = await _recorded(rooms, draft, executing)
    return Delivered(record, 0, len(encoded), "", None, body)
