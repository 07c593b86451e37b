"""What editors may change without harm, and what they may not."""

from __future__ import annotations

import json
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from jupyter_zt.errors import EvidenceError
from jupyter_zt.recording import cell_projection
from jupyter_zt.recording.cells import MAX_CELL_BYTES, outputs_of
from jupyter_zt.recording.verify.projection import project, project_outputs, projection_bytes
from jupyter_zt.recording.verify.strict_json import canonical_json, parse_json
from jupyter_zt.recording.verify.terminal import settle

json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)
texts = st.text(max_size=20) | st.lists(st.text(max_size=10), max_size=4)
mimes = st.sampled_from(
    [
        "text/plain",
        "text/html",
        "image/png",
        "image/svg+xml",
        "application/json",
        "application/x+json",
    ]
)
outputs = st.lists(
    st.fixed_dictionaries(
        {
            "output_type": st.just("stream"),
            "name": st.sampled_from(["stdout", "stderr"]),
            "text": texts | st.text("ab\r\b\n\U0001f600", max_size=30),
        }
    )
    | st.fixed_dictionaries(
        {
            "output_type": st.sampled_from(["display_data", "execute_result"]),
            "data": st.dictionaries(mimes, json_values | texts, max_size=4),
            "metadata": st.just({}),
        }
    )
    | st.fixed_dictionaries(
        {
            "output_type": st.just("error"),
            "ename": st.text(max_size=5),
            "evalue": st.text(max_size=5),
            "traceback": st.lists(st.text(max_size=5), max_size=3),
        }
    ),
    max_size=5,
)


def code(source: object, *given_outputs: dict[str, Any]) -> dict[str, Any]:
    return {"cell_type": "code", "source": source, "outputs": list(given_outputs)}


def stream(text: object, name: str = "stdout") -> dict[str, Any]:
    return {"output_type": "stream", "name": name, "text": text}


def display(**data: Any) -> dict[str, Any]:
    named = {mime.replace("__", "/"): value for mime, value in data.items()}
    return {"output_type": "display_data", "data": named, "metadata": {}}


SAME = [
    (code("a\nb"), code(["a\n", "b"])),
    (code("a\nb"), code("a\r\nb\n")),
    (code("a"), {**code("a"), "execution_count": 9, "metadata": {"collapsed": True}}),
    (code("", stream("a\nb\n")), code("", stream(["a\n", "b\n"]))),
    (code("", stream("a\n"), stream("b")), code("", stream("a\nb"))),
    (code("", stream("10%\r20%\r100%\n")), code("", stream("100%\n"))),
    (code("", stream("abc\b\bX")), code("", stream("aX"))),
    (code("", display(image__png="aGk=\n")), code("", display(image__png=["aG\n", "k="]))),
    (code("", display(text__plain="x\n")), code("", display(text__plain="x"))),
    (
        code("", display(application__json={"a": 2.0, "b": [1, 1e21]})),
        code("", display(application__json={"b": [1.0, 1000000000000000000000], "a": 2})),
    ),
    (
        code("", display(application__json=12345678901234567891)),
        code("", display(application__json=12345678901234567000)),
    ),
    (
        code("", display(text__plain="x")),
        code("", {**display(text__plain="x"), "metadata": {"isolated": True}}),
    ),
]
DIFFERENT = [
    (code("a"), code("b")),
    (code("a"), {**code("a"), "cell_type": "raw"}),
    (code("a b"), code("a  b")),
    (code("", stream("a")), code("", stream("a", "stderr"))),
    (code("", stream("a")), code("", display(text__plain="a"))),
    (code("", display(text__plain="a", text__html="b")), code("", display(text__html="b"))),
    (
        code("", display(text__plain="a"), display(text__html="b")),
        code("", display(text__plain="a", text__html="b")),
    ),
    (code("", display(application__json="1")), code("", display(application__json=1))),
    (code("", display(**{"image/svg+xml": "a b"})), code("", display(**{"image/svg+xml": "ab"}))),
    (code("", stream("a"), display(), stream("b")), code("", stream("ab"))),
    (code("", display()), code("")),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_harmless_rewriting_projects_to_the_same(one: dict, other: dict) -> None:  # type: ignore[type-arg]
    assert project("c", one) == project("c", other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_what_a_reader_would_see_differently_projects_differently(one: dict, other: dict) -> None:  # type: ignore[type-arg]
    assert project("c", one) != project("c", other)


@pytest.mark.parametrize(
    "cell",
    [
        {},
        {"cell_type": 5},
        code(5),
        code([1]),
        code("", 5),  # type: ignore[arg-type]
        code("", {}),
        code("", {"output_type": "pyout"}),
        code("", stream(5)),
        code("", {"output_type": "stream", "text": ""}),
        code("", {"output_type": "display_data", "data": []}),
        code("", display(text__plain={"a": 1})),
        code("", {"output_type": "error", "ename": "", "evalue": "", "traceback": "x"}),
        {**code(""), "outputs": {}},
    ],
)
def test_what_is_no_cell_is_said_so(cell: dict[str, Any]) -> None:
    with pytest.raises(EvidenceError):
        project("c", cell)


@given(st.text(max_size=20), outputs)
def test_every_cell_is_recorded_and_its_notebook_projects_to_the_same(
    source: str, given_outputs: list[dict[str, Any]]
) -> None:
    body = cell_projection("c", "code", source, given_outputs)
    identifier, kind, recorded_source, projected = json.loads(body)
    built = {"cell_type": kind, "source": recorded_source, "outputs": outputs_of(projected)}
    resaved = json.loads(json.dumps(built))
    assert projection_bytes(project(identifier, resaved)) == body
    assert body == rfc8785.dumps(json.loads(body))


@given(st.text("ab\r\b\n\U0001f600\ud800", max_size=40))
def test_settling_a_stream_twice_changes_nothing(text: str) -> None:
    once = settle(text)
    assert settle(once) == once
    assert "\r" not in once
    assert once.count("\n") == text.count("\n")


@pytest.mark.parametrize(
    ("text", "settled"),
    [
        ("abc\rX", "Xbc"),
        ("abc\r\rXY\r\n12", "XYc\n12"),
        ("ab\b\b\b\bc", "c"),
        ("a\n\bb", "a\nb"),
        ("abc\r\bX", "Xbc"),
        ("abcd\rXY\bZ", "XZ"),
    ],
)
def test_streams_settle_as_jupyterlab_settles_them(text: str, settled: str) -> None:
    assert settle(text) == settled


def test_settling_takes_time_in_step_with_the_text() -> None:
    assert settle("x" * 100_000 + "\ry" * 100_000)[:2] == "yx"
    assert settle("\r" * 200_000 + "x\b" * 200_000) == ""


@given(json_values)
def test_canonical_json_is_that_of_rfc_8785(value: Any) -> None:
    parsed = parse_json(json.dumps(value))
    text = canonical_json(parsed)
    again = parse_json(text)
    assert canonical_json(again) == text
    try:
        reference = rfc8785.dumps(parsed)
    except (rfc8785.CanonicalizationError, UnicodeError):
        return  # NaN, infinity and lone surrogates: RFC 8785 refuses them, a cell may show them
    assert text.encode() == reference


@pytest.mark.parametrize(
    "text",
    [
        '{"a":1,"a":2}',
        "[" * 100_000,
        '{"a":' * 100_000,
        "1" * 5_000_000,
        "0." + "1" * 2_000_000,
        "{",
        "",
        b"\xff\xfe\x00",
        "[1,]",
    ],
)
def test_json_that_could_mean_two_things_or_take_forever_is_refused(text: str | bytes) -> None:
    with pytest.raises(EvidenceError):
        parse_json(text)


def test_a_kernel_cannot_make_its_cell_unrecordable() -> None:
    deep: Any = 1
    for _ in range(5000):
        deep = [deep]
    huge = "x" * (MAX_CELL_BYTES + 1)
    strange = [
        display(application__json=deep),
        display(text__plain=7),
        {"output_type": "nonsense"},
        display(**dict.fromkeys(["a\ud800", "a\udfff"], "1")),
        display(application__json=dict.fromkeys(["a\ud800", "a\udfff"], "1")),
    ]
    for given_outputs in ([item] for item in strange):
        assert b"no valid output" in cell_projection("c", "code", "x", given_outputs)
    assert b"outputs too large" in cell_projection("c", "code", "x", [stream(huge)])
    assert b"source too large" in cell_projection("c", "code", huge, [stream(huge)])
    assert cell_projection("\ud800", "code", "\ud800", [stream("\ud800")])


def test_projected_outputs_keep_their_order_and_kind() -> None:
    projected = project_outputs([stream("a"), display(text__plain="p", text__html="h")])
    assert projected == [
        [["stream", "stdout", "a"]],
        [["display_data", "text/html", "h"], ["display_data", "text/plain", "p"]],
    ]
