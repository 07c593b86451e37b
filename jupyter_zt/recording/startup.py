"""Checks a stored log before anything is added to it.

Every record's bytes are hashed again and the tree is rebuilt from them, so whatever was edited,
deleted or added behind the log's back since the last signed checkpoint keeps the log closed.
"""

from __future__ import annotations

from sqlalchemy import Connection, select

from jupyter_zt.errors import EvidenceError
from jupyter_zt.recording.group import LogState, OpenAction
from jupyter_zt.recording.tree import Frontier
from jupyter_zt.recording.verify.merkle import leaf_hash
from jupyter_zt.recording.verify.note import Checkpoint, VerifierKey, open_note
from jupyter_zt.storage.log_tables import (
    log_checkpoint,
    log_leaves,
    log_nodes,
    log_open_actions,
)

__all__ = ["load_checked"]

_ROWS_PER_FETCH = 1000
_HINT = "Restore the database from a backup, or start a new log in a new directory."


def load_checked(connection: Connection, origin: str, key: VerifierKey) -> tuple[LogState, str]:
    """The state of the stored log and its last signed checkpoint ("" when the log is new).

    Raises:
        EvidenceError: The stored log is not the one that was signed last.
    """
    # (1) The tree head that this log signed last, under this origin and key.
    note = _last_note(connection, origin)
    signed = _check_note(note, origin, key) if note else Checkpoint(origin, 0, b"")
    # (2) The tree that the stored records make.
    frontier = _rebuild(connection)
    # (3) They are the same. A checkpoint commits with its leaves, so neither can be ahead.
    if frontier.size != signed.size:
        raise _refused(f"it holds {frontier.size} records and {signed.size} were signed")
    if note and frontier.root() != signed.root:
        raise _refused("its records are not those that were signed")
    return LogState(frontier, {}, _open_actions(connection)), note


def _last_note(connection: Connection, origin: str) -> str:
    rows = connection.execute(select(log_checkpoint.c.origin, log_checkpoint.c.note)).all()
    if not rows:
        return ""
    if len(rows) > 1 or rows[0].origin != origin:
        raise _refused(f"it belongs to {rows[0].origin} and this gateway is {origin}")
    return str(rows[0].note)


def _check_note(note: str, origin: str, key: VerifierKey) -> Checkpoint:
    text, signers = open_note(note, [key])
    if not signers:
        raise _refused("its last checkpoint was signed with another key")
    checkpoint = Checkpoint.parse(text)
    if checkpoint.origin != origin:
        raise _refused("its last checkpoint names another origin")
    return checkpoint


def _rebuild(connection: Connection) -> Frontier:
    frontier = Frontier()
    nodes = {
        (int(row.level), int(row.position)): bytes(row.hash)
        for row in connection.execute(select(log_nodes))
    }
    found = 0
    query = select(log_leaves.c.leaf, log_leaves.c.hash, log_leaves.c.data).order_by(
        log_leaves.c.leaf
    )
    streamed = connection.execution_options(yield_per=_ROWS_PER_FETCH).execute(query)
    for leaf, stored, data in streamed:
        # SQLite gives back whatever type was put in.
        hashed = leaf_hash(data) if isinstance(data, bytes) else b""
        if leaf != frontier.size:
            raise _refused(f"record {frontier.size} is gone")
        if hashed != stored:
            raise _refused(f"record {leaf} was changed")
        frontier, complete = frontier.append(hashed)
        for level, position, root in complete:
            found += 1
            if nodes.get((level, position)) != root:
                raise _refused(f"the stored subtree {level}/{position} was changed")
    if found != len(nodes):
        raise _refused("it holds subtrees of records that are not there")
    return frontier


def _open_actions(connection: Connection) -> dict[str, OpenAction]:
    query = select(
        log_open_actions.c.action,
        log_open_actions.c.leaf,
        log_leaves.c.session,
    ).join_from(log_open_actions, log_leaves, log_open_actions.c.leaf == log_leaves.c.leaf)
    return {
        str(row.action): OpenAction(str(row.session), int(row.leaf))
        for row in connection.execute(query)
    }


def _refused(why: str) -> EvidenceError:
    return EvidenceError(
        f"The evidence log is not as it was signed: {why}.", code="log_inconsistent", hint=_HINT
    )
