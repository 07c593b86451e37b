"""Runs statements on a PostgreSQL target as a lease's role, and streams what comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from jupyter_zt.connectors.limits import Limits
from jupyter_zt.connectors.postgres_driver import PostgresDriver
from jupyter_zt.connectors.postgres_parameters import Parameter
from jupyter_zt.connectors.postgres_sessions import LeaseSessions
from jupyter_zt.connectors.postgres_statement import (
    plan_statement,
    planned_rows,
    read_statement,
    write_statement,
)
from jupyter_zt.connectors.postgres_stream import PostgresStream
from jupyter_zt.connectors.postgres_work import Work
from jupyter_zt.errors import TargetError
from jupyter_zt.model import Lease, LeaseKind, PostgresEndpoint

WORKERS = 64
"""Statements that run at once; each waits for the target in a thread."""

CANCELLERS = 8
"""Threads of their own: a cancel must not wait for a statement to end."""

PLAN_SECONDS = 5.0
"""A statement that can't be planned by then is not waited for."""


class PostgresTarget:
    """One PostgreSQL target.

    Args:
        name: The connection's name, for messages.
        endpoint: Where the target is.
    """

    def __init__(
        self,
        name: str,
        endpoint: PostgresEndpoint,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.name = name
        self._endpoint = endpoint
        self._clock = clock
        self._driver = PostgresDriver()
        self._sessions: dict[str, tuple[Lease, LeaseSessions]] = {}
        self._streams: dict[PostgresStream, Lease] = {}
        self._workers = ThreadPoolExecutor(WORKERS, "zt-postgres")
        self._cancellers = ThreadPoolExecutor(CANCELLERS, "zt-postgres-cancel")

    def execute(
        self,
        lease: Lease,
        command: str,
        parameters: Sequence[Parameter] = (),
        *,
        limits: Limits,
        comment: str = "",
    ) -> PostgresStream:
        """One statement as the lease's role; enter the result to start it.

        Args:
            lease: A read lease runs queries, a write lease one change in a transaction.
            command: One statement, as the user wrote it.
            parameters: For ``$1``, ``$2``, ...
            limits: Where the result is cut, and when the statement is stopped.
            comment: Stands in front of it in the target's log: letters, digits, ``_ : . , = -``.

        Raises:
            InvalidInputError: It is not one statement that such a lease runs.
            TargetError: The lease is over.
        """
        if lease.expires_at <= self._clock():
            raise TargetError("The lease is over.", code="lease_expired", hint="Run it again.")
        write = lease.kind is LeaseKind.WRITE
        statement = (write_statement if write else read_statement)(command, comment)
        work = Work(self._sessions_of(lease), statement, tuple(parameters), write)
        stream = PostgresStream(
            work, limits, self._workers, self._cancellers, lambda: self._streams.pop(stream, None)
        )
        self._streams[stream] = lease
        return stream

    async def estimate(
        self, lease: Lease, command: str, parameters: Sequence[Parameter], comment: str
    ) -> int:
        """How many rows the target expects the statement to read or change. It is not run.

        Raises:
            InvalidInputError: It has no plan.
            TargetError: The target can't plan it as this lease, or not in time.
        """
        statement = plan_statement(command, comment)
        work = Work(self._sessions_of(lease), statement, tuple(parameters), write=False)
        limits = Limits(statement_seconds=PLAN_SECONDS)
        stream = PostgresStream(
            work, limits, self._workers, self._cancellers, lambda: self._streams.pop(stream, None)
        )
        self._streams[stream] = lease
        async with stream:
            lines = [str(line) async for batch in stream for line in batch.column(0).to_pylist()]
        try:
            return planned_rows("".join(lines))
        except (ValueError, LookupError, TypeError) as error:
            raise TargetError("The target's plan can't be read.", code="no_plan") from error

    async def warm(self, lease: Lease) -> None:
        """Opens a first connection for the lease, so that its first statement need not wait.

        Raises:
            TargetError: The target can't be reached, or refuses the lease.
        """
        sessions = self._sessions_of(lease)

        def open_one() -> None:
            sessions.give(sessions.take())

        await asyncio.get_running_loop().run_in_executor(self._workers, open_one)

    async def release(self, lease: Lease) -> None:
        """Stops what the lease runs and closes its connections. Do this before it is dropped."""
        await self._stop(lambda other: other.role == lease.role)

    async def release_session(self, session: str) -> None:
        """The same for every lease of a session."""
        await self._stop(lambda other: other.session == session)

    async def close(self) -> None:
        """Stops everything."""
        await self._stop(lambda _: True)
        self._driver.close()
        self._workers.shutdown(wait=False)
        self._cancellers.shutdown(wait=False)

    def _sessions_of(self, lease: Lease) -> LeaseSessions:
        if lease.role not in self._sessions:
            sessions = LeaseSessions(self._driver, self._endpoint, lease)
            self._sessions[lease.role] = (lease, sessions)
        return self._sessions[lease.role][1]

    async def _stop(self, concerns: Callable[[Lease], bool]) -> None:
        running = [stream for stream, lease in self._streams.items() if concerns(lease)]
        await asyncio.gather(*(stream.cancel() for stream in running))
        for role, (lease, sessions) in list(self._sessions.items()):
            if concerns(lease):
                del self._sessions[role]
                await asyncio.get_running_loop().run_in_executor(self._cancellers, sessions.close)
