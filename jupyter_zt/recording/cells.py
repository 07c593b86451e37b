"""Cells on their way into the log and out of it: nbformat outputs to projections and back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from jupyter_zt.errors import EvidenceError
from jupyter_zt.recording.verify.projection import (
    Projection,
    is_json_mime,
    project,
    project_outputs,
    projection_bytes,
)
from jupyter_zt.recording.verify.strict_json import well_formed

__all__ = ["MAX_CELL_BYTES", "cell_projection", "outputs_of"]

MAX_CELL_BYTES = 10 * 1024 * 1024
"""A cell that is larger is recorded by the size and hash of what does not fit."""


def cell_projection(
    cell_id: str, cell_type: str, source: str, outputs: Sequence[dict[str, Any]]
) -> bytes:
    """The body of a `cell` record. Never refuses a cell: code in a kernel can't opt out this way.

    Args:
        cell_id: The cell's id in the notebook that ran.
        cell_type: ``code``.
        source: Its exact source.
        outputs: As nbformat 4 writes them. One that is no valid output is replaced by a note.
    """
    kept = [output if _is_recordable(output) else _note("no valid output") for output in outputs]
    body = _body(cell_id, cell_type, source, kept)
    if len(body) > MAX_CELL_BYTES:
        body = _body(cell_id, cell_type, source, [_note(_too_large("outputs", body))])
    if len(body) > MAX_CELL_BYTES:
        text = source.encode("utf-8", "surrogatepass")
        body = _body(cell_id, cell_type, f"# {_too_large('source', text)}", [])
    return body


def outputs_of(projected: Sequence[Sequence[Sequence[str]]]) -> list[dict[str, Any]]:
    """Outputs as nbformat writes them, from a projection's."""
    return [_output(parts) for parts in projected]


def _output(parts: Sequence[Sequence[str]]) -> dict[str, Any]:
    kind = parts[0][0]
    if kind == "stream":
        return {"output_type": kind, "name": parts[0][1], "text": parts[0][2]}
    if kind == "error":
        ename, evalue, traceback = (text for _, _, text in parts)
        lines = traceback.split("\n")
        return {"output_type": kind, "ename": ename, "evalue": evalue, "traceback": lines}
    data = {
        mime: json.loads(text) if is_json_mime(mime) else text for _, mime, text in parts if mime
    }
    output: dict[str, Any] = {"output_type": kind, "data": data, "metadata": {}}
    if kind == "execute_result":
        output["execution_count"] = None
    return output


def _is_recordable(output: dict[str, Any]) -> bool:
    """Whether what a notebook would show of it projects to the same again."""
    try:
        projected = project_outputs([output])
        return project_outputs(outputs_of(projected)) == projected
    except (EvidenceError, ValueError, RecursionError):
        return False


def _body(cell_id: str, cell_type: str, source: str, outputs: list[dict[str, Any]]) -> bytes:
    cell = {"cell_type": cell_type, "source": source, "outputs": outputs}
    projection: Projection = project(well_formed(cell_id), cell)
    return projection_bytes(projection)


def _note(text: str) -> dict[str, Any]:
    return {"output_type": "display_data", "data": {"text/plain": f"[{text}]"}, "metadata": {}}


def _too_large(what: str, data: bytes) -> str:
    digest = hashlib.sha256(data).hexdigest()
    return f"{what} too large to record: {len(data)} bytes with SHA-256 {digest}"
