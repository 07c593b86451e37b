"""What sessions have done, kept for policy: it only grows, and outlives kernel and gateway.

An allowed action counts when it is decided, a held one when it is consented to, a denied one as a
refusal. The session knows of it at once, so that of two actions side by side the later one is
decided by both; it is stored in the transaction of the record that says so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from sqlalchemy import Connection, Engine, delete, insert, select

from jupyter_zt.gateway.sessions import LiveSession
from jupyter_zt.gateway.targets import Target
from jupyter_zt.model import Facts, History, Verdict
from jupyter_zt.storage import write_transaction
from jupyter_zt.storage.gateway_tables import session_histories


def remember(session: LiveSession, target: Target | None, facts: Facts, verdict: Verdict) -> bool:
    """Adds one decided action to the session's history; whether that changed it."""
    before = session.history
    untrusted = target is not None and target.untrusted(facts)
    session.history = before.after(facts, verdict, untrusted=untrusted)
    return session.history != before


def write_history(connection: Connection, session: LiveSession) -> None:
    """Stores it, inside somebody's transaction."""
    table = session_histories
    connection.execute(delete(table).where(table.c.session == session.id))
    text = json.dumps(session.history.to_json())
    connection.execute(insert(table).values(session=session.id, history=text))


def store_history(engine: Engine, session: LiveSession) -> None:
    """Stores it in a transaction of its own."""
    with write_transaction(engine) as connection:
        write_history(connection, session)


def restore_histories(engine: Engine, sessions: Mapping[str, LiveSession]) -> None:
    """Gives sessions back what the gateway knew of them when it stopped."""
    with engine.connect() as connection:
        rows = connection.execute(select(session_histories)).all()
    for row in rows:
        if row.session in sessions:
            sessions[row.session].history = _parsed(json.loads(row.history))


def _parsed(plain: dict[str, object]) -> History:
    tags = plain["tags"]
    return History(
        tags=frozenset(str(tag) for tag in tags) if isinstance(tags, list) else frozenset(),
        read_untrusted=plain["read_untrusted"] is True,
        refusals=int(str(plain["refusals"])),
    )
