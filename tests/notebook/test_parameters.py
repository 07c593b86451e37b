"""`:name` in a command, against PostgreSQL's own parser."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pglast import parse_sql
from pglast.parser import scan

from zt_kernel.errors import ZTRefused
from zt_kernel.parameters import Bound, bind, positional

VALUES = {"x": 1, "größe": "g", "order": None, "n": 2, "_a1": True}
NAMES = st.sampled_from(sorted(VALUES))

# Pieces of SQL that hold what looks like a parameter and is none.
DECOYS = st.sampled_from(
    [
        "':x'", "'it''s :x'", r"E'\':x\\'", "$$ :x '$$", "$q$ :x $$ $q$", '":x"', '"a"":x"',
        "/* :x */ 1", "/* /* :x */ :n */ 1", "1 -- :x ' $$ \n", "x::int", "x::text::order_",
        "1 ::int", "x[1:n]", "(x)[1:n]", "x[1:n][n:2]", "x[n:]",
        "U&':x'", "B'1'", "'10:30'", "f(a := n)",
        "JSON_OBJECT('k':x)", "'a' AS \"b:n\"",
    ]
)  # fmt: skip
REAL = st.tuples(
    st.sampled_from(
        ["{}", "({})", "{}::int", "ARRAY[{}]", "ARRAY[[{}]]", "x[({})]", "f({},1)", "-{}", "x={}",
         "x BETWEEN {} AND 1", "CASE WHEN true THEN {} END", "f(a := {})", "x || {}||'b'",
         "x[1 + {}]", "JSON_OBJECT('k' : {})"]
    ),
    NAMES,
)  # fmt: skip


@given(st.lists(DECOYS | REAL, min_size=1, max_size=8), st.sampled_from([", ", ",", " ,\n"]))
def test_what_is_no_parameter_stays_byte_for_byte(
    pieces: list[str | tuple[str, str]], between: str
) -> None:
    command = "SELECT " + between.join(
        piece if isinstance(piece, str) else piece[0].format(f":{piece[1]}") for piece in pieces
    )
    names = list(dict.fromkeys(piece[1] for piece in pieces if not isinstance(piece, str)))
    expected = "SELECT " + between.join(
        piece if isinstance(piece, str) else piece[0].format(f"${names.index(piece[1]) + 1}")
        for piece in pieces
    )
    assert bind(command, VALUES) == Bound(expected, tuple(VALUES[name] for name in names))
    found = {expected[t.start : t.end + 1] for t in scan(expected) if t.name == "PARAM"}
    assert found == {f"${place + 1}" for place in range(len(names))}
    if "JSON_OBJECT" not in expected:  # PostgreSQL 16's, which pglast may not know
        parse_sql(expected)


@given(st.text(alphabet="':\"$x[]()-/*\\\n1E,; ", max_size=24))
def test_no_text_makes_a_value_part_of_the_command(command: str) -> None:
    secret = "'; DROP TABLE t; --"
    try:
        bound = bind(command, {"x": secret, "xx": secret, "E": secret, "Ex": secret, "xE": secret})
    except ZTRefused:
        return
    assert secret not in bound.text
    assert all(value == secret for value in bound.values)  # noqa: PD011


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("SELECT 1 WHERE id = :nobody", "undefined_parameter"),
        ("SELECT :rows", "bad_parameter"),
        ("SELECT :facts", "bad_parameter"),
        ("SELECT :object", "bad_parameter"),
        ("SELECT :x$y", "bad_parameter"),
        ("SELECT list[:x]", "ambiguous_parameter"),
        ("SELECT list[name:x]", "ambiguous_parameter"),
        ("SELECT $1, :x", "mixed_parameters"),
    ],
)
def test_what_cannot_be_bound_is_refused_with_its_place(command: str, code: str) -> None:
    values = {"x": 1, "rows": [1, 2], "facts": {"a": 1}, "object": object()}
    with pytest.raises(ZTRefused) as caught:
        bind(command, values)
    assert caught.value.code == code
    assert caught.value.hint
    at = command.index("$1") if code == "mixed_parameters" else command.index(":")
    assert caught.value.position == at + 1


@pytest.mark.parametrize("command", ["SELECT ':x", 'SELECT ":x', "SELECT $$ :x", "/* :x"])
def test_a_quote_that_does_not_end_is_the_gateways_to_refuse(command: str) -> None:
    assert bind(command, {}) == Bound(command)


@pytest.mark.parametrize(
    ("value", "bound"),
    [
        (None, None), (pd.NA, None), (pd.NaT, None), (np.bool_(True), True), (np.int64(3), 3),
        (2**53, "9007199254740992"), (np.float32(0.5), 0.5), (float("nan"), "nan"),
        (Decimal("1E+3"), "1000"), (Decimal("0.10"), "0.10"), ("a'b", "a'b"),
        (b"\x00\xff", "\\x00ff"),
        (dt.date(2024, 2, 29), "2024-02-29"), (dt.time(23, 59), "23:59:00"),
        (pd.Timestamp("2024-01-01 10:00", tz="UTC"), "2024-01-01T10:00:00+00:00"),
        (np.datetime64("2024-01-01T10:00"), "2024-01-01T10:00:00"),
        (dt.timedelta(days=-1, seconds=5), "-1 days 5 seconds 0 microseconds"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    ],
)  # fmt: skip
def test_values_travel_as_json(value: Any, bound: Any) -> None:
    (found,) = positional([value])
    assert (type(found), found) == (type(bound), bound)
