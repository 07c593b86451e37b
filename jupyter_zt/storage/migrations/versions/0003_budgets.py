"""Tables of budgets."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_KEY = ("budget", "subject", "since")


def upgrade() -> None:
    """Create them."""
    op.create_table(
        "budget_usage",
        *(sa.Column(name, sa.Text) for name in _KEY),
        *(
            sa.Column(name, sa.BigInteger, nullable=False)
            for name in ("calls", "rows", "bytes", "model_tokens")
        ),
        sa.PrimaryKeyConstraint(*_KEY, name="pk_budget_usage"),
    )
    op.create_table(
        "budget_constants",
        *(sa.Column(name, sa.Text) for name in _KEY),
        sa.Column("constant", sa.String(64)),
        sa.PrimaryKeyConstraint(*_KEY, "constant", name="pk_budget_constants"),
    )
