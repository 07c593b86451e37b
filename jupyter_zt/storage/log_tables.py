"""Tables of the evidence log.

Rows of `log_leaves` and `log_nodes` are only ever added. `log_bodies` may lose a body (erasure)
but never its row, so that the hash in the record stays explained. `log_checkpoint` holds one row:
the tree head that was signed last, written in the same transaction as the leaves it covers.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from jupyter_zt.storage.metadata import metadata

__all__ = ["log_bodies", "log_checkpoint", "log_leaves", "log_nodes", "log_open_actions"]

# Only `INTEGER PRIMARY KEY` is SQLite's own row id: appends then go to the end of the B-tree.
_POSITION = BigInteger().with_variant(Integer(), "sqlite")

log_leaves = Table(
    "log_leaves",
    metadata,
    Column("leaf", _POSITION, primary_key=True, autoincrement=False),
    Column("session", String(64), nullable=False),
    Column("seq", _POSITION, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("hash", LargeBinary(32), nullable=False),
    Column("data", LargeBinary, nullable=False),
    UniqueConstraint("session", "seq"),
)

# Roots of complete subtrees of 256, 65,536, ... leaves: the tiles of C2SP tlog-tiles, one row each.
log_nodes = Table(
    "log_nodes",
    metadata,
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("position", _POSITION, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary(32), nullable=False),
)

log_bodies = Table(
    "log_bodies",
    metadata,
    Column("hash", LargeBinary(32), primary_key=True),
    Column("session", String(64), nullable=False, index=True),
    Column("salt", LargeBinary(32), nullable=False),
    Column("body", LargeBinary),
)

log_checkpoint = Table(
    "log_checkpoint",
    metadata,
    Column("origin", Text, primary_key=True),
    Column("size", _POSITION, nullable=False),
    Column("root", LargeBinary(32), nullable=False),
    Column("note", Text, nullable=False),
)

# Intents that have no outcome yet, so that a start after a crash needn't read the whole log.
log_open_actions = Table(
    "log_open_actions",
    metadata,
    Column("action", String(64), primary_key=True),
    Column("leaf", _POSITION, nullable=False),
)
