"""Positional parameters, bound by the protocol and never put into the text.

A parameter is a JSON scalar. Numbers and booleans go as they are. A string goes as text, unless the
target expects a date, a time, an interval, a number, a UUID or bytes there: JSON has none of these.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from uuid import UUID

import pyarrow as pa
from adbc_driver_manager import AdbcStatement

from jupyter_zt.errors import InvalidInputError

Parameter = str | int | float | bool | None

_INT64 = range(-(2**63), 2**63)
_MAX_DIGITS = 38
_INTERVAL = re.compile(
    r"(?=-?\d)(?:(-?\d{1,9}) days?)?\s*(?:(-?\d{1,9}) seconds?)?\s*(?:(-?\d{1,9}) microseconds?)?"
)


def bind(statement: AdbcStatement, parameters: Sequence[Parameter]) -> None:
    """Binds the values to ``$1``, ``$2``, ... of a statement whose text is set.

    Raises:
        InvalidInputError: A string is not what the target expects there, or a number is too large.
        adbc_driver_manager.Error: The statement can't be prepared.
    """
    expected: list[pa.DataType | None] = [None] * len(parameters)
    if any(isinstance(value, str) for value in parameters):
        # The extra round trip is paid only where there is a string to place.
        statement.prepare()
        schema = pa.schema(statement.get_parameter_schema())
        if len(schema) != len(parameters):
            raise InvalidInputError(
                f"The statement takes {len(schema)} parameters, {len(parameters)} were given.",
                code="bad_parameter",
            )
        expected = list(schema.types)
    arrays = [
        _array(place, value, kind)
        for place, (value, kind) in enumerate(zip(parameters, expected, strict=True), start=1)
    ]
    names = [str(place) for place in range(len(arrays))]
    statement.prepare()
    statement.bind(pa.record_batch(arrays, names=names))


def _array(place: int, value: Parameter, expected: pa.DataType | None) -> pa.Array:
    if value is None:
        return pa.nulls(1)
    if isinstance(value, bool):
        return pa.array([value], pa.bool_())
    if isinstance(value, int):
        if value in _INT64:
            return pa.array([value], pa.int64())
        return _decimal(place, str(value))
    if isinstance(value, float):
        return pa.array([value], pa.float64())
    if "\0" in value:
        raise InvalidInputError(f"${place} holds a zero byte.", code="bad_parameter")
    try:
        return _text(place, value, expected)
    except (ValueError, OverflowError) as error:
        raise InvalidInputError(
            f"${place} is not a value of the type that is expected there ({expected}).",
            code="bad_parameter",
            hint="Dates are written 2024-01-31, time stamps 2024-01-31T10:00:00+00:00, times"
            " 10:00:00, intervals 1 day 30 seconds, bytes \\x00ff; or cast, as $1::text::interval.",
        ) from error


def _text(place: int, value: str, expected: pa.DataType | None) -> pa.Array:
    if expected is None:
        return pa.array([value], pa.string())
    if pa.types.is_integer(expected):
        return pa.array([int(value)], pa.int64())
    if pa.types.is_floating(expected):
        return pa.array([float(value)], pa.float64())
    if getattr(expected, "type_name", "") == "numeric":
        return _decimal(place, value)
    if pa.types.is_temporal(expected):
        return _moment(value, expected)
    if expected == pa.uuid():
        return pa.array([UUID(value).bytes], pa.uuid())
    if expected == pa.binary():
        return pa.array([_bytes(value)], pa.binary())
    return pa.array([value], pa.string())


def _moment(value: str, expected: pa.DataType) -> pa.Array:
    if pa.types.is_date(expected):
        return pa.array([date.fromisoformat(value)], pa.date32())
    if pa.types.is_time(expected):
        return pa.array([time.fromisoformat(value)], pa.time64("us"))
    if pa.types.is_timestamp(expected):
        moment = datetime.fromisoformat(value)
        if expected.tz is not None and moment.tzinfo is None:
            raise ValueError("without an offset it is no point in time")
        return pa.array([moment], pa.timestamp("us", tz="UTC" if moment.tzinfo else None))
    return pa.array([_interval(value)])


def _interval(text: str) -> pa.MonthDayNano:
    found = _INTERVAL.fullmatch(text)
    if found is None:
        raise ValueError("not an interval")
    days, seconds, microseconds = (int(part or 0) for part in found.groups())
    return pa.MonthDayNano([0, days, (seconds * 1_000_000 + microseconds) * 1000])


def _bytes(text: str) -> bytes:
    if not text.startswith("\\x"):
        raise ValueError("not bytes in hex")
    return bytes.fromhex(text[2:])


def _decimal(place: int, text: str) -> pa.Array:
    try:
        number = Decimal(text)
    except InvalidOperation as error:
        raise ValueError("not a number") from error
    digits, exponent = number.as_tuple().digits, number.as_tuple().exponent
    if not isinstance(exponent, int) or len(digits) > _MAX_DIGITS or abs(exponent) > _MAX_DIGITS:
        raise InvalidInputError(
            f"${place} has too many digits.", code="bad_parameter", hint=f"{_MAX_DIGITS} at most."
        )
    return pa.array([number])
