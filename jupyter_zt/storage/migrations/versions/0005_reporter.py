"""Who reports a session's cells."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add it: until now only brokers did."""
    op.add_column(
        "sessions", sa.Column("reporter", sa.String(16), nullable=False, server_default="broker")
    )
