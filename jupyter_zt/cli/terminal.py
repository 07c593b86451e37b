"""What a person reads on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence

MAX_ROWS = 1000
MAX_CELL_CHARACTERS = 60


def printable(text: str) -> str:
    """Text of others may hold terminal commands, or letters that the terminal can't show."""
    shown = "".join(
        char if char == "\n" or char.isprintable() else f"\\u{ord(char):04x}" for char in text
    )
    encoding = sys.stdout.encoding or "utf-8"
    return shown.encode(encoding, "backslashreplace").decode(encoding)


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Rows below their column names; long cells and long tables are cut, and show it."""
    cells = [[_cell(value) for value in row] for row in rows[:MAX_ROWS]]
    head = [_cell(name) for name in columns]
    widths = [max(len(row[index]) for row in [head, *cells]) for index in range(len(head))]
    numbers = [
        bool(rows) and all(_is_number(row[index]) for row in rows[:MAX_ROWS])
        for index in range(len(head))
    ]
    lines = [_line(head, widths, numbers), "  ".join("-" * width for width in widths)]
    lines += [_line(row, widths, numbers) for row in cells]
    if len(rows) > MAX_ROWS:
        lines.append(f"... and {len(rows) - MAX_ROWS} more (--batch gives all)")
    return "\n".join(lines)


def _line(cells: Sequence[str], widths: Sequence[int], numbers: Sequence[bool]) -> str:
    aligned = [
        cell.rjust(width) if number else cell.ljust(width)
        for cell, width, number in zip(cells, widths, numbers, strict=True)
    ]
    return "  ".join(aligned).rstrip()


def _cell(value: object) -> str:
    text = "" if value is None else printable(str(value)).replace("\n", "\\n")
    if len(text) > MAX_CELL_CHARACTERS:
        return text[: MAX_CELL_CHARACTERS - 3] + "..."
    return text


def _is_number(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))
