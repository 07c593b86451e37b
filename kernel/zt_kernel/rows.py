"""The rows of an Arrow table as tuples of plain Python values."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

BATCH_ROWS = 4096
"""So many rows at once are Python objects."""


def rows_of(table: pa.Table) -> Iterator[tuple[Any, ...]]:
    """Row by row. Columns of one name stay apart.

    Intervals without months are `timedelta`s (a day is 24 hours); with months they stay
    `pyarrow.MonthDayNano`, because nobody knows how long a month is.
    """
    if not table.num_columns:
        yield from (() for _ in range(table.num_rows))
        return
    for batch in table.to_batches(max_chunksize=BATCH_ROWS):
        yield from zip(*(_values(column) for column in batch.columns), strict=True)


def _values(column: pa.Array) -> list[Any]:
    values: list[Any] = column.to_pylist()
    if column.type == pa.month_day_nano_interval():
        return [_interval(value) for value in values]
    return values


def _interval(value: Any) -> Any:
    if value is None or value.months:
        return value
    return dt.timedelta(days=value.days, microseconds=value.nanoseconds // 1000)
