"""Reads the stored log: leaves, subtrees, a session's records and bodies."""

from __future__ import annotations

import json

from sqlalchemy import Connection, func, select

from jupyter_zt.model import Record, RecordKind
from jupyter_zt.recording.tree import TILE_HEIGHT
from jupyter_zt.recording.verify.merkle import root_of
from jupyter_zt.storage.log_tables import log_bodies, log_leaves, log_nodes

__all__ = [
    "StoredTree",
    "cell_bodies",
    "head_of",
    "log_size",
    "session_bodies",
    "session_hashes",
    "session_records",
]


class StoredTree:
    """Roots of complete subtrees, from stored leaves and tiles: at most 256 rows for each."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def node(self, level: int, position: int) -> bytes:
        """Root of the complete subtree ``(level, position)``.

        Raises:
            LookupError: Rows are missing.
        """
        stored, above = divmod(level, TILE_HEIGHT)
        count = 1 << above
        first = position * count
        rows = self._hashes(stored * TILE_HEIGHT, first, first + count)
        if len(rows) != count:
            raise LookupError(f"subtree {level}/{position} of the log is incomplete")
        return root_of(rows)

    def _hashes(self, level: int, first: int, end: int) -> list[bytes]:
        if level == 0:
            at, column, where = log_leaves.c.leaf, log_leaves.c.hash, log_leaves.c.leaf >= first
        else:
            at, column = log_nodes.c.position, log_nodes.c.hash
            where = (log_nodes.c.level == level) & (log_nodes.c.position >= first)
        query = select(column).where(where, at < end).order_by(at)
        return [bytes(row) for row in self._connection.execute(query).scalars()]


def log_size(connection: Connection) -> int:
    """Number of leaves."""
    last = connection.execute(select(func.max(log_leaves.c.leaf))).scalar()
    return 0 if last is None else int(last) + 1


def head_of(connection: Connection, session: str) -> tuple[int, str, str] | None:
    """The session's last record as (seq, leaf hash in hex, kind), or None when there is none."""
    query = (
        select(log_leaves.c.seq, log_leaves.c.hash, log_leaves.c.kind)
        .where(log_leaves.c.session == session)
        .order_by(log_leaves.c.seq.desc())
        .limit(1)
    )
    row = connection.execute(query).first()
    return (int(row.seq), bytes(row.hash).hex(), str(row.kind)) if row else None


def session_records(connection: Connection, session: str) -> list[Record]:
    """A session's records in order."""
    query = (
        select(log_leaves.c.leaf, log_leaves.c.seq, log_leaves.c.kind, log_leaves.c.data)
        .where(log_leaves.c.session == session)
        .order_by(log_leaves.c.seq)
    )
    return [
        Record(int(row.leaf), int(row.seq), session, RecordKind(row.kind), bytes(row.data))
        for row in connection.execute(query)
    ]


def session_hashes(connection: Connection, session: str) -> list[tuple[str, bytes]]:
    """A session's records in order, as (kind, leaf hash)."""
    query = (
        select(log_leaves.c.kind, log_leaves.c.hash)
        .where(log_leaves.c.session == session)
        .order_by(log_leaves.c.seq)
    )
    return [(str(row.kind), bytes(row.hash)) for row in connection.execute(query)]


def cell_bodies(connection: Connection, session: str) -> list[bytes]:
    """The cell projections of a session in order; b"null" for one that was erased."""
    bodies = session_bodies(connection, session)
    found: list[bytes] = []
    for record in session_records(connection, session):
        if record.kind is RecordKind.CELL:
            named = json.loads(record.data).get("bodies", {}).get("cell", "")
            found.append(bodies.get(named, (b"", b"null"))[1])
    return found


def session_bodies(connection: Connection, session: str) -> dict[str, tuple[bytes, bytes]]:
    """A session's bodies that are not erased: hash in hex -> (salt, body)."""
    query = select(log_bodies.c.hash, log_bodies.c.salt, log_bodies.c.body).where(
        log_bodies.c.session == session, log_bodies.c.body.is_not(None)
    )
    return {
        bytes(row.hash).hex(): (bytes(row.salt), bytes(row.body))
        for row in connection.execute(query)
    }
