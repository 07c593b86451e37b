"""Loads the shop into PostgreSQL with COPY, once."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files

import psycopg
import pyarrow as pa
from psycopg import sql
from pyarrow import csv

from jupyter_zt.cli.demo.shop.tables import SEED, make_tables

CUSTOMERS = 120_000
ORDERS = 600_000
TICKETS = 30_000

VERSION = f"1/{SEED}/{CUSTOMERS}/{ORDERS}/{TICKETS}"
"""Stands as the database's comment once everything is in; another one means: load anew."""

CHUNK_ROWS = 50_000


def is_loaded(connection: psycopg.Connection) -> bool:
    """Whether this database holds this very shop."""
    found = connection.execute(
        "SELECT shobj_description(oid, 'pg_database') FROM pg_database"
        " WHERE datname = current_database()"
    ).fetchone()
    return found is not None and found[0] == VERSION


def load(connection: psycopg.Connection) -> None:
    """Fills the empty schema `public` with the shop, in one transaction.

    Args:
        connection: As the database's owner.
    """
    package = files("jupyter_zt.cli.demo.shop")
    tables = make_tables(CUSTOMERS, ORDERS, TICKETS)
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute(package.joinpath("schema.sql").read_bytes())
        copy_tables(cursor, tables)
        cursor.execute(package.joinpath("constraints.sql").read_bytes())
        database = sql.Identifier(connection.info.dbname)
        cursor.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(database, VERSION))
    connection.autocommit = True
    connection.execute("VACUUM ANALYZE")


def copy_tables(cursor: psycopg.Cursor, tables: Mapping[str, pa.Table]) -> None:
    """Sends each table as CSV: pyarrow writes it twenty times faster than Python does."""
    options = csv.WriteOptions(include_header=False)
    for name, table in tables.items():
        columns = sql.SQL(", ").join(map(sql.Identifier, table.column_names))
        copy = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv)").format(sql.Identifier(name), columns)
        with cursor.copy(copy) as stream:
            for batch in table.to_batches(max_chunksize=CHUNK_ROWS):
                chunk = pa.BufferOutputStream()
                csv.write_csv(batch, chunk, options)
                stream.write(chunk.getvalue().to_pybytes())
