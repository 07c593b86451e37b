"""From Arrow to pandas."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from zt_kernel.actions import Column, Command, Mask, Outcome
from zt_kernel.masked_frame import MaskedFrame
from zt_kernel.tables import to_pandas


def columns_of(table: pa.Table) -> list[Column]:
    return [Column(name=f.name, type=str(f.type)) for f in table.schema]


def test_large_identifiers_keep_their_digits_beside_missing_values() -> None:
    table = pa.table({"id": [2**62 + 1, None], "ok": [True, None], "n": [1, 2]})
    frame = to_pandas(table, columns_of(table))
    assert list(frame.columns) == ["id", "ok", "n"]
    assert frame["id"][0] == 2**62 + 1
    assert [str(dtype) for dtype in frame.dtypes] == ["Int64", "boolean", "int64"]


def test_numeric_that_comes_as_text_is_a_number() -> None:
    table = pa.table({"amount": ["12.50", None], "note": ["1", "2"]})
    columns = [Column("amount", "numeric(10,2)"), Column("note", "text")]
    frame = to_pandas(table, columns)
    assert frame["amount"].sum() == 12.5
    assert frame["note"].tolist() == ["1", "2"]


def test_numeric_that_a_mask_replaced_by_words_stays_text() -> None:
    table = pa.table({"amount": ["[redacted]", "[redacted]"]})
    frame = to_pandas(table, [Column("amount", "numeric", Mask("redact", "salary"))])
    assert frame["amount"].tolist() == ["[redacted]", "[redacted]"]


def test_dates_are_dates_of_pandas() -> None:
    table = pa.table({"day": [dt.date(2024, 5, 1), None]})
    frame = to_pandas(table, columns_of(table))
    assert frame["day"].dt.year.tolist()[0] == 2024


def test_two_columns_of_one_name_both_arrive() -> None:
    table = pa.table([pa.array([1, None]), pa.array([3, 4])], names=["id", "id"])
    frame = to_pandas(table, columns_of(table))
    assert list(frame.columns) == ["id", "id"]
    assert frame.iloc[0].tolist() == [1, 3]


@pytest.mark.parametrize("chunks", [1, 3])
def test_the_frame_can_be_written_to(chunks: int) -> None:
    part = pa.table({"n": np.arange(5), "s": list("abcde"), "f": np.ones(5)})
    frame = to_pandas(pa.concat_tables([part] * chunks), columns_of(part))
    frame.loc[0, "n"] = 9
    frame.loc[0, "f"] = 2.5
    frame.loc[0, "s"] = "z"
    assert frame.iloc[0].tolist() == [9, "z", 2.5]


def test_no_rows_keep_their_types() -> None:
    table = pa.table({"n": pa.array([], pa.int64()), "s": pa.array([], pa.string())})
    frame = to_pandas(table, columns_of(table))
    assert (len(frame), str(frame["n"].dtype)) == (0, "int64")


def outcome(table: pa.Table | None, **result: object) -> Outcome:
    columns = (
        Column("id", "int8"),
        Column("email", "text", Mask("redact", "email")),
    )
    standard = {"rows": "2", "seconds": 0.0123, "record": "17"}
    return Outcome(
        command=Command(connection="warehouse", text="select"),
        result=standard | result,
        columns=columns if table is not None else (),
        table=table,
    )


def masked() -> MaskedFrame:
    return MaskedFrame.of(outcome(pa.table({"id": [1, 2], "email": ["<b>", None]})))


def test_a_result_shows_masks_record_and_how_to_ask_for_more() -> None:
    bundle = masked()._repr_mimebundle_()
    text = bundle["text/plain"]
    for expected in ("email ◐", "2 rows", "0.01 s", "record 17", "redact: email", "administrator"):
        assert expected in text
    assert "&lt;b&gt;" in bundle["text/html"]
    assert "<b>" not in bundle["text/html"]
    assert bundle["application/vnd.zt.result+json"] == {
        "v": "1",
        "connection": "warehouse",
        "columns": [
            {"name": "id", "type": "int8", "mask": None},
            {"name": "email", "type": "text", "mask": {"kind": "redact", "tag": "email"}},
        ],
        "rows": [["1", "<b>"], ["2", None]],
        "row_count": "2",
        "seconds": 0.0123,
        "record": "17",
        "truncated": None,
        "approved_by": [],
        "command_tag": "",
    }


def test_a_result_that_was_cut_off_says_so() -> None:
    cut = {"limit": "max_rows", "value": "2", "hint": "Add a WHERE."}
    table = pa.table({"id": [1, 2], "email": ["a", "b"]})
    text = repr(MaskedFrame.of(outcome(table, truncated=cut)))
    assert "max_rows = 2" in text
    assert "Add a WHERE." in text


def test_a_write_shows_its_row_count_and_who_approved() -> None:
    frame = MaskedFrame.of(outcome(None, command_tag="UPDATE 1", approved_by=["reviewer"]))
    assert "UPDATE 1" in repr(frame)
    assert "approved by reviewer" in repr(frame)
    assert len(frame) == 0


def test_what_a_model_said_is_shown() -> None:
    body = {"choices": [{"message": {"role": "assistant", "content": "Hello <b>."}}]}
    bundle = MaskedFrame.of(outcome(None, body=body))._repr_mimebundle_()
    assert "Hello <b>." in bundle["text/plain"]
    assert "Hello &lt;b&gt;." in bundle["text/html"]


def test_what_is_derived_is_an_ordinary_frame_without_a_footer() -> None:
    frame = masked()
    derived = [frame.head(1), frame[frame.id > 1], frame.copy(), frame[["id"]]]
    derived += [frame.merge(frame, on="id"), frame.assign(x=1), frame.groupby("id").count()]
    for each in derived:
        assert type(each) is pd.DataFrame
        assert "record" not in repr(each)


def test_a_frame_that_was_changed_in_place_loses_its_footer() -> None:
    frame = masked()
    frame["new"] = 1
    assert frame._repr_mimebundle_() == {}
    assert "record" not in repr(frame)


def test_it_survives_pickle_as_a_frame() -> None:
    import pickle

    copy = pickle.loads(pickle.dumps(masked()))
    assert copy["id"].tolist() == [1, 2]
    assert "record" not in repr(copy)
