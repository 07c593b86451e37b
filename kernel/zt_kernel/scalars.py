"""A Python value as one that a parameter can carry: JSON's own, or a text.

The gateway reads a text as the type that the target expects at its place.
"""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd

Scalar = str | int | float | bool | None

MAX_EXACT_INTEGER = 2**53 - 1
"""Beyond it JSON's readers may round (RFC 8259, section 6): such integers travel as text."""

_MANY = (list, tuple, set, frozenset, pd.Series, pd.Index, np.ndarray)


class UnbindableError(Exception):
    """It is not one value, or of an unknown type.

    Attributes:
        hint: What to bind instead.
    """

    def __init__(self, hint: str) -> None:
        super().__init__(hint)
        self.hint = hint


def scalar(value: object) -> Scalar:
    """The value as JSON can carry it.

    Raises:
        UnbindableError: It can't be bound.
    """
    plain = _without_numpy(value)
    if plain is None or plain is pd.NA or plain is pd.NaT:
        return None
    if isinstance(plain, bool):
        return plain
    if isinstance(plain, int):
        return int(plain) if abs(plain) <= MAX_EXACT_INTEGER else str(int(plain))
    if isinstance(plain, float):
        return float(plain) if math.isfinite(plain) else str(float(plain))
    return _text(plain)


def _without_numpy(value: Any) -> Any:
    if isinstance(value, np.datetime64):
        value = pd.Timestamp(value)
    elif isinstance(value, np.timedelta64):
        value = pd.Timedelta(value)
    elif isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, pd.Timestamp) and value is not pd.NaT:
        return value.to_pydatetime(warn=False)
    return value


def _text(value: object) -> str:
    match value:
        case str():
            return str(value)
        case dt.date() | dt.time():  # a datetime is a date
            return value.isoformat()
        case dt.timedelta():
            return f"{value.days} days {value.seconds} seconds {value.microseconds} microseconds"
        case Decimal():
            return format(value, "f")
        case UUID():
            return str(value)
        case bytes() | bytearray() | memoryview():
            return "\\x" + bytes(value).hex()
        case dict():
            raise UnbindableError("Bind JSON as text: json.dumps(value), and write :name::jsonb.")
    if isinstance(value, _MANY):
        raise UnbindableError(
            "Join them into one text, ids = ','.join(map(str, values)), and write"
            " = ANY (string_to_array(:ids, ',')::int[])."
        )
    raise UnbindableError(
        "Bind one value: a number, text, boolean, None, date, time, Decimal, UUID or bytes."
    )
