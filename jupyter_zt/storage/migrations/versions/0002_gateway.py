"""Tables of sessions, approvals and votes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create them."""
    op.create_table(
        "sessions",
        sa.Column("id", sa.String(64)),
        sa.Column("issuer", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("roles", sa.Text, nullable=False),
        sa.Column("agent", sa.Text),
        sa.Column("notebook", sa.Text, nullable=False),
        sa.Column("kernel", sa.Text, nullable=False),
        sa.Column("sandbox_state", sa.Text, nullable=False),
        sa.Column("sandbox_detail", sa.Text, nullable=False),
        sa.Column("attestation_sha256", sa.String(64), nullable=False),
        sa.Column("opened_at", sa.Text, nullable=False),
        sa.Column("expires_at", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
    )
    op.create_index("ix_sessions_state", "sessions", ["state"])
    op.create_table(
        "approvals",
        sa.Column("id", sa.String(64)),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("session", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("nonce", sa.String(64), nullable=False),
        sa.Column("requester_issuer", sa.Text, nullable=False),
        sa.Column("requester_subject", sa.Text, nullable=False),
        sa.Column("requester_name", sa.Text, nullable=False),
        sa.Column("reviewer_role", sa.Text, nullable=False),
        sa.Column("quorum", sa.Integer, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("opened_at", sa.Text, nullable=False),
        sa.Column("expires_at", sa.Text, nullable=False),
        sa.Column("closed_at", sa.Text),
        sa.Column("agent", sa.Text),
        sa.Column("connection", sa.Text, nullable=False),
        sa.Column("command", sa.Text, nullable=False),
        sa.Column("parameters", sa.Text, nullable=False),
        sa.Column("cell", sa.Text, nullable=False),
        sa.Column("cause", sa.Text, nullable=False),
        sa.Column("facts", sa.Text, nullable=False),
        sa.Column("reasons", sa.Text, nullable=False),
        sa.Column("policy_digest", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_approvals"),
        sa.UniqueConstraint("action", name="uq_approvals_action"),
        sa.ForeignKeyConstraint(["session"], ["sessions.id"], name="fk_approvals_session"),
    )
    op.create_index("ix_approvals_session", "approvals", ["session"])
    op.create_index("ix_approvals_state", "approvals", ["state"])
    op.create_table(
        "votes",
        sa.Column("approval", sa.String(64)),
        sa.Column("issuer", sa.Text),
        sa.Column("subject", sa.Text),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("approve", sa.Boolean, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("at", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("approval", "issuer", "subject", name="pk_votes"),
        sa.ForeignKeyConstraint(["approval"], ["approvals.id"], name="fk_votes_approval"),
    )
