"""Sessions whose runtime is on another host, and which have no socket on this one."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Sessions that are open have a socket here."""
    op.add_column("sessions", sa.Column("remote", sa.Boolean, nullable=False, server_default="0"))
