"""Sessions are tied to the key that opened them; revocations of tokens."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Sessions that are open were opened by a key that is not known: they can only expire."""
    op.add_column("sessions", sa.Column("client", sa.Text, nullable=False, server_default=""))
    op.add_column("sessions", sa.Column("key", sa.Text, nullable=False, server_default=""))
    op.execute("UPDATE sessions SET client = 'broker' WHERE attestation_sha256 <> ''")
    op.drop_column("sessions", "attestation_sha256")
    op.create_table(
        "token_revocations",
        sa.Column("human", sa.Text),
        sa.Column("key", sa.Text),
        sa.Column("at", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("human", "key", name="pk_token_revocations"),
    )
