"""`%%sql` in a sandboxed kernel: parameters, limits, files, forms and connections."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.fixtures_gateway import Gateway, Session
from tests.identity.world import wait_until
from tests.kernel.running_kernel import RunningKernel
from tests.notebook.succeeding import ok

TYPED = """
import pandas as pd
import datetime as dt, decimal, uuid, json
bound = dict(
    big=9007199254740993, exact=decimal.Decimal('1234567890.25'),
    wide=decimal.Decimal('12345678901234567890.0123456789'), real_=1.5, yes=True,
    word="é 'q' :x", day=dt.date(2024, 2, 29),
    moment=dt.datetime(2024, 3, 31, 0, 30, 0, 123456, tzinfo=dt.UTC),
    local_moment=dt.datetime(1969, 12, 31, 23, 59, 59, 500000), hour=dt.time(23, 59, 58, 500000),
    code=uuid.UUID('00112233-4455-6677-8899-aabbccddeeff'), raw=b'\\x00\\xff\\x10',
)
for name, value in bound.items():
    found = zt.sql('lab', f'select id from kinds where {name} = :v', parameters={'v': value})
    print(name, found['id'].tolist() == [1])
span, glad = dt.timedelta(hours=1), 'glad'
%sql lab spans << select :span::interval * 2 as s, :missing::text as m
ids = ','.join(map(str, [1, 2]))
%sql lab some << select count(*) as n from kinds where id = any (string_to_array(:ids, ',')::int[])
facts = json.dumps({'b': 1.5})
%sql lab docs << select id from kinds where docb = :facts::jsonb and mood::text = :glad
print("span", spans.s[0] == pd.Timedelta(hours=2), spans.m.isna().all())
print('rest', some.n[0] == 2, docs.id.tolist() == [1])
""".replace("%sql lab spans", "missing = None\n%sql lab spans")


def test_each_type_is_bound_as_the_target_expects_it(kernel: RunningKernel) -> None:
    lines = ok(kernel, TYPED).splitlines()
    wrong = [line for line in lines if "False" in line]
    assert not wrong
    assert sum("True" in line for line in lines) == 14


def test_a_value_never_becomes_part_of_the_command(
    kernel: RunningKernel, session: Session, gateway: Gateway
) -> None:
    ok(kernel, 'evil = "x\'; DELETE FROM people; --"')
    assert "0 rows" in ok(kernel, "%%sql warehouse\nSELECT id FROM customers WHERE city = :evil")
    intent = [record for record in session.records() if record["kind"] == "intent"][-1]
    assert intent["connection"] == "warehouse"
    sent = [line for line in gateway.statements("FROM customers WHERE city") if "parse" in line]
    assert all("DELETE" not in line for line in sent)
    ran = kernel.run("%%sql warehouse\nSELECT id FROM customers\nWHERE id = :nobody")
    assert ran.error[-1] == "[undefined_parameter]"
    assert ran.error[1:3] == ["line 2: WHERE id = :nobody", " " * 19 + "^"]


def test_a_functions_own_variables_come_first(kernel: RunningKernel) -> None:
    ok(kernel, "n = 1\ndef read(n):\n    found = %sql lab select :n::int as n\n    return found")
    assert kernel.value("int(read(5).n[0])") == "5"
    ok(kernel, "%sql lab own << select :n::int as n")
    assert kernel.value("int(own.n[0])") == "1"


def test_a_limit_ends_the_result_at_the_gateway(kernel: RunningKernel, session: Session) -> None:
    text = ok(kernel, "%%sql lab --limit 3 few <<\nSELECT id FROM numbers ORDER BY id")
    assert "few: 3 rows" in text
    assert "Ended after 3 rows" in text
    assert kernel.value("few.id.tolist()") == "[1, 2, 3]"
    result = [record for record in session.records() if record["kind"] == "result"][-1]
    assert (result["rows"], result["truncated"]) == ("3", "max_rows")
    assert kernel.value("len(zt.sql('lab', 'select id from numbers', limit=2))") == "2"


def test_a_result_goes_to_a_file_masked_and_in_pieces(kernel: RunningKernel, folder: Path) -> None:
    ok(kernel, "import pyarrow as pa, resource\nbefore = pa.default_memory_pool().max_memory()")
    text = ok(
        kernel,
        "%%sql lab --to big.parquet\nSELECT n.*, n.filler || n.filler AS more FROM numbers n",
    )
    assert "big.parquet: 300000 rows written" in text
    file = pq.ParquetFile(folder / "big.parquet")
    assert file.metadata.num_rows == 300_000
    assert file.metadata.num_row_groups > 1
    peak = int(kernel.value("pa.default_memory_pool().max_memory() - before"))
    total = 300_000 * (4 + 64 + 4 + 4 + 128 + 4)
    assert peak < total * 0.75, f"{peak} of {total}"
    ok(kernel, "%%sql lab --to people.parquet\nSELECT * FROM people")
    assert "ada" not in str(pq.read_table(folder / "people.parquet").to_pydict())
    assert sorted(path.name for path in folder.iterdir()) == ["big.parquet", "people.parquet"]


@pytest.mark.parametrize(
    ("options", "command", "code"),
    [
        ("--to people.parquet", "SELECT 1 AS one", "file_exists"),
        ("--to ../out.parquet", "SELECT 1 AS one", "outside_folder"),
        ("--to /tmp/out.parquet", "SELECT 1 AS one", "outside_folder"),
        ("--to way/out.parquet", "SELECT 1 AS one", "outside_folder"),
        ("--to none/out.parquet", "SELECT 1 AS one", "bad_file"),
        ("--to 'out\0.parquet'", "SELECT 1 AS one", "bad_file"),
        ("--to out.csv", "SELECT 1 AS one", "bad_file"),
        ("--to out.parquet", "SELECT 1 AS a, 2 AS a", "file_not_written"),
        ("--to out.parquet", "SELECT id FROM nowhere", "undefined_table"),
        ("--to out.parquet", "SELECT 1 / (id - 200000) FROM numbers", "division_by_zero"),
        ("--limit 0", "SELECT 1", "bad_options"),
        ("--limit", "SELECT 1", "bad_options"),
        ("--lines 3", "SELECT 1", "bad_options"),
        ("--as excel", "SELECT 1", "bad_options"),
        ("--as polars", "SELECT 1", "not_installed"),
        ("--to out.parquet df <<", "SELECT 1", "bad_options"),
        ("--overwrite", "SELECT 1", "bad_options"),
    ],
)
def test_what_cannot_be_done_is_refused_and_leaves_no_file(
    kernel: RunningKernel, folder: Path, options: str, command: str, code: str
) -> None:
    (folder / "people.parquet").write_bytes(b"mine")
    if not (folder / "way").is_symlink():
        (folder / "way").symlink_to("/tmp")
    before = {path.name: path.lstat().st_mtime_ns for path in folder.iterdir()}
    ran = kernel.run(f"%%sql lab {options}\n{command}")
    assert ran.error[-1].startswith(f"[{code}"), ran.text
    assert {path.name: path.lstat().st_mtime_ns for path in folder.iterdir()} == before


def test_the_stop_button_leaves_no_part_of_a_file(kernel: RunningKernel, folder: Path) -> None:
    before = {path.name for path in folder.iterdir()}
    message = kernel.start(
        "%%sql lab --to stopped.parquet\nSELECT a.filler, b.id FROM numbers a, numbers b"
    )
    wait_until(lambda: {path.name for path in folder.iterdir()} != before, seconds=20)
    kernel.interrupt()
    ran = kernel.finish(message)
    assert ran.error[0].startswith("Stopped: cancelled"), ran.text
    assert {path.name for path in folder.iterdir()} == before


def test_a_file_is_replaced_only_when_asked(kernel: RunningKernel, folder: Path) -> None:
    (folder / "again.parquet").write_bytes(b"mine")
    ok(kernel, "%%sql lab --to again.parquet --overwrite\nSELECT 1 AS one")
    assert pq.read_table(folder / "again.parquet").to_pydict() == {"one": [1]}
    saved = "zt.sql('lab', 'select 2 as two', to='again.parquet', overwrite=True).rows"
    assert kernel.value(saved) == "1"


def test_results_as_arrow(kernel: RunningKernel) -> None:
    assert "1 row" in ok(kernel, "%%sql lab --as arrow table <<\nSELECT 1.5::numeric(30,2) AS n")
    assert kernel.value("table.to_pylist()") == "[{'n': Decimal('1.50')}]"
    assert "1 row" in ok(kernel, "%%sql lab --as=arrow\nSELECT 1 AS n")


def test_two_connections_in_one_notebook(kernel: RunningKernel) -> None:
    names = json.loads(
        ok(kernel, "import json; print(json.dumps([c['name'] for c in zt.session().connections]))")
    )
    assert names == ["warehouse", "lab"]
    ok(kernel, "%sql warehouse a << select id, city from customers where id < 5")
    ok(kernel, "%sql lab b << select id, filler from numbers where id < 9")
    assert kernel.value("len(a.merge(b, on='id'))") == "4"
