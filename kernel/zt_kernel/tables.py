"""From Arrow to pandas: fast, and with types that stay useful."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from zt_kernel.actions import Column

_MICROSECONDS_PER_DAY = 86_400_000_000
_INTERVAL = np.dtype([("months", "<i4"), ("days", "<i4"), ("nanoseconds", "<i8")])
_NUMERIC = frozenset({"numeric", "decimal"})


def to_pandas(table: pa.Table, columns: Sequence[Column]) -> pd.DataFrame:
    """A DataFrame of the rows.

    - `numeric` that comes as text becomes float64, as `pandas.read_sql` does it.
    - Integers and booleans with missing values keep their type (`Int64`, `boolean`): as floats,
      large identifiers would lose digits.
    - Dates become datetime64, not Python objects.
    - Intervals become timedelta64 (a day is 24 hours), unless one of the column has months, whose
      length is not known: then they are DateOffsets.
    - Arrays with missing numbers become lists, so that large numbers keep their digits.

    The table must not be used afterwards: large ones give up their memory while they are read.
    """
    table = _plain_intervals(_plain_numbers(table, columns))
    nullable = [
        index
        for index, column in enumerate(table.columns)
        if column.null_count and (pa.types.is_integer(column.type) or column.type == pa.bool_())
    ]
    if len(set(table.column_names)) < len(table.column_names):
        # Two columns of one name are legal in SQL; Arrow's conversion wants them apart.
        names = table.column_names
        frame = to_pandas(table.rename_columns([str(index) for index in range(len(names))]), ())
        frame.columns = pd.Index(names)
        return frame
    gappy = {
        table.column_names[index]: column.to_pylist()
        for index, column in enumerate(table.columns)
        if _has_gaps(column)
    }
    frame = _with_nullable(table, set(nullable)) if nullable else _convert(table)
    for name, lists in gappy.items():
        frame[name] = pd.Series(lists, index=frame.index, dtype=object)
    return frame


def _convert(table: pa.Table) -> pd.DataFrame:
    # Splitting blocks skips a copy, but a column of one chunk would be Arrow's own memory, which
    # pandas can't write to: `df.loc[0, "n"] = 1` must work. Several chunks are copied together.
    large = all(column.num_chunks > 1 for column in table.columns)
    # A small table is done sooner than other threads have begun.
    frame: pd.DataFrame = table.to_pandas(
        date_as_object=False, split_blocks=large, self_destruct=large, use_threads=large
    )
    return frame


def _with_nullable(table: pa.Table, nullable: set[int]) -> pd.DataFrame:
    names = table.column_names
    plain = [name for index, name in enumerate(names) if index not in nullable]
    kept = [name for index, name in enumerate(names) if index in nullable]
    typed = table.select(kept).to_pandas(types_mapper=_NULLABLE.get)
    if not plain:
        return pd.DataFrame(typed)
    frame = pd.concat([_convert(table.select(plain)), typed], axis=1)
    return pd.DataFrame(frame[names])


def _has_gaps(column: pa.ChunkedArray) -> bool:
    kind = column.type
    if not pa.types.is_list(kind) or not (
        pa.types.is_integer(kind.value_type) or pa.types.is_boolean(kind.value_type)
    ):
        return False
    return any(chunk.flatten().null_count for chunk in column.chunks)


def _plain_intervals(table: pa.Table) -> pa.Table:
    for index, field in enumerate(table.schema):
        if field.type == pa.month_day_nano_interval():
            chunks = [_duration(chunk) for chunk in table.column(index).chunks]
            if all(chunk is not None for chunk in chunks):
                made = pa.chunked_array(chunks, pa.duration("us"))
                table = table.set_column(index, field.name, made)
    return table


def _duration(array: pa.Array) -> pa.Array | None:
    """The intervals as durations; None where one of them has months."""
    raw = np.frombuffer(array.buffers()[1] or b"", _INTERVAL)
    raw = raw[array.offset : array.offset + len(array)]
    missing = np.asarray(array.is_null())
    if raw["months"][~missing].any():
        return None
    microseconds = raw["days"].astype(np.int64) * _MICROSECONDS_PER_DAY + raw["nanoseconds"] // 1000
    return pa.array(microseconds, pa.int64(), mask=missing).cast(pa.duration("us"))


def _plain_numbers(table: pa.Table, columns: Sequence[Column]) -> pa.Table:
    for index, column in enumerate(columns[: table.num_columns]):
        field = table.schema.field(index)
        storage = getattr(field.type, "storage_type", field.type)
        if column.type.partition("(")[0] in _NUMERIC and pa.types.is_string(storage):
            texts = table.column(index).cast(storage)
            try:
                numbers = pc.cast(texts, pa.float64())
            except pa.ArrowInvalid:
                continue  # a mask put words where numbers were
            table = table.set_column(index, field.name, numbers)
    return table


_NULLABLE = {
    pa.int8(): pd.Int8Dtype(),
    pa.int16(): pd.Int16Dtype(),
    pa.int32(): pd.Int32Dtype(),
    pa.int64(): pd.Int64Dtype(),
    pa.uint8(): pd.UInt8Dtype(),
    pa.uint16(): pd.UInt16Dtype(),
    pa.uint32(): pd.UInt32Dtype(),
    pa.uint64(): pd.UInt64Dtype(),
    pa.bool_(): pd.BooleanDtype(),
}
