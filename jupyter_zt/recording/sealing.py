"""The seal: a session's last record, which fixes how many there are and what they are."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection

from jupyter_zt.errors import ConflictError, NotFoundError
from jupyter_zt.model import Record, RecordDraft, RecordKind
from jupyter_zt.recording.group import Group
from jupyter_zt.recording.log import Log
from jupyter_zt.recording.reading import cell_bodies, session_hashes
from jupyter_zt.recording.recovery import unknown_outcome
from jupyter_zt.recording.verify.merkle import root_of
from jupyter_zt.recording.verify.projection import hash_projections

__all__ = ["seal"]


async def seal(
    log: Log,
    session: str,
    cells_seen: int,
    also: Callable[[Connection, str], None] | None = None,
) -> Record:
    """Seal a session. An action that still has no outcome gets ``unknown_outcome`` first.

    Args:
        log: Where the session is recorded.
        session: Its id.
        cells_seen: Cells that the broker saw run. More than are recorded makes a GAP.
        also: ``(connection, session)``: changes other tables in the same transaction.

    Raises:
        NotFoundError: The session has no records.
        ConflictError: It is sealed already.
        LogUnavailableError: The seal is not durable.
    """

    def job(group: Group) -> Record:
        for action, entry in list(group.open_actions.items()):
            if entry.session == session:
                group.add(unknown_outcome(group, action, entry))
        group.flush()
        record = group.add(_draft(group.connection, session, cells_seen))
        if also is not None:
            group.flush()
            also(group.connection, session)
        return record

    return await log.write(job)


def _draft(connection: Connection, session: str, cells_seen: int) -> RecordDraft:
    kinds_and_hashes = session_hashes(connection, session)
    if not kinds_and_hashes:
        raise NotFoundError("There is no such session.", code="unknown_session")
    kinds = [kind for kind, _ in kinds_and_hashes]
    if RecordKind.SEAL in kinds:
        raise ConflictError("This session is sealed.", code="session_sealed")
    fields = {
        "count": str(len(kinds)),
        "root": root_of([hashed for _, hashed in kinds_and_hashes]).hex(),
        "cells": str(kinds.count(RecordKind.CELL)),
        "cells_seen": str(cells_seen),
        "actions": str(kinds.count(RecordKind.INTENT)),
        "projection": hash_projections(cell_bodies(connection, session)),
    }
    return RecordDraft(RecordKind.SEAL, session, fields)
