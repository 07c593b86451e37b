"""Tables of the evidence log."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_POSITION = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create them."""
    op.create_table(
        "log_leaves",
        sa.Column("leaf", _POSITION, autoincrement=False),
        sa.Column("session", sa.String(64), nullable=False),
        sa.Column("seq", _POSITION, nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("hash", sa.LargeBinary(32), nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("leaf", name="pk_log_leaves"),
        sa.UniqueConstraint("session", "seq", name="uq_log_leaves_session"),
    )
    op.create_table(
        "log_nodes",
        sa.Column("level", sa.Integer, autoincrement=False),
        sa.Column("position", _POSITION, autoincrement=False),
        sa.Column("hash", sa.LargeBinary(32), nullable=False),
        sa.PrimaryKeyConstraint("level", "position", name="pk_log_nodes"),
    )
    op.create_table(
        "log_bodies",
        sa.Column("hash", sa.LargeBinary(32)),
        sa.Column("session", sa.String(64), nullable=False),
        sa.Column("salt", sa.LargeBinary(32), nullable=False),
        sa.Column("body", sa.LargeBinary),
        sa.PrimaryKeyConstraint("hash", name="pk_log_bodies"),
    )
    op.create_index("ix_log_bodies_session", "log_bodies", ["session"])
    op.create_table(
        "log_checkpoint",
        sa.Column("origin", sa.Text),
        sa.Column("size", _POSITION, nullable=False),
        sa.Column("root", sa.LargeBinary(32), nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("origin", name="pk_log_checkpoint"),
    )
    op.create_table(
        "log_open_actions",
        sa.Column("action", sa.String(64)),
        sa.Column("leaf", _POSITION, nullable=False),
        sa.PrimaryKeyConstraint("action", name="pk_log_open_actions"),
    )
