"""Connections of this session as a DB-API 2.0 module (PEP 249).

::

    from zt_kernel import dbapi
    with dbapi.connect("warehouse") as connection:
        cursor = connection.cursor()
        cursor.execute("select id, city from customers where id < :id", {"id": 10})
        rows = cursor.fetchall()

Each statement is one action: decided, perhaps held, recorded, and done when it returns. There are
no transactions over several: `commit` has nothing to do, and `rollback` after a write says so.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self

from zt_kernel import tool
from zt_kernel.actions import Outcome
from zt_kernel.dbapi_errors import (
    DatabaseError,
    DataError,
    Error,
    IntegrityError,
    InterfaceError,
    InternalError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    Warning,  # noqa: A004 - PEP 249's name
    translated,
)
from zt_kernel.errors import ZTError
from zt_kernel.rows import rows_of

__all__ = [
    "BINARY",
    "DATETIME",
    "NUMBER",
    "ROWID",
    "STRING",
    "Binary",
    "Connection",
    "Cursor",
    "DataError",
    "DatabaseError",
    "Date",
    "DateFromTicks",
    "Error",
    "IntegrityError",
    "InterfaceError",
    "InternalError",
    "NotSupportedError",
    "OperationalError",
    "ProgrammingError",
    "Time",
    "TimeFromTicks",
    "Timestamp",
    "TimestampFromTicks",
    "Warning",
    "apilevel",
    "connect",
    "paramstyle",
    "threadsafety",
    "translated",
]

apilevel = "2.0"
threadsafety = 1
"""Threads may share the module, but not connections."""

paramstyle = "named"
"""``:name`` with a mapping; ``$1`` with a sequence works as well."""

Date, Time, Timestamp = dt.date, dt.time, dt.datetime
Binary = bytes
DateFromTicks = dt.date.fromtimestamp


def TimestampFromTicks(ticks: float) -> dt.datetime:  # noqa: N802 - PEP 249's name
    """Seconds since the epoch as a local time stamp."""
    return dt.datetime.fromtimestamp(ticks)  # noqa: DTZ006 - PEP 249: local time


def TimeFromTicks(ticks: float) -> dt.time:  # noqa: N802 - PEP 249's name
    """Seconds since the epoch as a local time."""
    return TimestampFromTicks(ticks).time()


class _TypeGroup:
    """Equal to the type codes of a group (PEP 249, Type Objects)."""

    def __init__(self, *starts: str) -> None:
        self._starts = starts

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and other.startswith(self._starts)

    __hash__ = None  # type: ignore[assignment]  # equal to many


STRING = _TypeGroup("string", "large_string")
BINARY = _TypeGroup("binary", "large_binary")
NUMBER = _TypeGroup("int", "uint", "float", "double", "halffloat", "decimal", "bool")
DATETIME = _TypeGroup("date", "time", "duration", "month_day_nano_interval")
ROWID = _TypeGroup("oid")


class Cursor:
    """Runs statements and gives their rows.

    Attributes:
        arraysize: Rows that `fetchmany` gives where it is not told.
        description: Seven values for each column of the last result; None where it had none.
        rowcount: Rows of the last result, or rows that a write changed; -1 before.
        lastrowid: None: nothing tells it.
        record: Place of the last action in the log.
        truncated: Which limit cut the last result (``limit``, ``value``, ``hint``), or None.
    """

    lastrowid: ClassVar[None] = None

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.arraysize = 1
        self._open = True
        self._forget()

    def _forget(self) -> None:
        self.description: list[tuple[Any, ...]] | None = None
        self.rowcount = -1
        self.record = ""
        self.truncated: Mapping[str, str] | None = None
        self._rows: Iterator[tuple[Any, ...]] | None = None

    def execute(
        self, operation: str, parameters: Sequence[object] | Mapping[str, object] | None = None
    ) -> Self:
        """Runs one statement.

        Raises:
            Error: What went wrong, with `code`, `hint` and `record`.
        """
        self._check()
        self._forget()
        try:
            bound = tool.bind(operation, parameters if parameters is not None else ())
            outcome = tool.run(self.connection.name, bound.text, parameters=bound.values)
        except ZTError as error:
            raise translated(error) from error
        self._take(outcome)
        return self

    def executemany(
        self, operation: str, seq_of_parameters: Sequence[Sequence[object] | Mapping[str, object]]
    ) -> Self:
        """Runs it once for each: each is an action of its own. Rows of the last are kept."""
        changed = 0
        for parameters in seq_of_parameters:
            self.execute(operation, parameters)
            changed += max(self.rowcount, 0)
        if self.description is None and self.rowcount >= 0:
            self.rowcount = changed
        return self

    def _take(self, outcome: Outcome) -> None:
        result, table = outcome.result, outcome.table
        self.record = str(result.get("record") or "")
        self.truncated = result.get("truncated") or None
        tag = str(result.get("command_tag") or "")
        if tag:
            self.connection.wrote(tag, self.record)
        if table is None:
            self.rowcount = int(result.get("rows") or 0)
            return
        self.rowcount = table.num_rows
        self.description = [
            (field.name, str(field.type), None, None, None, None, None) for field in table.schema
        ]
        self._rows = rows_of(table)

    def fetchone(self) -> tuple[Any, ...] | None:
        """The next row; None after the last."""
        return next(self._result(), None)

    def fetchmany(self, size: int | None = None) -> list[tuple[Any, ...]]:
        """The next rows, at most `size`."""
        rows = self._result()
        wanted = self.arraysize if size is None else size
        return [row for _, row in zip(range(wanted), rows, strict=False)]

    def fetchall(self) -> list[tuple[Any, ...]]:
        """The rows that are left."""
        return list(self._result())

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        """The rows that are left."""
        return self._result()

    def _result(self) -> Iterator[tuple[Any, ...]]:
        self._check()
        if self._rows is None:
            raise ProgrammingError(
                "There is no result to fetch from.", code="no_result", hint="Execute a SELECT."
            )
        return self._rows

    def setinputsizes(self, sizes: object) -> None:
        """Nothing to prepare (PEP 249 allows it)."""

    def setoutputsize(self, size: int, column: int | None = None) -> None:
        """Nothing to prepare (PEP 249 allows it)."""

    def close(self) -> None:
        """Lets the rows go."""
        self._forget()
        self._open = False

    def _check(self) -> None:
        if not self._open:
            raise InterfaceError("This cursor is closed.", code="closed")
        self.connection.check()


class Connection:
    """One connection of this session. It holds no login and opens nothing.

    Attributes:
        name: As `%zt` lists it.
    """

    Warning = Warning
    Error = Error
    InterfaceError = InterfaceError
    DatabaseError = DatabaseError
    DataError = DataError
    OperationalError = OperationalError
    IntegrityError = IntegrityError
    InternalError = InternalError
    ProgrammingError = ProgrammingError
    NotSupportedError = NotSupportedError

    def __init__(self, name: str) -> None:
        self.name = name
        self._open = True
        self._written: list[str] = []

    def cursor(self) -> Cursor:
        """A new cursor."""
        self.check()
        return Cursor(self)

    def commit(self) -> None:
        """Nothing to do: each statement was done for good when it returned."""
        self.check()
        self._written.clear()

    def rollback(self) -> None:
        """Nothing to undo after reads.

        Raises:
            NotSupportedError: Something was written since the last `commit`: it stays.
        """
        self.check()
        written, self._written = self._written, []
        if written:
            raise NotSupportedError(
                f"Nothing can be rolled back: {', '.join(written)} was done for good.",
                code="no_rollback",
                hint="Each statement is an action of its own. Undo it with another statement.",
            )

    def close(self) -> None:
        """Ends its use; PEP 249's implicit rollback has nothing to do."""
        self._open = False

    def wrote(self, tag: str, record: str) -> None:
        """A cursor has changed something."""
        self._written.append(f"{tag} (record {record})")

    def check(self) -> None:
        """Whether it is open.

        Raises:
            InterfaceError: It was closed.
        """
        if not self._open:
            raise InterfaceError("This connection is closed.", code="closed")

    def __enter__(self) -> Self:
        """Closed at the end of the block."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Closes."""
        self.close()


def connect(name: str) -> Connection:
    """A connection of this session by its name. Whether it is there, its first statement says."""
    return Connection(name)
