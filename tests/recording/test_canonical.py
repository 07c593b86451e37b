from __future__ import annotations

from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from jupyter_zt.errors import InvalidInputError
from jupyter_zt.recording.canonical import canonical_record

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=20,
)


@given(st.dictionaries(TEXT, VALUES))
def test_a_records_bytes_are_those_of_rfc_8785(fields: dict[str, Any]) -> None:
    assert canonical_record(fields) == rfc8785.dumps(fields)


@pytest.mark.parametrize("value", [1, ["ä", 1], {"ä": "x", "b": 1}, b"x", {1: "x"}, "\ud800"])
def test_what_has_no_canonical_form_is_refused(value: Any) -> None:
    with pytest.raises(InvalidInputError) as refused:
        canonical_record({"ä": [], "value": value})
    assert refused.value.code == "bad_record"
