"""`zt_kernel.dbapi`, and `zt://` for SQLAlchemy and `pandas.read_sql`, in a sandboxed kernel."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine, exc
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import NUMERIC, TEXT, TIMESTAMP, VARCHAR

from tests.fixtures_gateway import Gateway, Session
from tests.kernel.running_kernel import RunningKernel
from tests.notebook.succeeding import ok
from zt_kernel import dbapi
from zt_kernel.errors import ZTError, ZTRefused
from zt_kernel.sqlalchemy_dialect import _type

HELD = "application/vnd.zt.held+json"


@pytest.fixture
def imports(kernel: RunningKernel) -> None:
    ok(kernel, "import warnings, decimal, uuid, datetime as dt\nimport pandas as pd")
    ok(kernel, "import sqlalchemy as sa\nfrom zt_kernel import dbapi")
    ok(kernel, "engine = sa.create_engine('zt://lab')\nlab = dbapi.connect('lab')")
    ok(kernel, "c = lab.cursor()")


def test_the_module_says_what_it_is() -> None:
    assert (dbapi.apilevel, dbapi.threadsafety, dbapi.paramstyle) == ("2.0", 1, "named")
    for name in ("Error", "DatabaseError", "IntegrityError", "NotSupportedError"):
        assert getattr(dbapi.Connection, name) is getattr(dbapi, name)
    assert issubclass(dbapi.ProgrammingError, dbapi.DatabaseError)
    assert issubclass(dbapi.DatabaseError, dbapi.Error)
    assert dbapi.NUMBER == "decimal128(30, 10)"
    assert dbapi.STRING != "int32"


@pytest.mark.usefixtures("imports")
def test_a_cursor_gives_rows(kernel: RunningKernel) -> None:
    ok(kernel, "c.execute('select id, filler from numbers where id <= $1 order by 1', [5])")
    assert kernel.value("c.rowcount, [d[0] for d in c.description], len(c.description[0])") == (
        "(5, ['id', 'filler'], 7)"
    )
    assert kernel.value("c.description[0][1] == dbapi.NUMBER") == "True"
    assert kernel.value("c.fetchone()[0], [r[0] for r in c.fetchmany(2)]") == "(1, [2, 3])"
    assert kernel.value("[r[0] for r in c], c.fetchone(), c.fetchall()") == "([4, 5], None, [])"
    ok(kernel, "c.execute('select :a::int, :b::text, :a::int', {'a': 1, 'b': None, 'z': 2})")
    assert kernel.value("c.fetchall()") == "[(1, None, 1)]"
    ok(kernel, "c.execute('select span, wide, code from kinds order by id')")
    assert "MonthDayNano" in kernel.value("c.fetchone()[0]")


@pytest.mark.parametrize(
    ("code", "kind", "shown"),
    [
        ("c.execute('drop table numbers')", "OperationalError", "[destructive_statement · rec"),
        ("c.execute('select nothing from numbers')", "ProgrammingError", "[undefined_column"),
        ("c.execute('select 1 / (id - 1) from numbers')", "DataError", "nullif"),
        ("c.execute('select :x', {})", "ProgrammingError", "[undefined_parameter]"),
        ("dbapi.connect('no').cursor().execute('select 1')", "ProgrammingError", "[unknown_c"),
        ("lab.cursor().fetchall()", "ProgrammingError", "[no_result]"),
        ("k = dbapi.connect('lab'); k.close(); k.cursor()", "InterfaceError", "[closed]"),
    ],
)
@pytest.mark.usefixtures("imports")
def test_errors_are_pep_249s_with_code_and_hint(
    kernel: RunningKernel, code: str, kind: str, shown: str
) -> None:
    text = ok(kernel, f"try:\n    {code}\nexcept dbapi.Error as e:\n    print(type(e).__name__, e)")
    assert text.startswith(kind), text
    assert shown in text


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ZTError("x", code="duplicate"), dbapi.IntegrityError),
        (ZTError("x", code="gateway_unreachable"), dbapi.OperationalError),
        (ZTError("x", code="bad_answer"), dbapi.InternalError),
        (ZTError("x", code="anything"), dbapi.DatabaseError),
        (ZTRefused("x", code="over_rows", hint="h", record="7"), dbapi.OperationalError),
    ],
)
def test_errors_are_sorted(error: ZTError, kind: type[dbapi.Error]) -> None:
    found = dbapi.translated(error)
    assert type(found) is kind
    assert (found.code, found.hint, found.record) == (error.code, error.hint, error.record)


@pytest.mark.usefixtures("imports")
def test_pandas_read_sql(kernel: RunningKernel, session: Session) -> None:
    before = len(session.records())
    ok(kernel, "df = pd.read_sql('select id, email from people order by id', 'zt://lab')")
    assert kernel.value("df.email.tolist()[0], df.id.tolist()[:2]") == "('[email]', [1, 2])"
    actions = [r for r in session.records()[before:] if r["kind"] == "intent"]
    assert len(actions) == 1, "one statement is one action"
    for place, params in (("$1", "(3,)"), (":id", "{'id': 3}")):
        query = f"select id from numbers where id = {place}"
        ok(kernel, f"df = pd.read_sql('{query}', engine, params={params})")
        assert kernel.value("df.id.tolist()") == "[3]"
    query = "sa.text('select id from numbers where id = :n')"
    ok(kernel, f"df = pd.read_sql({query}, engine, params={{'n': 4}})")
    assert kernel.value("df.id.tolist()") == "[4]"
    ok(kernel, "df = pd.read_sql_table('people', engine)")
    assert kernel.value("df.email.unique().tolist()") == "['[email]']"


@pytest.mark.usefixtures("imports")
def test_sqlalchemy_core_and_reflection(kernel: RunningKernel) -> None:
    ok(kernel, "found = sa.inspect(engine)")
    ok(kernel, "kinds = sa.Table('kinds', sa.MetaData(), autoload_with=engine)")
    assert kernel.value("found.get_table_names(), found.has_table('unlisted')") == (
        "(['kinds', 'numbers', 'people'], False)"
    )
    assert kernel.value("[c['comment'] for c in found.get_columns('people')]") == (
        "[None, 'masked (redact): email']"
    )
    ok(
        kernel,
        "with engine.connect() as c:\n"
        "    row = c.execute(sa.select(kinds).where(kinds.c.id.in_([1, 7]),"
        " kinds.c.code == uuid.UUID('00112233-4455-6677-8899-aabbccddeeff'),"
        " kinds.c.docb.contains({'b': 1.5}), kinds.c.day == dt.date(2024, 2, 29),"
        " kinds.c.exact == decimal.Decimal('1234567890.25'))"
        ".limit(1)).one()\n"
        "    n = c.scalar(sa.select(sa.func.count()).select_from(kinds))",
    )
    assert kernel.value("row.exact, row.wide, row.free") == (
        "(Decimal('1234567890.25'), Decimal('12345678901234567890.0123456789'), Decimal('0.5'))"
    )
    assert kernel.value("row.doc, row.code.hex[:4], row.numbers, row.raw") == (
        "({'a': [1, None]}, '0011', [1, None, 3], b'\\x00\\xff\\x10')"
    )
    assert kernel.value("n, row.big, row.yes, row.day") == (
        "(2, 9007199254740993, True, datetime.date(2024, 2, 29))"
    )
    text = ok(
        kernel,
        "try:\n    with engine.connect() as c:\n        c.exec_driver_sql('drop table numbers')\n"
        "except sa.exc.OperationalError as e:\n    print(e.orig.code, e.orig.hint)",
    )
    assert text.startswith("destructive_statement To remove rows")


@pytest.mark.usefixtures("imports")
def test_a_write_is_done_at_once_and_a_rollback_says_so(
    kernel: RunningKernel, gateway: Gateway
) -> None:
    def written(code: str) -> str:
        message = kernel.start(code)
        held = kernel.wait_for_output(message, "display_data")["data"][HELD]
        answer = gateway.vote("reviewer", held["approval"]["id"], digest=held["approval"]["digest"])
        assert answer.status_code == 200, answer.text
        ran = kernel.finish(message)
        assert ran.reply["status"] == "ok", ran.text
        return ran.text

    text = written(
        "c.execute('insert into people (id, email) values (10, null)')\n"
        "print(c.rowcount, c.description)\n"
        "try:\n    lab.rollback()\nexcept dbapi.NotSupportedError as e:\n    print(e)\n"
        "lab.rollback()"
    )
    assert "1 None" in text
    assert "INSERT 0 1 (record" in text
    assert "[no_rollback]" in text
    text = written(
        "people = sa.table('people', sa.column('id'), sa.column('email'))\n"
        "with warnings.catch_warnings(record=True) as told, engine.begin() as c:\n"
        "    c.execute(sa.insert(people).values(id=11, email=None))\nprint('told', len(told))"
    )
    assert "told 0" in text
    text = written(
        "with warnings.catch_warnings(record=True) as told:\n    warnings.simplefilter('always')\n"
        "    with engine.connect() as c:\n        c.execute(sa.insert(people).values(id=12))\n"
        "print([str(w.message) for w in told])"
    )
    assert "Nothing can be rolled back" in text
    count = "lab.cursor().execute('select count(*) from people where id > 9').fetchone()"
    assert kernel.value(count) == "(3,)"
    ran = kernel.run("with engine.connect() as c:\n    c.begin_nested()")
    assert "no_transactions" in ran.text


@pytest.mark.parametrize("url", ["zt://", "zt://me:secret@lab", "zt://lab:5432", "zt://lab/shop"])
def test_a_url_holds_a_name_and_nothing_else(url: str) -> None:
    with pytest.raises(exc.ArgumentError, match="zt://NAME"):
        create_engine(url).connect()


def test_names_of_types_become_sqlalchemys() -> None:
    assert repr(_type("numeric(12,2)")) == repr(NUMERIC(12, 2))
    assert repr(_type("character varying(80)")) == repr(VARCHAR(80))
    assert _type("timestamp with time zone").timezone
    assert not _type("timestamp(3) without time zone").timezone
    assert isinstance(_type("timestamp with time zone"), TIMESTAMP)
    assert isinstance(_type("integer[]"), ARRAY)
    assert isinstance(_type("lab.mood"), TEXT)
