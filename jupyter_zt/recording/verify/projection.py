"""The cell projection: what of a notebook cell is evidence, in a form that re-saving keeps. No IO.

``[id, type, source, outputs]``, where each output is a list of ``[kind, mime, text]``. Left out are
execution counts, timing, collapsed and scrolled state, and metadata. What harmless editors change
is settled: lists of lines are joined, line ends are LF, trailing newlines fall, streams of one name
are merged, base64 loses its line breaks, JSON bundles become canonical JSON.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from jupyter_zt.errors import EvidenceError
from jupyter_zt.recording.verify.strict_json import (
    canonical_json,
    canonical_text,
    well_formed,
)
from jupyter_zt.recording.verify.terminal import settle

__all__ = [
    "Projection",
    "hash_projections",
    "is_json_mime",
    "project",
    "project_outputs",
    "projection_bytes",
]

Projection = list[Any]
"""``[id, type, source, [[[kind, mime, text], ...], ...]]``, text throughout."""

_BASE64_MIME = re.compile(r"(image/(?!svg\+xml)|audio/|video/|application/pdf)")
_SPACE = re.compile(r"\s+")


def project(identifier: str, cell: dict[str, Any]) -> Projection:
    """Project a notebook cell (nbformat 4).

    Args:
        identifier: The cell's id.
        cell: The cell as parsed JSON.

    Raises:
        EvidenceError: It is not of the shape that nbformat 4 gives a cell.
    """
    kind = cell.get("cell_type")
    if not isinstance(kind, str):
        raise _bad_cell("it has no cell type")
    source = _text(cell.get("source", "")).replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")
    outputs = cell.get("outputs", []) if kind == "code" else []
    return [well_formed(identifier), well_formed(kind), source, project_outputs(outputs)]


def project_outputs(outputs: object) -> list[list[list[str]]]:
    """Project a code cell's outputs.

    Raises:
        EvidenceError: They are not of the shape that nbformat 4 gives them.
    """
    if not isinstance(outputs, list):
        raise _bad_cell("its outputs are no list")
    projected: list[list[list[str]]] = []
    for output in _with_streams_merged(outputs):
        if isinstance(output, _Stream):
            text = well_formed(settle("".join(output.texts))).rstrip("\n")
            projected.append([["stream", well_formed(output.name), text]])
        else:
            projected.append(_project_output(output))
    return projected


def projection_bytes(projection: Projection) -> bytes:
    """The exact bytes that a `cell` record's body holds."""
    return canonical_text(projection).encode()


def hash_projections(bodies: Iterable[bytes]) -> str:
    """Hex SHA-256 over the canonical list of a session's cell projections: what the seal fixes."""
    return hashlib.sha256(b"[" + b",".join(bodies) + b"]").hexdigest()


def is_json_mime(mime: str) -> bool:
    """Whether notebooks hold this type as JSON and not as text (as nbformat decides it)."""
    return mime == "application/json" or (
        mime.startswith("application/") and mime.endswith("+json")
    )


@dataclass(slots=True)
class _Stream:
    """Stream outputs of one name that follow each other: JupyterLab saves them as one."""

    name: str
    texts: list[str]


def _with_streams_merged(outputs: list[Any]) -> list[_Stream | dict[str, Any]]:
    merged: list[_Stream | dict[str, Any]] = []
    for output in outputs:
        if not isinstance(output, dict):
            raise _bad_cell("an output is no object")
        if output.get("output_type") != "stream":
            merged.append(output)
            continue
        name, text = _plain(output.get("name")), _joined(output.get("text", ""))
        last = merged[-1] if merged else None
        if isinstance(last, _Stream) and last.name == name:
            last.texts.append(text)
        else:
            merged.append(_Stream(name, [text]))
    return merged


def _project_output(output: dict[str, Any]) -> list[list[str]]:
    kind = output.get("output_type")
    if kind == "error":
        lines = output.get("traceback", [])
        if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
            raise _bad_cell("a traceback is no list of lines")
        return [
            ["error", "ename", well_formed(_plain(output.get("ename")))],
            ["error", "evalue", well_formed(_plain(output.get("evalue")))],
            ["error", "traceback", well_formed("\n".join(lines)).rstrip("\n")],
        ]
    data = output.get("data", {})
    if not isinstance(kind, str) or kind not in {"display_data", "execute_result"}:
        raise _bad_cell("an output is of no known type")
    if not isinstance(data, dict):
        raise _bad_cell("an output's data is no object")
    if not data:
        return [[kind, "", ""]]
    return [[kind, well_formed(mime), _mime_text(mime, data[mime])] for mime in sorted(data)]


def _mime_text(mime: str, value: object) -> str:
    if is_json_mime(mime):
        return well_formed(canonical_json(value))
    text = _text(value)
    return _SPACE.sub("", text) if _BASE64_MIME.match(mime) else text.rstrip("\n")


def _text(value: object) -> str:
    return well_formed(_joined(value))


def _joined(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return "".join(value)
    raise _bad_cell("a text is neither a string nor a list of lines")


def _plain(value: object) -> str:
    if not isinstance(value, str):
        raise _bad_cell("a name is no text")
    return value


def _bad_cell(why: str) -> EvidenceError:
    return EvidenceError(f"This is no notebook cell: {why}.", code="bad_cell")
