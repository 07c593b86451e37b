"""One statement at the target, from its start to its last row. Blocking: for worker threads.

Three ways to run it, by what it is:

- a query without parameters: the driver wraps it into ``COPY (...) TO STDOUT (FORMAT binary)``,
  the fastest way to Arrow, after PostgreSQL has prepared it as exactly one statement;
- a query with parameters: COPY takes none, so a cursor in a transaction of its own, fetched in
  parts: memory stays bounded, which a plain bound query's would not;
- EXPLAIN and SHOW: plain, their results are small.

A write is a transaction of its own: it is committed, or nothing of it is there.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import adbc_driver_manager
import pyarrow as pa
from adbc_driver_manager import AdbcConnection, AdbcStatement
from adbc_driver_manager._reader import AdbcRecordBatchReader

from jupyter_zt.connectors.postgres_errors import is_lost, lost, scrubbed
from jupyter_zt.connectors.postgres_parameters import Parameter, bind
from jupyter_zt.connectors.postgres_sessions import LeaseSessions, transaction_status
from jupyter_zt.connectors.postgres_statement import Statement
from jupyter_zt.connectors.postgres_types import ArrowTypes
from jupyter_zt.errors import TargetError

BATCH_BYTES = 1 << 20
"""The first batch is there after 5 ms, and memory stays small; larger ones are no faster."""

FIRST_FETCH_ROWS = 256
MAX_FETCH_ROWS = 1 << 16
_BATCH_HINT = "adbc.postgresql.batch_size_hint_bytes"
_USE_COPY = "adbc.postgresql.use_copy"
_CURSOR = "zt_result"
_FAILURES = (adbc_driver_manager.Error, pa.ArrowException, OSError)


class Stopped(Exception):  # noqa: N818 (not an error: the gateway asked for it)
    """The work was stopped before the statement was sent."""


class Source(Protocol):
    """Where batches come from."""

    schema: pa.Schema

    def read(self) -> pa.RecordBatch | None:
        """The next batch, or None after the last."""
        ...

    def close(self) -> None:
        """Frees what it holds at the driver."""
        ...


class _Reader:
    """A statement whose result the driver streams, or holds."""

    def __init__(self, statement: AdbcStatement) -> None:
        self._statement = statement
        handle, _ = statement.execute_query()
        self._reader = AdbcRecordBatchReader._import_from_c(handle.address)  # noqa: SLF001
        self.schema = self._reader.schema

    def read(self) -> pa.RecordBatch | None:
        try:
            return self._reader.read_next_batch()
        except StopIteration:
            return None

    def close(self) -> None:
        self._reader.close()
        self._statement.close()


class _Cursor:
    """A declared cursor, fetched in parts of about one batch."""

    def __init__(self, connection: AdbcConnection) -> None:
        self._connection = connection
        self._rows = FIRST_FETCH_ROWS
        self._over = False
        self._first: pa.RecordBatch | None = None
        self.schema = pa.schema([])
        self._first = self._fetch()

    def read(self) -> pa.RecordBatch | None:
        if self._first is not None:
            batch, self._first = self._first, None
            return batch
        return None if self._over else self._fetch()

    def close(self) -> None:
        """The transaction ends with the work, and the cursor with it."""

    def _fetch(self) -> pa.RecordBatch | None:
        with _statement(self._connection, f"FETCH {self._rows} FROM {_CURSOR}") as statement:
            reader = _Reader(statement)
            self.schema = reader.schema
            batches = []
            while (batch := reader.read()) is not None:
                batches.append(batch)
        table = pa.Table.from_batches(batches, self.schema).combine_chunks()
        self._over = table.num_rows < self._rows
        if not table.num_rows:
            return None
        row_bytes = max(1, table.nbytes // table.num_rows)
        self._rows = min(MAX_FETCH_ROWS, max(FIRST_FETCH_ROWS, BATCH_BYTES // row_bytes))
        return table.to_batches()[0]


@dataclass(slots=True, eq=False)
class Work:
    """One statement on one connection of a lease.

    Attributes:
        stopping: Set by `cancel`: nothing more is sent.
        over: Nothing of it is at the target any more.
        complete: Every row was read, or the change is committed.
        rows_affected: Of a write.
    """

    sessions: LeaseSessions
    statement: Statement
    parameters: Sequence[Parameter]
    write: bool
    stopping: bool = False
    over: bool = False
    complete: bool = False
    rows_affected: int = 0
    types: ArrowTypes | None = None
    _connection: AdbcConnection | None = None
    _source: Source | None = None
    _sent: Statement | None = None
    _committing: bool = False
    _ready: list[pa.RecordBatch] = field(default_factory=list)
    # A cancel, from another thread, must not use a connection that is just being closed.
    _using: threading.Lock = field(default_factory=threading.Lock)

    def start(self) -> None:
        """Sends the statement; for a small result, also reads it all.

        Raises:
            TargetError: In our words.
            InvalidInputError: A parameter does not fit.
            Stopped: It was cancelled before it was sent.
        """
        try:
            self._connection = self.sessions.take()
            self._run()
        except _FAILURES as error:
            raise self._failed(error) from None
        except BaseException:
            self._free(keep=not self.stopping)
            raise

    @property
    def immediate(self) -> bool:
        """Whether `read` answers at once, without asking the target."""
        return bool(self._ready) or self.over

    def read(self) -> pa.RecordBatch | None:
        """The next batch, or None after the last.

        Raises:
            TargetError: In our words.
            Stopped: It was cancelled.
        """
        if self._ready:
            return self._ready.pop(0)
        if self.complete:
            return None
        try:
            return self._read()
        except _FAILURES as error:
            raise self._failed(error) from None

    def cancel(self) -> None:
        """Asks the target to stop; returns once it has been told. May be called again."""
        self.stopping = True
        # Between two steps there may be nothing to cancel.
        with self._using, contextlib.suppress(adbc_driver_manager.Error):
            if self._connection is not None:
                self._connection.cancel()

    def abandon(self) -> None:
        """Frees everything after a `cancel`. No other thread may be at work on it."""
        self._ready.clear()
        self._free(keep=False)

    def _run(self) -> None:
        if self.stopping:
            raise Stopped
        if self.write:
            self._write()
            return
        self._source = self._open()
        self.types = ArrowTypes(self._source.schema)
        # The driver gives a batch when it is full or when there is no more: after a small one the
        # end is near, and a small result costs one change of threads.
        while len(self._ready) < 2 and (batch := self._read()) is not None:
            self._ready.append(batch)
            if batch.nbytes > BATCH_BYTES // 2:
                return

    def _open(self) -> Source:
        connection, statement = self._taken(), self.statement
        if statement.query and self.parameters:
            connection.set_autocommit(False)
            declare = f"{statement.prefix}DECLARE {_CURSOR} NO SCROLL CURSOR FOR "
            self._sent = statement = replace(statement, prefix=declare)
            with _statement(connection, statement.text) as declaring:
                bind(declaring, self.parameters)
                declaring.execute_update()
            return _Cursor(connection)
        sent = AdbcStatement(connection)
        try:
            sent.set_options(
                **{_BATCH_HINT: BATCH_BYTES, _USE_COPY: "true" if statement.query else "false"}
            )
            sent.set_sql_query(statement.text)
            if self.parameters:
                bind(sent, self.parameters)
            return _Reader(sent)
        except BaseException:
            sent.close()
            raise

    def _read(self) -> pa.RecordBatch | None:
        if self._source is None or self.types is None:
            raise Stopped
        batch = self._source.read()
        if batch is None:
            self.complete = True
            self._free(keep=not self.stopping)
            return None
        return self.types.batch(batch)

    def _write(self) -> None:
        connection = self._taken()
        connection.set_autocommit(False)
        with _statement(connection, self.statement.text) as sent:
            # Each by the extended protocol, which takes one statement only. The driver's way to
            # execute an update without parameters is the simple protocol, which takes several.
            if self.parameters:
                bind(sent, self.parameters)
                self.rows_affected = max(0, sent.execute_update())
            else:
                result, rows = sent.execute_query()
                result.release()
                self.rows_affected = max(0, rows)
        if self.stopping:
            raise Stopped
        self._committing = True
        connection.commit()
        self._committing = False
        self.complete = True
        self._free(keep=not self.stopping)

    def _taken(self) -> AdbcConnection:
        if self._connection is None:
            raise Stopped
        return self._connection

    def _is_lost(self, error: BaseException) -> bool:
        if is_lost(error):
            return True
        return self._connection is not None and transaction_status(self._connection) == "unknown"

    def _failed(self, error: BaseException) -> TargetError:
        """The error in our words, after the connection is freed."""
        broken, committing = self._is_lost(error), self._committing
        self._free(keep=not (broken or self.stopping))
        if broken:
            return lost(write=self.write, committing=committing)
        return scrubbed(error, self._sent or self.statement, write=self.write)

    def _free(self, *, keep: bool) -> None:
        """Closes what is open; keeps the connection only in its first state, and never cancelled.

        A cancel may reach the target late, and would then stop the connection's next statement.
        """
        source, self._source = self._source, None
        with self._using:
            connection, self._connection = self._connection, None
        self.over = True
        if source is not None:
            with contextlib.suppress(adbc_driver_manager.Error, pa.ArrowException):
                source.close()
        if connection is None:
            return
        if keep and _reset(connection):
            self.sessions.give(connection)
            return
        self.sessions.discard(connection)


def _reset(connection: AdbcConnection) -> bool:
    """Ends a transaction that is open; whether the connection is as it was at first."""
    try:
        if transaction_status(connection) != "idle":
            connection.rollback()
        connection.set_autocommit(True)
    except adbc_driver_manager.Error:
        return False
    return transaction_status(connection) == "idle"


@contextlib.contextmanager
def _statement(connection: AdbcConnection, text: str) -> Iterator[AdbcStatement]:
    statement = AdbcStatement(connection)
    try:
        statement.set_options(**{_USE_COPY: "false"})
        statement.set_sql_query(text)
        yield statement
    finally:
        statement.close()
