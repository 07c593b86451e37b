"""Compares a notebook's cells with the signed records. No IO."""

from __future__ import annotations

from typing import Any

from jupyter_zt.errors import EvidenceError
from jupyter_zt.recording.verify.bundle import Bundle, Entry
from jupyter_zt.recording.verify.header import (
    ERASED_SOURCE,
    GAP_ID,
    HEADER_ID,
    cell_id,
    gap_source,
    header_source,
)
from jupyter_zt.recording.verify.projection import project, projection_bytes
from jupyter_zt.recording.verify.report import CellVerdict, Report, Verdict
from jupyter_zt.recording.verify.strict_json import parse_json

__all__ = ["check_cells"]


def check_cells(report: Report, bundle: Bundle, cells: list[Any]) -> None:
    """Give each cell its verdict: in the notebook's order, then those that are missing."""
    written = {HEADER_ID: header_source(bundle), GAP_ID: gap_source(bundle)}
    expected = {name: source for name, source in written.items() if source}
    recorded = {str(entry.leaf): entry for entry in bundle.of_kind("cell")}
    last_seq = -1
    for place, cell in enumerate(cells):
        name = _name(cell, place)
        entry = recorded.pop(_leaf(cell), None)
        if entry is not None:
            verdict = _compare(bundle, entry, cell) if entry.seq > last_seq else CellVerdict.EDITED
            last_seq = max(last_seq, entry.seq)
        elif name in expected:
            verdict = _compare_written(name, expected.pop(name), cell, place)
            if verdict is CellVerdict.MATCH:
                continue
        else:
            verdict = CellVerdict.UNRECORDED
        _note(report, name, verdict)
    for name in (*(cell_id(entry) for entry in recorded.values()), *expected):
        _note(report, name, CellVerdict.MISSING)


def _compare(bundle: Bundle, entry: Entry, cell: dict[str, Any]) -> CellVerdict:
    """Compare a cell with the record that it names.

    The body names the cell as the notebook did that ran; here its id is made from its place.
    """
    body = bundle.body(entry, "cell")
    name = cell_id(entry)
    try:
        original = name if body is None else _recorded_id(body)
        found = project(original, cell)
    except EvidenceError:
        return CellVerdict.EDITED
    if cell.get("id", name) != name:
        return CellVerdict.EDITED
    if body is None:
        blank = found[1:] == ["code", ERASED_SOURCE, []]
        return CellVerdict.ERASED if blank else CellVerdict.EDITED
    return CellVerdict.MATCH if projection_bytes(found) == body else CellVerdict.EDITED


def _recorded_id(body: bytes) -> str:
    projection = parse_json(body)
    if isinstance(projection, list) and projection and isinstance(projection[0], str):
        return projection[0]
    raise EvidenceError("The body is no cell projection.", code="bad_cell")


def _compare_written(name: str, source: str, cell: dict[str, Any], place: int) -> CellVerdict:
    """Compare a cell that this program wrote; the header stands first."""
    try:
        found = project(name, cell)
    except EvidenceError:
        return CellVerdict.EDITED
    in_place = name != HEADER_ID or place == 0
    return (
        CellVerdict.MATCH
        if in_place and found[1:] == ["markdown", source, []]
        else CellVerdict.EDITED
    )


def _note(report: Report, name: str, verdict: CellVerdict) -> None:
    report.cells.append((name, verdict))
    if verdict in {CellVerdict.EDITED, CellVerdict.UNRECORDED, CellVerdict.MISSING}:
        report.add(Verdict.TAMPERED, _SENTENCES[verdict].format(name))


def _name(cell: object, place: int) -> str:
    identifier = cell.get("id") if isinstance(cell, dict) else None
    return identifier if isinstance(identifier, str) and identifier else f"cell {place + 1}"


def _leaf(cell: object) -> str:
    metadata = cell.get("metadata") if isinstance(cell, dict) else None
    evidence = metadata.get("zt") if isinstance(metadata, dict) else None
    leaf = evidence.get("leaf") if isinstance(evidence, dict) else None
    return leaf if isinstance(leaf, str) else ""


_SENTENCES = {
    CellVerdict.EDITED: "Cell {} was edited or moved since it was recorded.",
    CellVerdict.UNRECORDED: "Cell {} was not recorded: it was added later.",
    CellVerdict.MISSING: "Cell {} was recorded and is not here.",
}
