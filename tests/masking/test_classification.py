from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_zt.errors import ConfigError
from jupyter_zt.masking import Classification, result_masks
from jupyter_zt.model import ColumnMask, MaskKind

GOOD = """\
# Comments and order don't matter.
warehouse:
  customers:
    id: clear
    email: {tag: email, mask: pseudonym}
    credit_limit: {tag: credit, mask: bucket, argument: 5000}
"""


@pytest.fixture
def write(tmp_path: Path) -> Path:
    return tmp_path / "classification.yaml"


def test_a_classification_says_how_each_column_is_shown(write: Path) -> None:
    write.write_text(GOOD)
    masks = Classification.load(write, ["warehouse", "llm"]).for_connection("warehouse")
    assert masks["customers"]["id"] == ColumnMask("customers", "id", "none", MaskKind.CLEAR)
    assert masks["customers"]["credit_limit"].argument == "5000"
    assert Classification.load(write, ["warehouse"]).for_connection("llm") == {}


def test_the_digest_follows_the_meaning_and_not_the_layout(write: Path) -> None:
    write.write_text(GOOD)
    first = Classification.load(write, ["warehouse"]).digest
    lines = GOOD.splitlines()
    write.write_text("\n".join([*lines[1:3], lines[5], lines[4], "", lines[3]]))
    assert Classification.load(write, ["warehouse"]).digest == first
    write.write_text(GOOD.replace("pseudonym", "redact"))
    assert Classification.load(write, ["warehouse"]).digest != first


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("warehouse:\n  a:\n    b: {tag: email, mask: blur}\n", 3, "no mask 'blur'"),
        ("warehouse:\n  a:\n    b: redact\n", 3, "has no tag"),
        ("warehouse:\n  a:\n    b: {mask: redact}\n", 3, "has no tag"),
        ("warehouse:\n  a:\n    b: {tag: x}\n", 3, "has no mask"),
        ("warehouse:\n  a:\n    b: {tag: 'X y', mask: hide}\n", 3, "not a tag"),
        ("warehouse:\n  a:\n    b: {tag: x, mask: partial}\n", 3, "needs its form"),
        ("warehouse:\n  a:\n    b: {tag: x, mask: bucket, argument: -5}\n", 3, "needs its width"),
        ("warehouse:\n  a:\n    b: {tag: x, mask: hide, argument: 1}\n", 3, "no argument"),
        ("warehouse:\n  a:\n    b: {tag: x, mask: hide, colour: 1}\n", 3, "Unknown field"),
        ("warehouse:\n  a:\n    b: clear\n    b: {tag: x, mask: hide}\n", 4, "twice"),
        ("warehouse:\n  a: [b, c]\n", 2, "columns of a are expected"),
        ("crm:\n  a:\n    b: clear\n", 1, "no connection 'crm'"),
        ("warehouse: {\n", 2, "not YAML"),
        ("- warehouse\n", 1, "connections are expected"),
    ],
)
def test_a_mistake_names_file_and_line(write: Path, text: str, line: int, words: str) -> None:
    write.write_text(text)
    with pytest.raises(ConfigError) as caught:
        Classification.load(write, ["warehouse"])
    assert words in caught.value.message
    assert caught.value.line == line
    assert caught.value.diagnostics().startswith(f"{write}:{line}: ")


def test_a_missing_file_hides_everything_by_refusing_to_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        Classification.load(tmp_path / "none.yaml", ["warehouse"])


def test_an_empty_file_makes_nothing_visible(write: Path) -> None:
    write.write_text("")
    assert Classification.load(write, ["warehouse"]).for_connection("warehouse") == {}


def test_a_result_column_is_marked_with_the_strictest_mask_of_its_name() -> None:
    email = ColumnMask("customers", "email", "email", MaskKind.PSEUDONYM)
    hidden = ColumnMask("tickets", "email", "email", MaskKind.HIDE)
    clear = ColumnMask("customers", "id", "none", MaskKind.CLEAR)
    masks = {"customers": {"email": email, "id": clear}, "tickets": {"email": hidden}}
    names = ["id", "email", "email", "count"]
    assert result_masks(names, {"customers"}, masks) == (None, email, email, None)
    assert result_masks(names, {"shop.customers", "tickets"}, masks)[1] is hidden
    assert result_masks(names, set(), masks) == (None, None, None, None)
