"""Opens the database, brings its tables up to date, and sets what durability needs.

SQLite runs in WAL mode with ``synchronous=FULL``: a commit that returned has been fsynced
(https://sqlite.org/pragma.html#pragma_synchronous). Transactions are begun by us and not by the
driver, because Python's `sqlite3` would begin them too late for savepoints and for DDL.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from jupyter_zt.errors import UnavailableError

__all__ = ["connect_for_writing", "open_database", "write_transaction"]

_BUSY_TIMEOUT_MILLISECONDS = 10_000
_WRITES = "zt_writes"  # execution option: this transaction writes, so it takes its lock at BEGIN


def open_database(url: str) -> Engine:
    """Open the database at `url` and migrate it to this version's tables.

    Args:
        url: SQLAlchemy URL, such as ``sqlite:////var/lib/zt/state.sqlite``. The folder must exist.

    Raises:
        UnavailableError: It can't be opened, read, written or migrated.
    """
    engine = _engine(url)
    try:
        with write_transaction(engine) as connection:
            _migrate(connection)
    except CommandError as error:
        engine.dispose()
        raise UnavailableError(
            f"The database's tables are not of this version: {error}",
            code="database_version",
            hint="Run the version of jupyter-zt that wrote it, or a newer one.",
        ) from error
    except SQLAlchemyError as error:
        engine.dispose()
        raise _unavailable(error) from error
    return engine


@contextmanager
def write_transaction(engine: Engine) -> Iterator[Connection]:
    """One transaction that will write: it waits for its turn at BEGIN, not at its first write.

    Commits when the block ends, rolls back when it raises. With SQLite a transaction that read
    first and writes later fails at once when somebody else wrote in between (SQLITE_BUSY_SNAPSHOT).
    """
    with connect_for_writing(engine) as connection, connection.begin():
        yield connection


def connect_for_writing(engine: Engine) -> Connection:
    """A connection all of whose transactions take the write lock at BEGIN."""
    return engine.connect().execution_options(**{_WRITES: True})


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
        is_file = parsed.get_backend_name() == "sqlite" and bool(parsed.database)
        if is_file and parsed.database != ":memory:":
            _create_private(Path(str(parsed.database)))
        engine = create_engine(parsed)
    except (ArgumentError, ImportError, OSError) as error:
        raise _unavailable(error) from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _configure_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _create_private(path: Path) -> None:
    """Create the file readable by its owner alone; SQLite gives its WAL the same mode."""
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))


def _configure_sqlite(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # sqlite3: no implicit BEGIN
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MILLISECONDS}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _migrate(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _unavailable(error: Exception) -> UnavailableError:
    cause = error.orig if isinstance(error, DBAPIError) else error
    return UnavailableError(
        f"The database can't be used: {cause}",
        code="database_unavailable",
        hint="Check that its folder exists, is writable and has free space.",
    )
