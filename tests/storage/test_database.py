from __future__ import annotations

import sqlite3
import stat
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

import jupyter_zt.storage.gateway_tables
import jupyter_zt.storage.log_tables  # noqa: F401 (fills the metadata)
from jupyter_zt.errors import UnavailableError
from jupyter_zt.storage import metadata, open_database, write_transaction


def url(folder: Path) -> str:
    return f"sqlite:///{folder / 'state.sqlite'}"


def test_migrations_lead_to_exactly_the_tables_that_the_code_uses(tmp_path: Path) -> None:
    engine = open_database(url(tmp_path))
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


def test_every_connection_is_durable_and_checks_foreign_keys(tmp_path: Path) -> None:
    engine = open_database(url(tmp_path))
    with engine.connect() as first, engine.connect() as second:
        for connection in (first, second):
            pragmas = [
                connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
                for name in ("journal_mode", "synchronous", "foreign_keys")
            ]
            assert pragmas == ["wal", 2, 1]
    engine.dispose()


def test_opening_again_keeps_what_is_there(tmp_path: Path) -> None:
    for _ in range(2):
        engine = open_database(url(tmp_path))
        with write_transaction(engine) as connection:
            connection.exec_driver_sql("create table if not exists kept (x)")
            connection.exec_driver_sql("insert into kept values (1)")
        engine.dispose()
    assert sqlite3.connect(tmp_path / "state.sqlite").execute("select * from kept").fetchall() == [
        (1,),
        (1,),
    ]


def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    engine = open_database(url(tmp_path))
    with write_transaction(engine) as connection:
        connection.exec_driver_sql("create table x (y)")
        modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {0o600}
    engine.dispose()


def _create_then_fail(connection: Connection) -> None:
    connection.exec_driver_sql("create table gone (x)")
    connection.exec_driver_sql("nonsense")


def test_a_transaction_that_raises_leaves_nothing(tmp_path: Path) -> None:
    engine = open_database(url(tmp_path))
    with pytest.raises(OperationalError), write_transaction(engine) as connection:
        _create_then_fail(connection)
    with engine.connect() as connection:
        tables = connection.exec_driver_sql("select name from sqlite_master").scalars().all()
    assert "gone" not in tables
    engine.dispose()


@pytest.mark.parametrize(
    "given", ["", "nonsense", "nosuch://x", "sqlite:////nonexistent-folder/x.sqlite"]
)
def test_a_place_that_cannot_be_used_says_so(given: str) -> None:
    with pytest.raises(UnavailableError) as caught:
        open_database(given)
    assert caught.value.hint


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    path.write_bytes(b"something else entirely " * 100)
    before = path.read_bytes()
    with pytest.raises(UnavailableError):
        open_database(url(tmp_path))
    assert path.read_bytes() == before


def test_a_database_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    engine = open_database(url(tmp_path))
    with write_transaction(engine) as connection:
        connection.exec_driver_sql("update alembic_version set version_num = '9999'")
    engine.dispose()
    with pytest.raises(UnavailableError) as caught:
        open_database(url(tmp_path))
    assert caught.value.code == "database_version"
