"""A result written to a Parquet file while it arrives: masked, batch by batch.

1. The rows go to a file beside the target with a name of its own.
2. Only when the gateway has said how the action ended does it get its name: there is never half a
   result under it.
3. Without `overwrite` its name is first taken by an empty file, which fails where there is one by
   then (a hard link would do it in one step, and not every file system has them).
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from html import escape
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from zt_kernel.actions import Outcome
from zt_kernel.errors import ZTError
from zt_kernel.notebook_folder import exists, new_file
from zt_kernel.rendering import footer

ROW_GROUP_BYTES = 16 * 1024 * 1024
"""So much waits in memory; smaller groups would make a file that is slow to read."""


class SavedResult:
    """What is left in memory of a result that went to a file.

    Attributes:
        path: The file.
        rows: How many there are in it.
    """

    def __init__(self, path: Path, rows: int, outcome: Outcome) -> None:
        self.path = path
        self.rows = rows
        self._lines = [f"{path.name}: {rows} rows written", *footer(outcome)]

    def __repr__(self) -> str:
        return "\n".join(self._lines)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Mapping[str, str]:
        html = "".join(f"<p><small>{escape(line)}</small></p>" for line in self._lines)
        return {"text/plain": repr(self), "text/html": html}


class ParquetFile:
    """Takes the rows of one action."""

    def __init__(self, to: str, *, overwrite: bool) -> None:
        self._to = to
        self._overwrite = overwrite
        self._path = new_file(to, overwrite=overwrite)
        self._part = self._path.with_name(f".{self._path.name}.{secrets.token_hex(4)}.part")
        self._rows = 0
        self._began = False

    def receive(self, stream: pa.RecordBatchReader) -> None:
        """Writes all batches of a stream.

        Raises:
            ZTError: ``file_not_written``.
        """
        names = stream.schema.names
        if len(set(names)) < len(names):
            raise self._failed("two columns have one name", "Name them apart with AS.")
        self._began = True
        with self._told():
            writer = pq.ParquetWriter(self._new_part(), stream.schema)
        try:
            pending: list[pa.RecordBatch] = []
            size = 0
            for batch in stream:
                pending.append(batch)
                size += batch.nbytes
                if size >= ROW_GROUP_BYTES:
                    self._write(writer, pending)
                    pending, size = [], 0
            self._write(writer, pending)
        finally:
            with self._told():
                writer.close()

    def publish(self, outcome: Outcome) -> SavedResult:
        """Gives the file its name.

        Raises:
            ZTRefused: ``file_exists``: since the action began.
            ZTError: ``file_not_written``, ``no_rows``.
        """
        if not self._began:
            raise ZTError(
                "The command has no result to write.",
                code="no_rows",
                hint="It was done; only the file was not written.",
                record=str(outcome.result.get("record") or ""),
            )
        with self._told():
            if not self._overwrite:
                try:
                    _create(self._path)
                except FileExistsError as error:
                    raise exists(self._to) from error
            self._part.replace(self._path)
        return SavedResult(self._path, self._rows, outcome)

    def discard(self) -> None:
        """Removes what has no name yet."""
        with suppress(OSError):
            self._part.unlink(missing_ok=True)

    def _new_part(self) -> pa.NativeFile:
        _create(self._part)
        return pa.OSFile(str(self._part), "wb")

    def _write(self, writer: pq.ParquetWriter, batches: list[pa.RecordBatch]) -> None:
        if batches:
            with self._told():
                table = pa.Table.from_batches(batches)
                writer.write_table(table)
                self._rows += table.num_rows

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What the file system or the format refuses, as an error of ours."""
        try:
            yield
        except (OSError, pa.ArrowException) as error:
            what = error.strerror if isinstance(error, OSError) else str(error).partition("\n")[0]
            raise self._failed(
                what or "the disk failed", "Intervals and other types: write (x)::text."
            ) from error

    def _failed(self, what: str, hint: str) -> ZTError:
        return ZTError(
            f"{self._to!r} can't be written: {what}.", code="file_not_written", hint=hint
        )


def _create(path: Path) -> None:
    """An empty file that was not there, and is no link to elsewhere."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644))
