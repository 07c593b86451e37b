"""What the analyzer finds in PostgreSQL commands."""

from __future__ import annotations

import time

import pytest
from pglast import ast

from jupyter_zt.model import Risk, Verb
from jupyter_zt.policy import analyze_postgres
from jupyter_zt.policy.postgres_statements import SEVERITY, STATEMENTS


@pytest.mark.parametrize(
    ("command", "verb"),
    [
        ("select 1", Verb.SELECT),
        ("values (1), (2)", Verb.SELECT),
        ("table customers", Verb.SELECT),
        ("select 1 union select 2", Verb.SELECT),
        ("explain select 1", Verb.EXPLAIN),
        ("explain (analyze false, verbose) select 1", Verb.EXPLAIN),
        ("explain analyze select 1", Verb.SELECT),
        ("explain update t set a = 1 where id = 1", Verb.UPDATE),
        ("explain (costs off) create table x as select 1", Verb.DDL),
        ("explain execute p", Verb.CALL),
        ("insert into t values (1)", Verb.INSERT),
        ("update t set a = 1", Verb.UPDATE),
        ("delete from t", Verb.DELETE),
        ("with d as (delete from t where id = 1) select 1", Verb.DELETE),
        ("with i as (insert into t values (1)) update t set a = 2 where id = 1", Verb.UPDATE),
        ("merge into t using s on t.a = s.a when matched then delete", Verb.MERGE),
        ("select * into x from t", Verb.DDL),
        ("create table x as select 1", Verb.DDL),
        ("truncate t", Verb.TRUNCATE),
        ("grant select on t to bob", Verb.GRANT),
        ("copy (select 1) to stdout", Verb.COPY),
        ("do $$ begin end $$", Verb.CALL),
        ("call p()", Verb.CALL),
        ("execute p", Verb.CALL),
        ("prepare p as delete from t", Verb.UTILITY),
        ("declare c cursor for select 1", Verb.UTILITY),
        ("set search_path to x", Verb.SET),
        ("show timezone", Verb.SHOW),
        ("begin", Verb.TRANSACTION),
        ("notify c", Verb.UTILITY),
    ],
)
def test_verb(command: str, verb: Verb) -> None:
    facts = analyze_postgres(command)
    assert facts.verb is verb
    assert facts.unknown == ""
    assert facts.statements == 1


def test_every_statement_of_the_grammar_is_mapped() -> None:
    analysed = {"SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt", "ExplainStmt"}
    # Not statements that a user can send: inside others, of plpgsql and SQL functions, or after
    # analysis.
    inner = {"RawStmt", "SetOperationStmt", "PLAssignStmt", "ReturnStmt"}
    grammar = {name for name in vars(ast) if name.endswith("Stmt")}
    assert grammar - inner - analysed == set(STATEMENTS)
    assert {verb for verb, _ in STATEMENTS.values()} <= set(SEVERITY)


def test_several_statements_carry_the_gravest_verb() -> None:
    facts = analyze_postgres("select 1; drop table t; select 2")
    assert facts.statements == 3
    assert facts.verb is Verb.DDL
    assert {Risk.MULTIPLE, Risk.DESTRUCTIVE} <= facts.risks


@pytest.mark.parametrize("command", ["", "   ", "-- nothing", "/* nothing */", ";;"])
def test_nothing_to_do(command: str) -> None:
    facts = analyze_postgres(command)
    assert facts.statements == 0
    assert facts.verb is Verb.UNKNOWN


def test_a_syntax_error_has_its_character_position() -> None:
    facts = analyze_postgres("select 'ééé' from from x")
    assert facts.verb is Verb.UNKNOWN
    assert facts.position == 19
    assert facts.unknown == 'syntax error at or near "from"'


def test_a_syntax_error_does_not_repeat_a_literal() -> None:
    facts = analyze_postgres("select * from customers where email = 'jane@example.org")
    assert facts.position > 0
    assert "jane" not in facts.unknown


def test_relations_are_named_without_common_table_expressions() -> None:
    facts = analyze_postgres(
        """with recent as (select * from sales.orders), r2 as (select * from recent)
           select * from r2 join "Odd.Name" n on true, customers"""
    )
    assert facts.relations_read == {"sales.orders", '"Odd.Name"', "customers"}


def test_a_common_table_expression_does_not_hide_the_table_that_it_reads() -> None:
    assert analyze_postgres("with t as (select * from t) select * from t").relations_read == {"t"}
    recursive = "with recursive t as (select 1 union select * from t) select * from t"
    assert analyze_postgres(recursive).relations_read == set()


def test_a_common_table_expression_is_seen_only_inside_its_statement() -> None:
    facts = analyze_postgres("select * from (with t as (select 1) select * from t) x, t")
    assert facts.relations_read == {"t"}


def test_a_qualified_name_is_never_a_common_table_expression() -> None:
    facts = analyze_postgres("with t as (select 1) select * from public.t")
    assert facts.relations_read == {"public.t"}


def test_the_target_of_a_write_is_never_a_common_table_expression() -> None:
    facts = analyze_postgres("with t as (select 1 as id) delete from t where id = 1")
    assert facts.relations_written == {"t"}


def test_columns_and_relations_of_a_write() -> None:
    facts = analyze_postgres(
        """update customers c set email = 'x', (a, b) = (1, 2) from orders o
           where o.customer_id = c.id and o.state = 'new'"""
    )
    assert facts.relations_written == {"customers"}
    assert facts.relations_read == {"orders"}
    assert facts.columns_written == {"email", "a", "b"}
    assert facts.columns_read == {"customer_id", "id", "state"}


def test_on_conflict_sets_columns_too() -> None:
    facts = analyze_postgres(
        "insert into t (a) values (1) on conflict (a) do update set b = excluded.b"
    )
    assert facts.columns_written == {"a", "b"}


@pytest.mark.parametrize(
    "command",
    [
        "select * from users",
        "select u.* from users u",
        "select u from users u",
        "select row_to_json(u) from users u",
        "select users from users",
        "select u.to_jsonb from users u",
        "select (u).* from users u",
        "select id from a natural join b",
        "table users",
    ],
)
def test_whole_rows_are_all_columns(command: str) -> None:
    assert "*" in analyze_postgres(command).columns_read


def test_count_star_is_no_column() -> None:
    assert analyze_postgres("select count(*) from users").columns_read == set()


@pytest.mark.parametrize(
    ("command", "function"),
    [
        ("select pg_sleep(1)", "pg_sleep"),
        ("select pg_catalog.pg_sleep(1)", "pg_sleep"),
        ('select "pg_sleep"(1)', "pg_sleep"),
        ("select (0.1::float8).pg_sleep", "pg_sleep"),
        ("select x.pg_sleep from unnest(array[0.1::float8]) x", "pg_sleep"),
        ("select public.lower(name) from t", "public.lower"),
        ('select "Lower"(name) from t', '"Lower"'),
        ("select a operator(evil.=) b from t", "operator(evil.=)"),
        ("select a <<<>>> b from t", "operator(<<<>>>)"),
        ("select * from t order by a using operator(evil.<)", "operator(evil.<)"),
        ("select 1 where 1 operator(evil.=) any (array[1])", "operator(evil.=)"),
        ("select * from t tablesample evil(1)", "evil"),
        ("select * from t limit nextval('s')", "nextval"),
        ("select sum(a) filter (where set_config('a', 'b', false) = '') from t", "set_config"),
        ("select rank() over (order by lo_unlink(a)) from t", "lo_unlink"),
        ("values (query_to_xml('select 1', true, true, ''))", "query_to_xml"),
        ("select * from t where id in (select ts_stat('select 1'))", "ts_stat"),
        ("select case when true then pg_notify('a', 'b') end", "pg_notify"),
        ("select * from json_table('1', '$' columns (a int path '$' default lastval() on empty))",
         "lastval"),
        ("explain select pg_sleep(1)", "pg_sleep"),
    ],
)  # fmt: skip
def test_functions_outside_the_list_are_found_wherever_they_stand(
    command: str, function: str
) -> None:
    facts = analyze_postgres(command)
    assert facts.unlisted_functions == {function}
    assert Risk.UNLISTED_FUNCTION in facts.risks


@pytest.mark.parametrize(
    "command",
    [
        "select count(*), sum(a), avg(a) from t",
        "select lower(trim(name)), coalesce(a, b), greatest(1, 2), nullif(a, b) from t",
        "select extract(year from d), date_trunc('month', d), now() - interval '1 day' from t",
        "select row_number() over (partition by a order by b) from t",
        "select j->>'a', jsonb_agg(x), json_build_object('a', 1) from t group by 1",
        "select array_agg(x order by y), unnest(array[1,2]), string_agg(a, ',') from t",
        "select x::regclass, cast(y as numeric(10,2)), d at time zone 'utc' from t",
        "select percentile_cont(0.5) within group (order by a) from t",
        "select substring(a from 1 for 2), position('a' in b), overlay(a placing b from 1) from t",
        "select current_user, current_date, random(), gen_random_uuid()",
        "select * from generate_series(1, 10) g, lateral (select g * 2) s",
        "select a similar to 'b%', a ~ 'x', a between 1 and 2, a is distinct from b from t",
        "select grouping(a) from t group by rollup (a)",
        "select * from xmltable('/a' passing '<a/>' columns b text)",
        "select * from json_to_record('{}') as x(a int, b text collate \"C\")",
        "select (c).x, arr[1:2] from t tablesample bernoulli (1) repeatable (3)",
    ],
)
def test_ordinary_reads_call_nothing_unlisted(command: str) -> None:
    facts = analyze_postgres(command)
    assert facts.verb is Verb.SELECT
    assert facts.unknown == ""
    assert facts.unlisted_functions == set()
    assert facts.risks == set()


@pytest.mark.parametrize(
    ("command", "risk"),
    [
        ("select * from t for update", Risk.LOCK),
        ("select * from (select * from t for share) x", Risk.LOCK),
        ("lock table t", Risk.LOCK),
        ("explain analyze select 1", Risk.EXPLAIN_ANALYZE),
        ("explain (analyze) select 1", Risk.EXPLAIN_ANALYZE),
        ("explain (analyze on) select 1", Risk.EXPLAIN_ANALYZE),
        ("explain (analyze 1, analyze 0) select 1", Risk.EXPLAIN_ANALYZE),
        ("update t set a = 1 where id = 1 returning *", Risk.EXFILTRATION),
        ("copy t to stdout", Risk.EXFILTRATION),
        ("copy t from program 'x'", Risk.CODE_EXECUTION),
        ("create function f() returns int language sql as 'select 1'", Risk.CODE_EXECUTION),
        ("set role postgres", Risk.PRIVILEGE),
        ("set session authorization bob", Risk.PRIVILEGE),
        ("create role bob", Risk.PRIVILEGE),
        ("drop table t", Risk.DESTRUCTIVE),
        ("alter table t drop column a", Risk.DESTRUCTIVE),
        ("with d as (delete from t where id = 1) select 1", Risk.SIDE_EFFECT),
        ("delete from t where true", Risk.UNBOUNDED),
        ("select * from pg_stats", Risk.CATALOG),
        ("select * from pg_catalog.pg_statistic", Risk.CATALOG),
        ("select * from information_schema.user_mapping_options", Risk.CATALOG),
        ("select * from pg_temp_3.t", Risk.CATALOG),
        ("select 1 where exists (select 1 from pg_stat_activity)", Risk.CATALOG),
        ("delete from pg_class where oid = 1", Risk.CATALOG),
        ("show all", Risk.CATALOG),
        ("show app.secret", Risk.CATALOG),
    ],
)
def test_risks(command: str, risk: Risk) -> None:
    assert risk in analyze_postgres(command).risks


@pytest.mark.parametrize(
    "command",
    [
        "select * from information_schema.columns",
        "select relname from pg_class join pg_namespace n on n.oid = relnamespace",
    ],
)
def test_catalogs_of_definitions_hold_no_data(command: str) -> None:
    assert Risk.CATALOG not in analyze_postgres(command).risks


def test_facts_are_plain_json() -> None:
    assert analyze_postgres("select lower(a) from t").to_json() == {
        "verb": "select",
        "statements": "1",
        "relations_read": ["t"],
        "relations_written": [],
        "columns_read": ["a"],
        "columns_written": [],
        "functions": ["lower"],
        "restricts": True,
        "risks": [],
        "unknown": "",
        "position": "0",
        "unlisted_functions": [],
    }


@pytest.mark.parametrize("unit", ["/*", "+-", "-+*/", "*/ /*", "--", "@-", "<=>"])
def test_runs_of_operator_characters_are_not_scanned_for_minutes(unit: str) -> None:
    began = time.process_time()
    facts = analyze_postgres("select 1 " + unit * (1_000_000 // len(unit)))
    assert time.process_time() - began < 5
    assert facts.unknown


def test_comments_may_have_ornaments() -> None:
    assert analyze_postgres(f"/*{'*' * 200}*/ -- {'=' * 300}\nselect 1").unknown == ""
