from __future__ import annotations

import pyarrow as pa
from adbc_driver_manager import AdbcConnection, AdbcStatement

from jupyter_zt.connectors.postgres_driver import REOPEN_SECONDS, PostgresDriver
from tests.fixtures_postgres import PostgresServer


def value(connection: AdbcConnection, command: str) -> object:
    with AdbcStatement(connection) as statement:
        statement.set_sql_query(command)
        handle, _ = statement.execute_query()
        return pa.RecordBatchReader.from_stream(handle).read_all().column(0)[0].as_py()


def test_types_made_later_are_known_after_a_while_and_open_connections_go_on(
    postgres: PostgresServer,
) -> None:
    now = [0.0]
    driver = PostgresDriver(lambda: now[0])
    first = driver.connect(postgres.superuser_dsn)
    postgres.sql("CREATE TYPE shop.mood AS ENUM ('glad')")
    try:
        assert value(first, "SELECT 'glad'::shop.mood") == b"glad"
        now[0] = REOPEN_SECONDS + 1
        second = driver.connect(postgres.superuser_dsn)
        assert value(second, "SELECT 'glad'::shop.mood") == "glad"
        assert value(first, "SELECT 1") == 1
        driver.close()
        assert value(second, "SELECT 2") == 2
        for connection in (first, second):
            driver.disconnect(connection)
    finally:
        postgres.sql("DROP TYPE shop.mood")
