"""A result on its way: Arrow record batches to IPC bytes, its digest, and a preview to record."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import pyarrow as pa

PREVIEW_ROWS = 20
PREVIEW_CHARACTERS = 500

_END_OF_STREAM = b"\xff\xff\xff\xff\0\0\0\0"
"""Continuation marker and no more metadata (Arrow columnar format, IPC streaming format)."""


class ArrowBody:
    """Encodes one result as an Arrow IPC stream, uncompressed.

    Attributes:
        rows: So far.
        size_bytes: Of the IPC stream so far.
    """

    def __init__(self, schema: pa.Schema) -> None:
        self.schema = schema
        self.rows = 0
        self.size_bytes = 0
        self._digest = hashlib.sha256()
        self._preview: list[list[str | None]] = []

    def add(self, batch: pa.RecordBatch) -> list[memoryview]:
        """The IPC messages of one more batch (with the schema's before the first)."""
        if len(self._preview) < PREVIEW_ROWS:
            self._preview.extend(_as_text(batch.slice(0, PREVIEW_ROWS - len(self._preview))))
        self.rows += batch.num_rows
        return [*self._begin(), self._passed(batch.serialize())]

    def finish(self) -> list[memoryview]:
        """The end-of-stream marker."""
        return [*self._begin(), self._passed(_END_OF_STREAM)]

    def record(self) -> bytes:
        """What the record's body says of this result: its digest and its first rows, as JSON."""
        return json.dumps(
            {
                "arrow_sha256": self._digest.hexdigest(),
                "columns": self.schema.names,
                "preview": self._preview,
            },
            ensure_ascii=False,
        ).encode("utf-8", "replace")

    def _begin(self) -> list[memoryview]:
        return [] if self.size_bytes else [self._passed(self.schema.serialize())]

    def _passed(self, message: bytes | pa.Buffer) -> memoryview:
        view = memoryview(message)
        self._digest.update(view)
        self.size_bytes += view.nbytes
        return view


def _as_text(batch: pa.RecordBatch) -> Sequence[list[str | None]]:
    columns = [
        [None if value is None else str(value)[:PREVIEW_CHARACTERS] for value in _plain(column)]
        for column in batch.columns
    ]
    return [list(row) for row in zip(*columns, strict=True)]


def _plain(column: pa.Array) -> list[object]:
    """Python's values; time stamps as text, because for these pyarrow would load all of pandas."""
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.string())
    values: list[object] = column.to_pylist()
    return values
