"""A person ends sessions at once: one's own, anybody's, or everything.

The kill switch outlives a restart: until an administrator lifts it, no session opens.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime

from sqlalchemy import Connection, Engine, delete, insert, select
from sqlalchemy.exc import SQLAlchemyError

from jupyter_zt.errors import LogUnavailableError, UnavailableError
from jupyter_zt.gateway.changes import Changes
from jupyter_zt.gateway.halting import Halting
from jupyter_zt.gateway.records import Records
from jupyter_zt.gateway.sessions import (
    OPEN,
    REVOKED,
    SEALED,
    SUSPENDED,
    LiveSession,
    Revoked,
    SessionBook,
)
from jupyter_zt.model import Human, RecordDraft, RecordKind
from jupyter_zt.storage import write_transaction
from jupyter_zt.storage.gateway_tables import switches

_STOPPED = "sessions_stopped"
logger = logging.getLogger(__name__)


class Revoking:
    """Revokes sessions, and keeps the switch that stops new ones.

    Args:
        engine: The gateway's database.
        records: The log.
        sessions: All sessions.
        halting: Stops what they do.
        changes: Tells those who wait.
        clock: The gateway's clock.
    """

    def __init__(
        self,
        engine: Engine,
        records: Records,
        sessions: SessionBook,
        halting: Halting,
        changes: Changes,
        clock: Callable[[], datetime],
    ) -> None:
        self._engine = engine
        self._records = records
        self._sessions = sessions
        self._halting = halting
        self._changes = changes
        self._clock = clock
        with engine.connect() as connection:
            value = connection.execute(
                select(switches.c.value).where(switches.c.name == _STOPPED)
            ).scalar()
        self._stopped = Revoked(**json.loads(value)) if value else None

    @property
    def stopped(self) -> Revoked | None:
        """Who stopped new sessions; None while they open."""
        return self._stopped

    def check_open(self) -> None:
        """Whether new sessions open. Raises `UnavailableError` (`sessions_stopped`)."""
        if self._stopped is None:
            return
        why = f": {self._stopped.reason}" if self._stopped.reason else "."
        raise UnavailableError(
            f"No session opens: {self._stopped.by} has revoked all of them{why}",
            code=_STOPPED,
            hint="An administrator lifts it with `jupyter zt sessions resume`.",
        )

    async def revoke(self, session: LiveSession, by: Human, reason: str) -> None:
        """Ends a session: its socket closes, what it does is stopped, its leases are dropped.

        In this order, so that whatever fails, nothing begins any more:

        (1) its state, in memory: no action is admitted;
        (2) nobody listens on its socket; a notice says why;
        (3) actions are told to stop;
        (4) the record of who and why, and the state, durable together;
        (5) everything is stopped, and the connections are cut.

        Raises:
            LogUnavailableError: It is done, and is not recorded.
        """
        if session.state in {REVOKED, SEALED}:
            return
        session.revoked, session.state = self._mark(by, reason), REVOKED
        if session.socket is not None:
            error = session.revoked.error()
            session.socket.deafen(
                {"code": error.code, "message": error.message, "hint": error.hint}
            )
        self._changes.notify()  # its relay, on another host, does the same
        for task in session.running:
            task.cancel()
        try:
            await self._durably(
                RecordDraft(RecordKind.REVOKE, session.id, fields=_fields(by, reason)),
                lambda connection: self._sessions.mark(
                    connection, session, [OPEN, SUSPENDED], REVOKED
                ),
            )
        finally:
            await self._halting.stop(session, "session_revoked")
            if session.socket is not None:
                await session.socket.hear_out()
                await session.socket.close(remove=False)
            self._changes.notify()

    async def revoke_all(self, by: Human, reason: str) -> tuple[int, list[str]]:
        """The kill switch: no session opens any more, and all that are there are revoked.

        Returns:
            How many were revoked, and the ids of those whose revocation could not be recorded.
        """
        stopped = self._mark(by, reason)
        self._stopped = self._stopped or stopped
        live = [one for one in self._sessions.live() if one.state != REVOKED]
        # What is to be recorded comes second: a full disk must not keep anything running.
        revoking = [asyncio.ensure_future(self.revoke(one, by, reason)) for one in live]
        try:
            await self._durably(
                _change("sessions_stopped", by, reason),
                lambda connection: _keep(connection, stopped),
            )
        finally:
            results = await asyncio.gather(*revoking, return_exceptions=True)
        failed = []
        for session, result in zip(live, results, strict=True):
            if isinstance(result, BaseException):
                logger.error("%s is revoked, and that is not recorded: %s", session.id, result)
                failed.append(session.id)
        return len(live), failed

    async def resume(self, by: Human) -> None:
        """Sessions open again. Those that were revoked stay so."""
        await self._records.append(
            [_change("sessions_resumed", by, "")], also=lambda connection, _: _forget(connection)
        )
        self._stopped = None

    async def _durably(self, draft: RecordDraft, write: Callable[[Connection], None]) -> None:
        """The record and the state in one transaction; without a log, the state all the same.

        Raises:
            LogUnavailableError: It is kept, or at least in force, and is not recorded.
        """
        try:
            await self._records.append([draft], also=lambda connection, _: write(connection))
        except LogUnavailableError:
            with (
                contextlib.suppress(SQLAlchemyError),
                write_transaction(self._engine) as connection,
            ):
                write(connection)
            raise

    def _mark(self, by: Human, reason: str) -> Revoked:
        return Revoked(by.name, self._clock().astimezone(UTC).isoformat(timespec="seconds"), reason)


def _fields(by: Human, reason: str) -> dict[str, object]:
    person = {"iss": by.issuer, "sub": by.subject, "name": by.name}
    return {"by": person, "reason": reason}


def _change(change: str, by: Human, reason: str) -> RecordDraft:
    return RecordDraft(RecordKind.ADMIN, "", fields={"change": change, **_fields(by, reason)})


def _keep(connection: Connection, stopped: Revoked) -> None:
    _forget(connection)
    connection.execute(insert(switches).values(name=_STOPPED, value=json.dumps(asdict(stopped))))


def _forget(connection: Connection) -> None:
    connection.execute(delete(switches).where(switches.c.name == _STOPPED))
