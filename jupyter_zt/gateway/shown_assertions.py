"""Assertions that services have shown: with which key first. Durable, so a restart forgets none."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from sqlalchemy import Engine, delete, insert, select

from jupyter_zt.storage import write_transaction
from jupyter_zt.storage.gateway_tables import shown_assertions


class ShownAssertions:
    """`jupyter_zt.identity.FirstKey`, in the database.

    Args:
        engine: The gateway's database.
        now: Wall clock, seconds since 1970.
    """

    def __init__(self, engine: Engine, now: Callable[[], float]) -> None:
        self._engine = engine
        self._now = now

    def first_key(self, name: str, key: str, until: float) -> str | None:
        """The key that an assertion came with first; None where that is now.

        Args:
            name: Issuer and id.
            key: Thumbprint of the key that it comes with.
            until: When it is expired, whatever the clocks; seconds since 1970.
        """
        # Hashed: an issuer's ids may be long.
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
        table = shown_assertions
        with write_transaction(self._engine) as connection:
            connection.execute(delete(table).where(table.c.until < int(self._now())))
            first = connection.execute(
                select(table.c.key).where(table.c.digest == digest)
            ).scalar_one_or_none()
            if first is None:
                connection.execute(insert(table).values(digest=digest, key=key, until=int(until)))
        return first
