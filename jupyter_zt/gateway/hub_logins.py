"""Since when this gateway knows a login at the Hub, which does not say when it began.

What ends a person's logins (`TokenRevocations`) ends those that were there before it. A Hub gives
a new token for an old login without asking anybody, so the login counts, not the token: also after
a restart of the gateway.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy import Engine, delete, insert, select

from jupyter_zt.storage import write_transaction
from jupyter_zt.storage.gateway_tables import hub_logins

__all__ = ["HubLogins"]

KEPT_SECONDS = 90 * 24 * 3600
"""Longer than any Hub's cookie lasts (`c.JupyterHub.cookie_max_age_days`: 14)."""


class HubLogins:
    """Logins in memory and in the database, by the hash of the Hub's `session_id`.

    Args:
        engine: The gateway's database.
        now: The clock. UTC.
    """

    def __init__(self, engine: Engine, now: Callable[[], datetime]) -> None:
        self._engine = engine
        self._now = now
        with write_transaction(engine) as connection:
            old = now().timestamp() - KEPT_SECONDS
            connection.execute(delete(hub_logins).where(hub_logins.c.seen_at < int(old)))
            rows = connection.execute(select(hub_logins)).all()
        self._seen = {row.login: row.seen_at for row in rows}

    def since(self, session_id: str) -> datetime:
        """When this login was first shown here. UTC."""
        login = hashlib.sha256(session_id.encode()).hexdigest()
        if login not in self._seen:
            seen_at = int(self._now().timestamp())
            with write_transaction(self._engine) as connection:
                connection.execute(insert(hub_logins).values(login=login, seen_at=seen_at))
            self._seen[login] = seen_at
        return datetime.fromtimestamp(self._seen[login], UTC)
