"""The table of sessions' histories."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create it."""
    op.create_table(
        "session_histories",
        sa.Column("session", sa.String(64)),
        sa.Column("history", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("session", name="pk_session_histories"),
        sa.ForeignKeyConstraint(["session"], ["sessions.id"], name="fk_session_histories_session"),
    )
