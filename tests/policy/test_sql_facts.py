"""MariaDB's SQL to facts, by sqlglot: what is known is said, and everything else is unknown."""

from __future__ import annotations

import logging
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_zt.model import Facts, Risk, Verb
from jupyter_zt.policy import analyze_sql


@pytest.mark.parametrize(
    "command",
    [
        "select c.name, count(*) from shop.customers c join orders o on o.id = c.id group by 1",
        "with x as (select 1 as a) select a from x",
        "select case when a = 1 then 'x' else 'y' end, `b` from t where c like '%x%' limit 5",
        "select 1 union all select 2 order by 1",
        "select date_format(d, '%Y'), coalesce(a, 0), row_number() over (partition by a) from t",
        "select table_name from information_schema.tables",
    ],
)
def test_a_plain_read(command: str) -> None:
    facts = analyze_sql(command)
    assert facts.plain_read, facts


def test_everything_about_a_statement() -> None:
    facts = analyze_sql("update shop.customers set city = 'x' where id = 5")
    assert facts == Facts(
        Verb.UPDATE,
        relations_written=frozenset({"shop.customers"}),
        columns_read=frozenset({"city", "id"}),
        columns_written=frozenset({"city"}),
    )
    read = analyze_sql("select a, lower(b) from t")
    assert (read.relations_read, read.columns_read) == ({"t"}, {"a", "b"})
    assert read.functions == {"lower"}


@pytest.mark.parametrize(
    ("command", "verb", "risk"),
    [
        ("delete from t", Verb.DELETE, Risk.UNBOUNDED),
        ("delete from t where 1 = 1", Verb.DELETE, Risk.UNBOUNDED),
        ("delete from t where a = a", Verb.DELETE, Risk.UNBOUNDED),
        ("delete from t where a = 1 or true", Verb.DELETE, Risk.UNBOUNDED),
        ("update t set a = 1 where b <> 2", Verb.UPDATE, Risk.UNBOUNDED),
        ("insert into t select * from u", Verb.INSERT, Risk.UNBOUNDED),
        ("drop table t", Verb.DDL, Risk.DESTRUCTIVE),
        ("truncate table t", Verb.TRUNCATE, Risk.DESTRUCTIVE),
        ("select sleep(5)", Verb.SELECT, Risk.UNLISTED_FUNCTION),
        ("select load_file('/etc/passwd')", Verb.SELECT, Risk.UNLISTED_FUNCTION),
        ("select get_lock('a', 1)", Verb.SELECT, Risk.UNLISTED_FUNCTION),
        ("select benchmark(1000000, md5('x'))", Verb.SELECT, Risk.UNLISTED_FUNCTION),
        ("select * from mysql.user", Verb.SELECT, Risk.CATALOG),
        ("select * from t for update", Verb.SELECT, Risk.LOCK),
        ("kill 5", Verb.UTILITY, Risk.SIDE_EFFECT),
    ],
)
def test_what_is_more_than_a_plain_read(command: str, verb: Verb, risk: Risk) -> None:
    facts = analyze_sql(command)
    assert facts.verb is verb
    assert risk in facts.risks
    assert not facts.plain_read


@pytest.mark.parametrize(
    "command",
    [
        "",
        "select 1; drop table t",
        "select 1 /*! union select 2 */",
        "select 1 /*M! ; drop table t */",
        "select 1 --1",
        "select '\\'; drop table t -- '",
        "select @a := 1",
        "select 1 into @a",
        "select 1 into outfile '/tmp/x'",
        "set @a = 1",
        "call p()",
        "do sleep(1)",
        "handler t open",
        "load data infile 'x' into table t",
        "replace into t values (1)",
        "grant all on *.* to x",
        "explain select 1",
        "show tables",
        "optimize table t",
        "delete a, b from a join b on a.id = b.id where a.id = 1",
        "insert into t (a) values (1) on duplicate key update a = 2",
        "select 1\x00",
        "select " + "(" * 3000 + "1" + ")" * 3000,
        "select '" + "x" * 70_000 + "'",
        "nonsense",
    ],
    ids=range(25),
)
def test_what_is_not_known_is_unknown(command: str) -> None:
    facts = analyze_sql(command)
    assert facts.verb is Verb.UNKNOWN
    assert not facts.unknown.startswith("its analysis failed"), facts.unknown


def test_a_literal_does_not_get_into_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        assert analyze_sql("replace into t values ('jane@example.org')").unknown
    assert "jane" not in caplog.text


def test_without_sqlglot_everything_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sqlglot", None)
    assert "not installed" in analyze_sql("select 'without sqlglot'").unknown


WORDS = ["select", "from", "t", "where", "a", "=", "1", "(", ")", ",", "*", "delete", "update",
         "set", "'x'", "insert into", "values", "union", "with", "as", "or", "in", "lower", "--",
         "#", "`b`", "limit", "case", "when", "then", "end", "@", ":=", "into"]  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.text(), st.lists(st.sampled_from(WORDS), max_size=15).map(" ".join)))
def test_the_analyzer_never_raises(command: str) -> None:
    facts = analyze_sql(command)
    assert (facts.verb is Verb.UNKNOWN) == bool(facts.unknown)
    assert not facts.unknown.startswith("its analysis failed"), (command, facts.unknown)
