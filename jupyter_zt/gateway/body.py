"""A result on its way: Arrow record batches to IPC bytes, its digest, and a preview to record."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import pyarrow as pa

PREVIEW_ROWS = 20
PREVIEW_CHARACTERS = 500


class _Slices:
    """A writable that keeps what it is given, without copying it together."""

    closed = False

    def __init__(self) -> None:
        self.taken: list[bytes] = []

    def write(self, data: bytes | pa.Buffer) -> int:
        piece = data if isinstance(data, bytes) else memoryview(data).tobytes()
        self.taken.append(piece)
        return len(piece)

    def flush(self) -> None:
        """Nothing is kept back."""

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False


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
        self._sink = _Slices()
        self._writer = pa.ipc.new_stream(pa.PythonFile(self._sink, mode="w"), schema)
        self._digest = hashlib.sha256()
        self._preview: list[list[str | None]] = []

    def add(self, batch: pa.RecordBatch) -> list[bytes]:
        """IPC bytes of one more batch (with the schema's before the first)."""
        if len(self._preview) < PREVIEW_ROWS:
            self._preview.extend(_as_text(batch.slice(0, PREVIEW_ROWS - len(self._preview))))
        self._writer.write_batch(batch)
        self.rows += batch.num_rows
        return self._take()

    def finish(self) -> list[bytes]:
        """The end-of-stream marker."""
        self._writer.close()
        return self._take()

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

    def _take(self) -> list[bytes]:
        taken, self._sink.taken = self._sink.taken, []
        for piece in taken:
            self._digest.update(piece)
            self.size_bytes += len(piece)
        return taken


def _as_text(batch: pa.RecordBatch) -> Sequence[list[str | None]]:
    columns = [
        [None if value is None else str(value)[:PREVIEW_CHARACTERS] for value in column.to_pylist()]
        for column in batch.columns
    ]
    return [list(row) for row in zip(*columns, strict=True)]
