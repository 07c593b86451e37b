"""`%zt tables CONNECTION`, `%zt columns CONNECTION [TABLE]`, `%zt sample CONNECTION TABLE [N]`."""

from __future__ import annotations

from typing import Any

import pandas as pd

from zt_kernel import catalog, tool
from zt_kernel.errors import ZTRefused
from zt_kernel.identifiers import written

SAMPLE_ROWS = 10


def show(words: list[str]) -> Any:
    """Answers one of the three.

    Raises:
        ZTRefused: ``bad_options``, ``undefined_table``, or what policy says of a sample.
        ZTError: The gateway or the target failed.
    """
    what, *rest = words
    if what == "tables" and len(rest) == 1:
        return tables(rest[0])
    if what == "columns" and len(rest) in {1, 2}:
        return columns(*rest)
    if what == "sample" and len(rest) == 2:
        return sample(rest[0], rest[1])
    if what == "sample" and len(rest) == 3 and rest[2].isdecimal():
        return sample(rest[0], rest[1], int(rest[2]))
    raise ZTRefused(
        f"%zt {what} can't be read.",
        code="bad_options",
        hint="Write %zt tables CONNECTION, %zt columns CONNECTION [TABLE], or"
        " %zt sample CONNECTION TABLE [ROWS].",
    )


def tables(connection: str) -> pd.DataFrame:
    """The tables that may be read: name, columns, how many of them are masked."""
    found = catalog.tables(connection)
    return pd.DataFrame(
        {
            "table": [one.name for one in found],
            "columns": [", ".join(column.name for column in one.columns) for one in found],
            "masked": [sum(bool(column.mask) for column in one.columns) for one in found],
        }
    )


def columns(connection: str, table: str = "") -> pd.DataFrame:
    """Their columns: type, mask and what the column holds."""
    found = [catalog.table(connection, table)] if table else catalog.tables(connection)
    rows = [
        (one.name, column.name, column.type, column.mask, column.tag)
        for one in found
        for column in one.columns
    ]
    return pd.DataFrame(rows, columns=["table", "column", "type", "mask", "holds"])


def sample(connection: str, table: str, rows: int = SAMPLE_ROWS) -> pd.DataFrame:
    """Some rows: a SELECT like any other, decided and recorded as one."""
    found = catalog.table(connection, table)
    names = ", ".join(written(column.name) for column in found.columns)
    # Not a place for values: the names are the gateway's, and quoted.
    command = f"SELECT {names} FROM {written(table)} LIMIT {max(rows, 1)}"  # noqa: S608
    return tool.sql(connection, command)
