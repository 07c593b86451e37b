"""Attacks on the analysis of SQL: disguises, and texts that are meant to break the analyzer.

Here the analyzer's word is at stake. That nothing reaches PostgreSQL is asserted on the real path
elsewhere.
"""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from jupyter_zt.model import Facts, Risk, Verb
from jupyter_zt.policy import analyze_postgres
from jupyter_zt.policy.postgres import MAX_COMMAND_BYTES


def is_plain_read(facts: Facts) -> bool:
    return not facts.unknown and facts.verb in {Verb.SELECT, Verb.EXPLAIN} and not facts.risks


@pytest.mark.parametrize(
    "command",
    [
        "/* select 1 */ delete from customers",
        "-- select 1\ndelete from customers",
        "/* /* nested */ select 1; */ delete from customers",
        "DELETE\tFROM\ncustomers",
        "dElEtE fRoM customers",
        "delete/**/from/**/customers",
        "\n\n\r\n \f delete from customers",
        "(select 1); delete from customers",
        "select 1;;; delete from customers;",
        "select ';' ; delete from customers",
        "select $$ ; $$ ; delete from customers",
        "select $a$ $$ ; -- $a$; delete from customers --$a$",
        "select E'\\'; -- '; delete from customers; --'",
        "select '\\'; delete from customers; --'",
        "select U&'\\0027'; delete from customers",
        'select 1 as "a;b" ; delete from customers',
        "select 1 --\r; delete from customers\n; delete from customers",
        "explain (analyze) delete from customers",
        "explain analyse delete from customers",
        "EXPLAIN (ANALYZE true, COSTS off) DELETE FROM customers",
        'explain ("analyze") delete from customers',
        "with x as (select 1), y as (delete from customers returning *) select * from x",
        "with x as not materialized (update customers set a = 1) select 1",
        "select * from (with d as (delete from customers) select 1) x",
        "select 1 into customers2",
        "select * into temp x from customers",
        "select * from customers for no key update skip locked",
        "copy (select 1) to '/tmp/x'",
        "table customers; truncate customers",
        "begin; delete from customers; commit",
        "commit; delete from customers",
        "prepare x as delete from customers",
        "execute x",
        "do 'begin delete from customers; end'",
        "declare c cursor for select * from customers for update",
        "fetch all from c",
        "create temp table x as select * from customers",
        "create temp view v as select * from customers",
        "listen x",
        "notify x, 'payload'",
        "set role postgres",
        "set local session_authorization to bob",
        "reset session authorization",
        "load 'evil'",
        "values (1); drop table customers",
        "merge into customers c using (values (1)) v on true when matched then delete",
    ],
)
def test_a_disguised_command_is_no_plain_read(command: str) -> None:
    assert not is_plain_read(analyze_postgres(command))


@pytest.mark.parametrize(
    "call",
    [
        "PG_SLEEP(1)",
        'pg_catalog."pg_sleep"(1)',
        'U&"pg\\005fsleep"(1)',
        "U&\"pg!005fsleep\" UESCAPE '!' (1)",
        "pg_sleep /* */ ( 1 )",
        "(1.0::float8).pg_sleep",
        '(1.0::float8)."pg_sleep"',
        "((1.0::float8)).pg_sleep",
        "query_to_xml('delete from customers', true, true, '')",
        "ts_stat('select 1')",
        "ts_rewrite('a'::tsquery, 'select 1')",
        "set_config('role', 'postgres', false)",
        "current_setting('app.key')",
        "lo_import('/etc/passwd')",
        "('/etc/passwd'::text).pg_read_file",
        "pg_advisory_lock(1)",
        "pg_terminate_backend(1)",
        "pg_notify('a', 'b')",
        "dblink('host=evil', 'select 1')",
        "nextval('s')",
        "txid_current()",
        "public.lower('x')",
        "pg_temp.lower('x')",
        "evil.pg_catalog.lower('x')",
        "inet_server_addr()",
        "pg_stat_get_activity(null)",
    ],
)
@pytest.mark.parametrize(
    "place",
    [
        "select {}",
        "select 1 where {} is null",
        "select * from t order by {}",
        "select count(*) from t group by {}",
        "select 1 from t having max({}) is null",
        "select 1 limit ({})::text::int",
        "select array[{}]",
        "select (select {})",
        "select case when true then {} end",
        "select coalesce(null, {})",
        "with x as (select {}) select 1",
        "select 1 union select {}",
        "values ({})",
        "select sum(1) over (partition by {}) from t",
        "select 1 from t join u on {} is null",
        "select * from t, lateral (select {}) x",
        "select xmlelement(name a, {})",
        "explain select {}",
    ],
)
def test_a_function_with_side_effects_is_found(place: str, call: str) -> None:
    facts = analyze_postgres(place.format(call))
    assert facts.unknown == ""
    assert facts.unlisted_functions
    assert not is_plain_read(facts)


def test_a_no_break_space_makes_no_keyword() -> None:
    facts = analyze_postgres("delete\u00a0from\u00a0customers")
    assert facts.verb is Verb.UNKNOWN


@pytest.mark.parametrize("separator", ["\u00a0", "\u2003", "\u3000", "\ufeff", "\u200b", "\u2028"])
def test_other_separators_do_not_hide_a_second_statement(separator: str) -> None:
    command = f"select 1{separator};{separator}delete from customers"
    assert not is_plain_read(analyze_postgres(command))


def test_homoglyphs_are_other_names() -> None:
    assert analyze_postgres("select * from сustomers").relations_read == {'"сustomers"'}  # noqa: RUF001


def test_direction_marks_do_not_reorder_what_is_analysed() -> None:
    facts = analyze_postgres("select 1 /* \u202e */ ; /* \u2066 */ delete from customers")
    assert facts.statements == 2
    assert facts.verb is Verb.DELETE


@pytest.mark.parametrize(
    "command",
    [
        "select 1\x00; delete from customers",
        "\x00",
        "select '\ud800'",
        "select " + "a" * MAX_COMMAND_BYTES,
        "select '" + "é" * (MAX_COMMAND_BYTES // 2) + "'",
        "select " + "(" * 10_000 + "1" + ")" * 10_000,
        "select " + "(" * 2_000 + "1" + ")" * 2_000 + " from",
        "select " + "- " * 5_000 + "a",
        "select 1" + " + 1" * 100_000,
        "select 1" + " union select 1" * 20_000,
        "select 1" + "::int" * 100_000,
        "select 1 from a" + " cross join a" * 50_000,
        "select " + "not " * 5_000 + "true",
        "delete from t where " + "not " * 5_000 + "id = 5",
        "delete from t where id = 5" + " or (id = 5" * 3_000 + ")" * 3_000,
        "select 1; " * 200,
        "select " + "f(" * 3_000 + ")" * 3_000,
        "select " + "(select " * 3_000 + "1" + ")" * 3_000,
        "select e'\\xff'",
    ],
    ids=range(19),
)
def test_a_text_made_to_break_the_analyzer_is_unknown(command: str) -> None:
    facts = analyze_postgres(command)
    assert facts.verb is Verb.UNKNOWN
    assert facts.unknown
    assert not facts.unknown.startswith("its analysis failed")


@pytest.mark.parametrize("thread", [False, True])
def test_a_long_chain_of_operators_does_not_kill_the_process(thread: bool) -> None:  # noqa: FBT001
    """pglast's own node objects overflow the C stack here: the gateway would be gone."""
    program = (
        "import sys, threading\n"
        "from jupyter_zt.policy import analyze_postgres\n"
        "def run():\n"
        "    for link in ('+1', ' union select 1', '::int', ' is null', '||a', ' collate \"C\"'):\n"
        "        for count in (1000, 10000, 60000):\n"
        "            assert analyze_postgres('select a' + link * count).unknown, (link, count)\n"
        "    sys.stdout.write('survived')\n"
        f"thread = threading.Thread(target=run) if {thread} else None\n"
        "thread.start() or thread.join() if thread else run()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.stdout == "survived", done.stderr


def test_threads_do_not_disturb_each_other() -> None:
    wrong: list[object] = []

    def run(number: int) -> None:
        for round_ in range(200):
            facts = analyze_postgres(f"select a{number} from t{number} where b = {round_}")
            if facts.relations_read != {f"t{number}"}:
                wrong.append(facts)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_long_lists_are_no_attack() -> None:
    numbers = ", ".join(str(number) for number in range(20_000))
    assert is_plain_read(analyze_postgres(f"select * from t where id in ({numbers})"))
    assert Risk.UNBOUNDED not in analyze_postgres(f"delete from t where id in ({numbers})").risks
