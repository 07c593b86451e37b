"""How a result looks: our own mime type, a static HTML table and plain text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import pandas as pd

from zt_kernel.actions import Column, Outcome

MIME = "application/vnd.zt.result+json"
SHOWN_ROWS = 20
_MAX_CELL_CHARACTERS = 200
_MARK = "◐"


def render(frame: pd.DataFrame, outcome: Outcome) -> dict[str, Any]:
    """All forms of one result."""
    head = _cells(frame)
    return {
        MIME: _as_json(outcome, head),
        "text/html": _as_html(outcome, head),
        "text/plain": _as_text(frame, outcome),
    }


def footer(outcome: Outcome) -> list[str]:
    """What stands below a result: rows, time, record, masks, and how to ask for more."""
    result = outcome.result
    parts = []
    if outcome.columns:
        rows = str(result.get("rows") or "0")
        parts.append(f"{rows} row" if rows == "1" else f"{rows} rows")
        if rows.isdecimal() and int(rows) > SHOWN_ROWS:
            parts.append(f"first {SHOWN_ROWS} shown")
    elif answer := _model_answer(outcome):
        return [answer, f"{outcome.command.connection}, record {result.get('record') or '?'}"]
    elif result.get("command_tag"):
        parts.append(str(result["command_tag"]))
    seconds = result.get("seconds")
    if isinstance(seconds, int | float):
        parts.append(f"{seconds:.2f} s")
    parts.append(f"{outcome.command.connection}, record {result.get('record') or '?'}")
    approved_by = [str(name) for name in result.get("approved_by") or ()]
    if approved_by:
        parts.append(f"approved by {', '.join(approved_by)}")
    lines = [" · ".join(parts)]
    masked = [
        f"{column.name} ({column.mask.kind}: {column.mask.tag})"
        for column in outcome.columns
        if column.mask is not None
    ]
    if masked:
        lines.append(f"{_MARK} masked by classification: {', '.join(masked)}")
        lines.append(
            "To see more of a column, ask an administrator to change its classification or grant "
            f"it to you; name record {result.get('record') or '?'}."
        )
    truncated = result.get("truncated")
    asked = str(outcome.command.max_rows or "")
    if isinstance(truncated, Mapping) and asked and truncated.get("value") == asked:
        lines.append(f"Ended after {asked} rows, as the limit asked.")
    elif isinstance(truncated, Mapping):
        limit = f"Cut off at {truncated.get('limit')} = {truncated.get('value')}."
        lines.append(f"{limit} {truncated.get('hint') or 'Narrow it with WHERE or LIMIT.'}")
    return lines


def _model_answer(outcome: Outcome) -> str:
    """What a language model said, where that is what was asked for; else ""."""
    try:
        content = outcome.result["body"]["choices"][0]["message"]["content"]
    except (KeyError, IndexError, TypeError):
        return ""
    return content if isinstance(content, str) else ""


def _cells(frame: pd.DataFrame) -> list[list[str | None]]:
    head = frame.head(SHOWN_ROWS)
    columns = [
        [_cell(value) for value in head.iloc[:, index].tolist()] for index in range(head.shape[1])
    ]
    return [list(row) for row in zip(*columns, strict=True)]


def _cell(value: object) -> str | None:
    if value is None or value is pd.NaT or value is pd.NA:
        return None
    if isinstance(value, float) and value != value:  # noqa: PLR0124 - NaN is the one such value
        return None
    text = str(value)
    if isinstance(value, pd.Timestamp):
        text = text.removesuffix(" 00:00:00")
    if len(text) > _MAX_CELL_CHARACTERS:
        return text[: _MAX_CELL_CHARACTERS - 1] + "…"
    return text


def _as_json(outcome: Outcome, rows: Sequence[Sequence[str | None]]) -> dict[str, Any]:
    result = outcome.result
    return {
        "v": "1",
        "connection": outcome.command.connection,
        "columns": [
            {
                "name": column.name,
                "type": column.type,
                "mask": {"kind": column.mask.kind, "tag": column.mask.tag} if column.mask else None,
            }
            for column in outcome.columns
        ],
        "rows": [list(row) for row in rows],
        "row_count": str(result.get("rows") or "0"),
        "seconds": result.get("seconds"),
        "record": str(result.get("record") or ""),
        "truncated": result.get("truncated"),
        "approved_by": [str(name) for name in result.get("approved_by") or ()],
        "command_tag": str(result.get("command_tag") or ""),
    }


def _as_html(outcome: Outcome, rows: Sequence[Sequence[str | None]]) -> str:
    notes = "".join(f"<p><small>{escape(line)}</small></p>" for line in footer(outcome))
    if not outcome.columns:
        return notes
    header = "".join(f"<th>{_header(column)}</th>" for column in outcome.columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{_html_cell(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return (
        f'<table border="1" class="dataframe"><thead><tr>{header}</tr></thead>'
        f"<tbody>{body}</tbody></table>{notes}"
    )


def _header(column: Column) -> str:
    if column.mask is None:
        return escape(column.name)
    why = f"masked ({column.mask.kind}): {column.mask.tag}"
    return f'<span title="{escape(why)}">{escape(column.name)} {_MARK}</span>'


def _html_cell(cell: str | None) -> str:
    return "<em>null</em>" if cell is None else escape(cell)


def _as_text(frame: pd.DataFrame, outcome: Outcome) -> str:
    notes = footer(outcome)
    if not outcome.columns:
        return "\n".join(notes)
    marked = pd.DataFrame(frame.head(SHOWN_ROWS))
    marked.columns = pd.Index(
        [f"{column.name} {_MARK}" if column.mask else column.name for column in outcome.columns]
    )
    table = marked.to_string(index=False, max_colwidth=60) if len(marked) else "(no rows)"
    if not len(marked):
        table = " | ".join(str(name) for name in marked.columns) + "\n" + table
    return "\n".join([table, "", *notes])
