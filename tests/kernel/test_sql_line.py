"""How a tool cell is read, and how its errors look."""

from __future__ import annotations

import pytest

from zt_kernel.errors import ZTError, ZTRefused, from_event, pointer
from zt_kernel.sql_line import SqlCell, read


@pytest.mark.parametrize(
    ("line", "body", "expected"),
    [
        ("warehouse", "select 1\n", SqlCell("warehouse", "select 1")),
        ("warehouse", "\nselect 1\n\n", SqlCell("warehouse", "\nselect 1")),
        (" warehouse df <<", "select 1", SqlCell("warehouse", "select 1", "df")),
        ("warehouse", "df << select 1", SqlCell("warehouse", "select 1", "df")),
        ("warehouse", "df <<\nselect 1", SqlCell("warehouse", "select 1", "df")),
        ("warehouse select 1", None, SqlCell("warehouse", "select 1")),
        ("warehouse df << select 1", None, SqlCell("warehouse", "select 1", "df")),
        ("warehouse select 1,", "2", SqlCell("warehouse", "select 1,\n2")),
        ("my-db.eu", "select 1 << 2", SqlCell("my-db.eu", "select 1 << 2")),
        ("warehouse", "", SqlCell("warehouse", "")),
        ("warehouse", "select '{x} $y'", SqlCell("warehouse", "select '{x} $y'")),
        ("größe", "x", None),
        ("", "select 1", None),
        ("'warehouse'", "select 1", None),
    ],
)
def test_a_tool_cell_is_read(line: str, body: str | None, expected: SqlCell | None) -> None:
    if expected is None:
        with pytest.raises(ZTRefused) as caught:
            read(line, body)
        assert caught.value.code == "no_connection"
    else:
        assert read(line, body) == expected


@pytest.mark.parametrize(
    ("command", "position", "lines"),
    [
        ("selec 1", 1, ["line 1: selec 1", "        ^"]),
        ("select 1\nfrom", 14, ["line 2: from", "            ^"]),
        ("select\tx", 8, ["line 1: select x", "               ^"]),
        ("select 1", 0, []),
        ("select 1", 99, []),
    ],
)
def test_a_caret_points_at_the_fault(command: str, position: int, lines: list[str]) -> None:
    assert pointer(command, position) == lines


def test_a_caret_far_to_the_right_is_in_sight() -> None:
    line, caret = pointer("x" * 5000 + "!", 5001)
    assert len(line) < 200
    assert line[caret.index("^")] == "!"


def test_an_error_is_a_few_lines_with_code_hint_and_who() -> None:
    event = {
        "event": "error",
        "status": "denied",
        "code": "unparsable",
        "message": "This is no SQL.",
        "hint": "Mind the caret.",
        "who": "A reviewer",
        "record": "9",
        "position": 1,
    }
    error = from_event(event, "selec 1")
    assert isinstance(error, ZTRefused)
    assert error._render_traceback_() == [
        "Refused: This is no SQL.",
        "line 1: selec 1",
        "        ^",
        "Mind the caret.",
        "Who can help: A reviewer",
        "[unparsable · record 9]",
    ]


def test_an_error_without_any_fields_still_has_a_code() -> None:
    error = from_event({}, "")
    assert type(error) is ZTError
    assert error.code == "unknown_error"
