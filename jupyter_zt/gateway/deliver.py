"""Execute, mask, record, release: from the lease to the bytes that the kernel gets."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass

from jupyter_zt.errors import LogUnavailableError
from jupyter_zt.gateway.answers import Answer
from jupyter_zt.gateway.body import ArrowBody
from jupyter_zt.gateway.budgets import Meter
from jupyter_zt.gateway.rooms import Rooms
from jupyter_zt.gateway.sessions import LiveSession
from jupyter_zt.gateway.stream import AnswerStream, Piece
from jupyter_zt.gateway.unbroken import conclusive
from jupyter_zt.gateway.understood import Understood
from jupyter_zt.model import Action, Approval, Lease, Record, RecordDraft, RecordKind

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
    understood: Understood,
    lease: Lease | None,
    meter: Meter,
    stream: AnswerStream,
    executing: Approval | None,
) -> Delivered:
    """Runs the action as the lease and brings its answer, recorded, to the kernel.

    Raises:
        TargetError: The target refused or failed, or what became of a write is unknown.
        LogUnavailableError: The result can't be recorded: it is not released.
    """
    action, target, facts = understood.action, understood.target, understood.facts
    comment = f"jupyter-zt session={session.id} action={action.id}"
    if session.human.is_service:
        comment += f" service={session.human.subject}"
    if action.agent is not None:
        comment += f" agent={action.agent}"
    ceilings = rooms.ceilings(session, action.agent)
    limits = (
        action.max_rows,
        understood.decision.obligations.max_rows,
        *(one.max_rows for one in ceilings),
    )
    max_rows = min((limit for limit in limits if limit), default=None)
    async with target.execute(lease, action, comment, max_rows) as answer:
        if answer.body is not None:
            return await _record_model_call(rooms, session, action, answer, meter, executing)
        if answer.schema is None:
            rows, size_bytes, withheld, preview, columns = answer.rows, 0, [], b"", []
        else:
            columns = target.columns(facts, answer.schema, understood.decision.obligations.masks)
            stream.event("schema", columns=columns)
            body = ArrowBody(answer.schema)
            withheld = await _send_batches(rooms, body, answer, meter, stream)
            rows, size_bytes, preview = body.rows, body.size_bytes, body.record()
    truncated = meter.cut or answer.truncated
    draft = RecordDraft(
        RecordKind.RESULT,
        session.id,
        fields={
            "action": action.id,
            "status": "completed",
            "rows": str(rows),
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
    record = await _recorded(rooms, draft, executing, meter)
    stream.arrow(withheld)
    return Delivered(record, rows, size_bytes, answer.command_tag, truncated, None)


async def _send_batches(
    rooms: Rooms, body: ArrowBody, answer: Answer, meter: Meter, stream: AnswerStream
) -> list[Piece]:
    """Streams all but the last part, which is returned: it may go out only with its record."""
    started = last_progress = time.monotonic()
    withheld: list[Piece] = []
    async for fetched in answer:
        # What a budget does not give is not encoded, and the statement ends there.
        batch = fetched.slice(0, meter.take(fetched.num_rows, fetched.nbytes))
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
                if meter.counts:
                    await asyncio.to_thread(rooms.budgets.store, meter)
            await stream.flush()
        if meter.cut:
            break
    withheld += body.finish()
    return withheld


async def _recorded(
    rooms: Rooms, draft: RecordDraft, executing: Approval | None, meter: Meter
) -> Record:
    """Records what was done. It is done: a cancel comes too late."""
    closing = rooms.close_execution(draft, executing, outcome_known=True, meter=meter)
    try:
        return await conclusive(closing)
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
    meter: Meter,
    executing: Approval | None,
) -> Delivered:
    body = answer.body or {}
    encoded = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
    usage = body.get("usage")
    meter.model_tokens(_total_tokens(usage))
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
    record = await _recorded(rooms, draft, executing, meter)
    return Delivered(record, 0, len(encoded), "", None, body)


def _total_tokens(usage: object) -> int:
    """As the model's server counts them; one where it does not say."""
    total = usage.get("total_tokens") if isinstance(usage, dict) else None
    return total if isinstance(total, int) and total > 0 else 1
