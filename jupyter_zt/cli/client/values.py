"""Arrow's values as JSON values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal

import pyarrow as pa

_NOT_FINITE = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def json_rows(table: pa.Table) -> list[list[object]]:
    r"""The rows, each a list of JSON values.

    Numbers, texts, booleans and null stay what they are, and arrays are lists. Dates, times and
    intervals are texts in the forms of ISO 8601, bytes are ``\x`` and hex, decimals and floats that
    are no numbers are texts too, all as PostgreSQL writes them.
    """
    columns = [[_json(value) for value in column.to_pylist()] for column in table.columns]
    return [list(row) for row in zip(*columns, strict=True)]


def _json(value: object) -> object:
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else _NOT_FINITE[str(value)]
        case pa.MonthDayNano():
            seconds = Decimal(value.nanoseconds).scaleb(-9).normalize()
            return f"P{value.months}M{value.days}DT{seconds:f}S"
        case datetime() | date() | time():
            return value.isoformat()
        case bytes():
            return "\\x" + value.hex()
        case list() | tuple():
            return [_json(item) for item in value]
        case Mapping():
            return {str(name): _json(item) for name, item in value.items()}
        case _:
            return str(value)
