"""PostgreSQL's types as Arrow types that pandas can work with.

The driver gives most types as they should be. The others:

============================  =====================================================================
numeric(p, s), p <= 15        float64: 15 digits survive it unchanged
numeric(p, s), p > 15         decimal128 or decimal256
numeric without a precision   float64 (sums, averages; what pandas.read_sql does with decimals)
json, jsonb, uuid, xml, void  string
arrays of these               lists of these
dates out of years 1 to 9999  missing, with a note: Python has no such dates (infinity is one)
inet, point, ranges, ...      bytes, with a note that a cast to text shows them
============================  =====================================================================
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

EXACT_FLOAT_DIGITS = 15
"""DBL_DIG: so many decimal digits survive the way into a double and back."""

_MAX_DECIMAL128 = 38
_MAX_DECIMAL256 = 76
_VARHDRSZ = 4
_FIRST_DAY = -719162
_LAST_DAY = 2932896
_MICROSECONDS_PER_DAY = 86_400_000_000
_HEX = np.frombuffer(b"0123456789abcdef", np.uint8)
_UUID_LENGTH = 36
_UUID_DASHES = (8, 13, 18, 23)

Convert = Callable[[pa.Array], pa.Array]


class ArrowTypes:
    """Converts the batches of one result.

    Attributes:
        schema: Of the converted batches.
        notes: What a person should know about the values, in the order it was found.
    """

    def __init__(self, schema: pa.Schema) -> None:
        self.notes: list[str] = []
        self._convert: list[Convert | None] = []
        fields = []
        for field in schema:
            target, convert = self._plan(field)
            fields.append(pa.field(field.name, target))
            self._convert.append(convert)
        self.schema = pa.schema(fields)

    def batch(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch with its columns converted."""
        columns = [
            convert(column) if convert else column
            for column, convert in zip(batch.columns, self._convert, strict=True)
        ]
        if not columns:
            return batch
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)

    def _plan(self, field: pa.Field) -> tuple[pa.DataType, Convert | None]:
        kind = field.type
        if pa.types.is_date32(kind) or pa.types.is_timestamp(kind):
            return kind, lambda array: self._within_years(field.name, array)
        if pa.types.is_list(kind):
            return self._plan_list(kind)
        if not isinstance(kind, pa.BaseExtensionType):
            return kind, None
        name = getattr(kind, "type_name", kind.extension_name)
        if name == "numeric":
            target = _numeric(field.metadata or {})
            return target, lambda array: _to_number(array.storage, target)
        if name == "arrow.uuid":
            return pa.string(), lambda array: uuid_text(array.storage)
        if name in {"xml", "void"}:
            return pa.string(), lambda array: array.storage.cast(pa.string())
        if pa.types.is_binary(kind.storage_type):
            self._note(f"{field.name} is shown as bytes: write {field.name}::text.")
        return kind.storage_type, lambda array: array.storage

    def _plan_list(self, kind: pa.ListType) -> tuple[pa.DataType, Convert | None]:
        target, convert = self._plan(kind.value_field)
        if convert is None or target == kind.value_type:
            return kind, None

        def convert_list(array: pa.ListArray) -> pa.Array:
            return pa.ListArray.from_arrays(
                array.offsets, convert(array.values), mask=array.is_null()
            )

        return pa.list_(target), convert_list

    def _within_years(self, name: str, array: pa.Array) -> pa.Array:
        """Replaces what Python's dates can't hold; the usual case costs one pass."""
        factor = 1 if pa.types.is_date32(array.type) else _MICROSECONDS_PER_DAY
        raw = array.view(pa.int32() if factor == 1 else pa.int64())
        ends = pc.min_max(raw)
        low, high = ends["min"].as_py(), ends["max"].as_py()
        first, last = _FIRST_DAY * factor, (_LAST_DAY + 1) * factor - 1
        if low is None or (low >= first and high <= last):
            return array
        self._note(f"{name}: dates outside of the years 1 to 9999 are shown as missing.")
        inside = pc.and_(pc.greater_equal(raw, first), pc.less_equal(raw, last))
        return pc.if_else(inside, array, pa.scalar(None, array.type))

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)


def uuid_text(array: pa.Array) -> pa.Array:
    """16-byte binary values as their 36 characters, without a Python loop."""
    count = len(array)
    raw = np.frombuffer(array.buffers()[1] or b"", np.uint8)
    octets = raw[array.offset * 16 : (array.offset + count) * 16].reshape(count, 16)
    digits = np.empty((count, 32), np.uint8)
    digits[:, 0::2] = _HEX[octets >> 4]
    digits[:, 1::2] = _HEX[octets & 15]
    text = np.full((count, _UUID_LENGTH), ord("-"), np.uint8)
    places = [place for place in range(_UUID_LENGTH) if place not in _UUID_DASHES]
    text[:, places] = digits
    offsets = np.arange(count + 1, dtype=np.int32) * _UUID_LENGTH
    result = pa.StringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(text))
    return pc.if_else(array.is_valid(), result, None) if array.null_count else result


def _numeric(metadata: dict[bytes, bytes]) -> pa.DataType:
    """By the type modifier: precision and scale, as in PostgreSQL's numeric.h."""
    modifier = int(metadata.get(b"POSTGRESQL:typmod", b"-1")) - _VARHDRSZ
    if modifier < 0:
        return pa.float64()
    precision, scale = (modifier >> 16) & 0xFFFF, modifier & 0x7FF
    if precision <= EXACT_FLOAT_DIGITS or scale > precision or precision > _MAX_DECIMAL256:
        return pa.float64()
    if precision <= _MAX_DECIMAL128:
        return pa.decimal128(precision, scale)
    return pa.decimal256(precision, scale)


def _to_number(array: pa.Array, target: pa.DataType) -> pa.Array:
    try:
        return array.cast(target)
    except pa.ArrowInvalid:
        if pa.types.is_floating(target):
            # Hundreds of digits: Python's own conversion knows that this is infinite.
            values = [None if text is None else float(text) for text in array.to_pylist()]
            return pa.array(values, target)
        number = pc.match_substring_regex(array, "^-?[0-9.]+$")
        return pc.if_else(number, array, pa.scalar(None, array.type)).cast(target)
