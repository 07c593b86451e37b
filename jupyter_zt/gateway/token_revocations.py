"""Whose tokens are void from which moment on. It beats every cache: each request asks here."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Engine, delete, insert, select

from jupyter_zt.storage import write_transaction
from jupyter_zt.storage.gateway_tables import token_revocations

EVERY_KEY = ""


class TokenRevocations:
    """In memory and in the database, for as long as any token or login may last.

    Args:
        engine: The gateway's database.
        now: Wall clock, seconds since 1970.
    """

    def __init__(self, engine: Engine, now: Callable[[], float]) -> None:
        self._engine = engine
        self._now = now
        with engine.connect() as connection:
            rows = connection.execute(select(token_revocations)).all()
        self._since = {(row.human, row.key): float(row.at) for row in rows}

    def revoke(self, human: str, key: str = EVERY_KEY) -> None:
        """What this human's tokens, and logins, were good for until now, they are no more.

        Args:
            human: `Human.key`.
            key: Thumbprint: only tokens that are bound to it, and no login.
        """
        at = self._now()
        self._since[human, key] = at
        with write_transaction(self._engine) as connection:
            connection.execute(
                delete(token_revocations).where(
                    token_revocations.c.human == human, token_revocations.c.key == key
                )
            )
            connection.execute(insert(token_revocations).values(human=human, key=key, at=repr(at)))

    def covers(self, human: str, key: str, issued_at: float) -> bool:
        """Whether a token of this human and key, issued then, was revoked since."""
        return self._is_after(human, key, issued_at) or self._is_after(human, EVERY_KEY, issued_at)

    def covers_login(self, human: str, since: float) -> bool:
        """Whether this human's login was ended after the second in which its token was issued."""
        return self._is_after(human, EVERY_KEY, since + 1)

    def _is_after(self, human: str, key: str, moment: float) -> bool:
        revoked_at = self._since.get((human, key))
        return revoked_at is not None and moment <= revoked_at
