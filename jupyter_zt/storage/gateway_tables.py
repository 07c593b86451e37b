"""Tables of the gateway's own state: sessions, histories, approvals, votes, budgets."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Integer, String, Table, Text

from jupyter_zt.storage.metadata import metadata

sessions = Table(
    "sessions",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("issuer", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("roles", Text, nullable=False),
    Column("agent", Text),
    Column("notebook", Text, nullable=False),
    Column("kernel", Text, nullable=False),
    Column("sandbox_state", Text, nullable=False),
    Column("sandbox_detail", Text, nullable=False),
    Column("client", Text, nullable=False, server_default=""),
    Column("key", Text, nullable=False, server_default=""),
    Column("remote", Boolean, nullable=False, server_default="0"),
    Column("opened_at", Text, nullable=False),
    Column("expires_at", Text, nullable=False),
    Column("authenticated_at", Text),
    Column("state", String(16), nullable=False, index=True),
    Column("revoked", Text),
)

switches = Table(
    "switches",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)

# What policy may know of a session's past (`History.to_json`).
session_histories = Table(
    "session_histories",
    metadata,
    Column("session", String(64), ForeignKey("sessions.id"), primary_key=True),
    Column("history", Text, nullable=False),
)

approvals = Table(
    "approvals",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("action", String(64), nullable=False, unique=True),
    Column("session", String(64), ForeignKey("sessions.id"), nullable=False, index=True),
    Column("digest", String(64), nullable=False),
    Column("nonce", String(64), nullable=False),
    Column("requester_issuer", Text, nullable=False),
    Column("requester_subject", Text, nullable=False),
    Column("requester_name", Text, nullable=False),
    Column("reviewer_role", Text, nullable=False),
    Column("quorum", Integer, nullable=False),
    Column("state", String(16), nullable=False, index=True),
    Column("opened_at", Text, nullable=False),
    Column("expires_at", Text, nullable=False),
    Column("closed_at", Text),
    Column("agent", Text),
    Column("connection", Text, nullable=False),
    Column("command", Text, nullable=False),
    Column("parameters", Text, nullable=False),
    Column("cell", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("facts", Text, nullable=False),
    Column("reasons", Text, nullable=False),
    Column("policy_digest", String(64), nullable=False),
)

votes = Table(
    "votes",
    metadata,
    Column("approval", String(64), ForeignKey("approvals.id"), primary_key=True),
    Column("issuer", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("approve", Boolean, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", Text, nullable=False),
)

_BUDGET_KEY = ("budget", "subject", "since")

budget_usage = Table(
    "budget_usage",
    metadata,
    *(Column(name, Text, primary_key=True) for name in _BUDGET_KEY),
    *(
        Column(name, BigInteger, nullable=False)
        for name in ("calls", "rows", "bytes", "model_tokens")
    ),
)

# Digests of the constants that leaky columns were compared with, each counted once.
budget_constants = Table(
    "budget_constants",
    metadata,
    *(Column(name, Text, primary_key=True) for name in _BUDGET_KEY),
    Column("constant", String(64), primary_key=True),
)

token_revocations = Table(
    "token_revocations",
    metadata,
    Column("human", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("at", Text, nullable=False),
)

# Logins at a JupyterHub: hash of its `session_id`, seconds since 1970.
hub_logins = Table(
    "hub_logins",
    metadata,
    Column("login", String(64), primary_key=True),
    Column("seen_at", BigInteger, nullable=False),
)

shown_assertions = Table(
    "shown_assertions",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("key", Text, nullable=False),
    Column("until", BigInteger, nullable=False),
)
