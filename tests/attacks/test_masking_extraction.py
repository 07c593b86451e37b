"""Ways to get a masked value out of PostgreSQL, each tried with a lease and no policy in front.

The lease's own password is used here, which no user ever has: the database must hold all by itself
(L0). Whatever the server sends counts as output: rows, notices and the texts of its errors.
"""
# ruff: noqa: E501 (an attack is easier to read in one line)

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import asyncpg
import pytest
import pytest_asyncio

from jupyter_zt.access import PostgresAccess
from tests.fixtures_postgres import PostgresServer, connect_as, make_access

pytestmark = pytest.mark.asyncio(loop_scope="module")

VICTIM = "person7@mail0.example"
"""Customer 7, whose every value is looked for."""

SIGNS = {
    "email": re.compile(r"person\d+@mail|person\d+%40mail", re.IGNORECASE),
    "email, encoded": re.compile(
        "|".join(
            (
                b"person".hex(),
                base64.b64encode(b"person").decode(),
                base64.b64encode(b"xperso").decode()[2:-1],
                "nosrep",
                "elpmaxe",
                r"p\W*e\W*r\W*s\W*o\W*n\W*\d",
            )
        ),
        re.IGNORECASE,
    ),
    "phone": re.compile(r"\+?49\D{0,3}170\D{0,3}\d{7}"),
    "name": re.compile(r"Person \d+"),
    "note": re.compile(r"internal \d+"),
    "birth date": re.compile(r"\b19[4-9]\d-\d\d-\d\d\b"),
    "salary": re.compile(r"123456\b|boss"),
}


@dataclass(slots=True)
class Attacker:
    """A lease's session, and everything the server has said in it."""

    connection: asyncpg.Connection
    secrets: frozenset[str]
    said: list[str] = field(default_factory=list)

    async def tries(self, sql: str) -> list[asyncpg.Record]:
        """Runs a script; an error is an answer too."""
        rows: list[asyncpg.Record] = []
        try:
            for statement in sql.split(";;"):
                rows = await self.connection.fetch(statement)
                self.said += [f"{len(rows)} rows", *(str(tuple(row.values())) for row in rows)]
        except asyncpg.PostgresError as error:
            self.said.append(" ".join(str(value) for value in error.as_dict().values()))
        except (asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
            self.said.append(str(error))
        return rows

    def found(self) -> list[str]:
        text = "\n".join(self.said)
        found = [name for name, sign in SIGNS.items() if sign.search(text)]
        numbers = set(re.findall(r"(?<!\d)\d{11}(?!\d)|(?<!\d)\d{16}(?!\d)", text))
        return found + sorted(numbers & self.secrets)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def prepared(any_postgres: PostgresServer) -> AsyncIterator[PostgresAccess]:
    access = make_access(any_postgres)
    await access.prepare()
    yield access
    await access.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def session(
    any_postgres: PostgresServer, prepared: PostgresAccess
) -> AsyncIterator[asyncpg.Connection]:
    lease = await prepared.lease_read("s_attack", 600)
    connection = await connect_as(any_postgres, lease)
    yield connection
    await connection.close(timeout=5)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def admin(any_postgres: PostgresServer) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(any_postgres.admin_dsn)
    yield connection
    await connection.close(timeout=5)


@pytest_asyncio.fixture(loop_scope="module")
async def attacker(
    session: asyncpg.Connection, admin: asyncpg.Connection
) -> AsyncIterator[Attacker]:
    rows = await admin.fetch(
        "SELECT national_id AS secret FROM shop.customers"
        " UNION SELECT card_number FROM shop.payments"
    )
    made = Attacker(session, frozenset(row["secret"] for row in rows))

    def hear(_: object, message: object) -> None:
        made.said.append(str(message))

    session.add_log_listener(hear)
    yield made
    session.remove_log_listener(hear)
    await session.reset()
    await session.execute("DISCARD ALL")


EXTRACTIONS = {
    # Names and expressions
    "plain": "select name, email, phone, national_id, birth_date, internal_note from customers",
    "star": "select * from customers;; select * from orders;; select * from tickets",
    "cards": "select card_number from payments;; table payments",
    "alias": "select email as x, national_id as y from customers",
    "concatenation": "select 'a' || email || phone from customers",
    "cast": "select email::varchar, national_id::text::bpchar, birth_date::text from customers",
    "case": "select case when true then email else '' end from customers",
    "coalesce": "select coalesce(email, phone), nullif(email, ''), greatest(email, '') from customers",
    "substring": "select substr(email, 2), right(email, 30), left(phone, 20) from customers",
    "reverse": "select reverse(email), reverse(national_id) from customers",
    "encode": "select encode(email::bytea, 'hex'), encode(email::bytea, 'base64') from customers",
    "ascii": "select ascii(email), ascii(substr(email, 2)) from customers where id = 7",
    "regexp": "select regexp_replace(email, '(.)', E'\\\\1 ', 'g') from customers",
    "regexp matches": "select (regexp_matches(body, '\\S+@\\S+'))[1] from tickets",
    "format": "select format('%s %L %I', email, phone, name) from customers",
    "quote": "select quote_literal(email), quote_nullable(body) from customers, tickets limit 50",
    "translate": "select translate(phone, '+ ', ''), overlay(email placing '' from 1 for 1) from customers",
    # Whole rows
    "row to json": "select row_to_json(c) from customers c",
    "to jsonb": "select to_jsonb(c), jsonb_build_object('a', c) from customers c",
    "whole row": "select c from customers c;; select c::text from customers c",
    "field of a row": "select (c).email, (c).national_id from customers c",
    "function notation": "select email(c), national_id(c) from customers c",
    "row constructor": "select row(c.*), (c.*)::text from customers c",
    "composite text": "select textin(record_out(c)) from customers c",
    "hstore of a row": "select each(hstore(c)) from customers c",
    "jsonb each": "select k, v from customers c, jsonb_each_text(to_jsonb(c)) as e(k, v)",
    "json populate": "select (jsonb_populate_record(null::customers, to_jsonb(c))).* from customers c",
    "xml of a query": "select query_to_xml('select * from customers', true, true, '')",
    "xml of a table": "select table_to_xml('customers', true, true, '')",
    "xml of a schema": "select schema_to_xml('shop', true, true, '')",
    "xml of the database": "select database_to_xml(true, true, '')",
    # Aggregates, windows, sets
    "string agg": "select string_agg(email, ',') from customers",
    "array agg": "select array_agg(email), array_agg(c) from customers c",
    "json agg": "select json_agg(c), jsonb_object_agg(id, email) from customers c",
    "xml agg": "select xmlagg(xmlelement(name a, email)) from customers",
    "min and max": "select min(email), max(email), min(national_id), max(birth_date) from customers",
    "mode": "select mode() within group (order by email) from customers",
    "percentile": "select percentile_disc(0.5) within group (order by email) from customers",
    "window": "select first_value(email) over (order by id), lag(phone) over () from customers",
    "distinct on": "select distinct on (email) email, phone from customers",
    "union": "select email from customers union select phone from customers",
    "except": "select email from customers except select ''",
    "intersect": "select email from customers intersect select customer_email from orders",
    "grouping sets": "select email, phone from customers group by grouping sets ((email), (phone))",
    # Nesting
    "with": "with a as (select * from customers) select email from a",
    "with materialized": "with a as materialized (select * from customers) select a from a",
    "recursive": "with recursive a as (select 1 n, email from customers where id = 7"
    " union all select n + 1, email from a where n < 3) select * from a",
    "scalar": "select (select email from customers where id = 7)",
    "lateral": "select x.* from customers c, lateral (select c.email, c.phone) x",
    "values": "values ((select email from customers where id = 7))",
    "natural join": "select * from customers natural join orders",
    "self join": "select a.email, b.phone from customers a join customers b using (id)",
    "tablesample": "select * from customers tablesample system (100)",
    # The base relations by name
    "base table": "select email from shop.customers",
    "base table, only": "select email from only shop.customers",
    "base table, quoted": 'select "email" from "shop"."customers"',
    "base table, with the database": "select email from shop.shop.customers",
    "base table, by regclass": "select * from pg_catalog.pg_class where oid = 'shop.customers'::regclass",
    "unclassified table": "select * from shop.salaries;; select * from salaries",
    "search path": "set search_path = shop;; select email, internal_note from customers",
    "set config": "select set_config('search_path', 'shop', false);; select * from salaries",
    "system columns": "select ctid, xmin, tableoid, * from customers",
    "information schema": "select view_definition from information_schema.views",
    "copy to stdout": "copy shop.customers to stdout;; copy (select * from shop.customers) to stdout",
    "copy to a program": "copy (select * from customers) to program 'cat'",
    "copy to a file": "copy customers to '/tmp/zt-attack'",
    "copy from a file": "create temp table t (a text);; copy t from '/etc/passwd';; select * from t",
    # Statements and sessions
    "cursor": "begin;; declare c cursor for select * from customers;; fetch all from c;; commit",
    "cursor over the base": "begin;; declare c cursor for select * from shop.customers",
    "prepared": "prepare p as select * from customers;; execute p",
    "do block": "do $$ begin raise notice '%', (select email from shop.customers limit 1); end $$",
    "do block over the view": "do $$ begin raise notice '%', (select email from customers limit 1); end $$",
    "do with dynamic text": "do $$ begin execute 'select * from shop.customers'; end $$",
    "temporary table": "set default_transaction_read_only = off;;"
    " create temp table t as select * from customers;; select * from t",
    "temporary table of the base": "create temp table t as select * from shop.customers",
    "temporary view": "set default_transaction_read_only = off;;"
    " create temp view v as select * from shop.customers;; select * from v",
    "temporary function": "set default_transaction_read_only = off;;"
    " create function pg_temp.f() returns text language sql security definer"
    " as 'select email from shop.customers limit 1';; select pg_temp.f()",
    "leaky operator": "set default_transaction_read_only = off;;"
    " create function pg_temp.leak(text) returns bool cost 0.0000001 language plpgsql as"
    " $$ begin raise notice 'value %', $1; return true; end $$;;"
    " select id from customers where pg_temp.leak(email) and pg_temp.leak(phone) and pg_temp.leak(name)",
    "rewritten view": "set default_transaction_read_only = off;;"
    " create or replace view customers as select * from shop.customers;; select * from customers",
    "rule": "set default_transaction_read_only = off;; create rule r as on select to customers do also select 1",
    "select into": "set default_transaction_read_only = off;; select * into temp t from shop.customers",
    "set role": "set role shop_admin;; select * from shop.customers",
    "session authorization": "set session authorization postgres;; select * from shop.customers",
    "grant to oneself": "grant select on shop.customers to current_user;; select * from shop.customers",
    "become the reader": "set role none;; grant pg_read_all_data to current_user;; select * from shop.customers",
    "alter the owner": "alter view customers owner to current_user",
    "security barrier off": "alter view customers reset (security_barrier)",
    "large object from a file": "select lo_import('/etc/passwd');; select lo_get(oid) from pg_largeobject_metadata",
    "file of the server": "select pg_read_file('postgresql.conf');; select pg_ls_dir('.')",
    "dblink": "select * from dblink('dbname=shop', 'select email from shop.customers') as t(e text)",
    "extension": "create extension dblink;; create extension file_fdw",
    "listen": "listen zt;; notify zt, 'a'",
    "lock": "lock table customers;; select * from customers for update",
    # Statistics and the catalog
    "statistics": "select tablename, attname, most_common_vals, histogram_bounds from pg_stats"
    " where schemaname !~ '^pg_'",
    "raw statistics": "select stavalues1, stavalues2 from pg_statistic",
    "extended statistics": "select most_common_vals from pg_stats_ext",
    "statements of others": "select query from pg_stat_activity where usename <> current_user",
    "prepared of others": "select statement from pg_prepared_statements",
    "passwords": "select rolpassword from pg_authid;; select * from pg_shadow",
    "settings": "select * from pg_settings;; select * from pg_db_role_setting",
    "functions": "select prosrc from pg_proc where pronamespace::regnamespace::text !~ '^pg_'",
    "view definitions": "select pg_get_viewdef(c.oid) from pg_class c where relkind = 'v'"
    " and relnamespace::regnamespace::text !~ '^(pg_|information)';; select * from pg_views"
    " where schemaname !~ '^(pg_|information)'",
    "column defaults": "select pg_get_expr(adbin, adrelid) from pg_attrdef",
    # Errors
    "error by a cast": "select email::int from customers",
    "error by a date": "select name::date from customers;; select phone::inet from customers",
    "error by json": "select email::json from customers;; select body::xml from tickets",
    "error by a division": "select 1 / (case when email like 'person7@%' then 0 else 1 end) from customers",
    "error by a regular expression": "select 'x' ~ ('(' || email) from customers",
    "error by a uuid": "select national_id::uuid, phone::uuid from customers",
    "error by an enum": "select email::shop.status from customers",
    "error by a generated name": "select set_config(email, 'x', true) from customers",
    "error by a subscript": "select (array[1])[email::int] from customers",
    "error by a constraint": "set default_transaction_read_only = off;; create temp table t (e text check (e = ''));;"
    " insert into t select email from customers",
    "error by a base index": "set default_transaction_read_only = off;;"
    f" insert into shop.customers (email, registered_at) values ('{VICTIM}', now())",
    # EXPLAIN
    "explain": "explain verbose select * from customers where email = 'a'",
    "explain analyze": "explain (analyze, verbose, buffers) select email, phone from customers",
    "explain the base": "explain verbose select * from shop.customers",
    "explain as json": "explain (verbose, format json) select * from customers, orders",
    "planner settings": "set debug_print_plan = on;; set client_min_messages = debug5;; select * from customers",
    "parser settings": "set client_min_messages = log;; set log_statement = 'all';; select email from customers",
    "slow log settings": "set log_min_duration_statement = 0;; set session_preload_libraries = 'auto_explain'",
}


@pytest.mark.parametrize("sql", EXTRACTIONS.values(), ids=EXTRACTIONS.keys())
async def test_no_extraction_shows_a_masked_value(attacker: Attacker, sql: str) -> None:
    await attacker.tries(sql)
    assert not attacker.found(), attacker.said[:3]


async def test_the_same_ways_do_show_values_to_who_may_read_them(
    admin: asyncpg.Connection, attacker: Attacker
) -> None:
    """The control: on the clear tables most of these ways find something, so the search works."""
    ways = {
        name: sql
        for name, sql in EXTRACTIONS.items()
        if not re.search(r"\b(set|alter|grant|create|copy|cursor|begin|lock)\b", sql)
    }
    showed = []
    for name, sql in ways.items():
        insider = Attacker(admin, attacker.secrets)
        await admin.execute("SET search_path = shop")
        await insider.tries(sql)
        showed += [name] if insider.found() else []
    assert len(showed) >= 50, sorted(ways.keys() - set(showed))


ORACLES = {
    # Each gives a number above 0 only if the predicate sees the real value.
    "equality": f"select count(*) from customers where email = '{VICTIM}'",
    "like": "select count(*) from customers where email like 'person7@%'",
    "ilike": "select count(*) from customers where email ilike '%MAIL0%'",
    "regexp": "select count(*) from customers where email ~ '^person'",
    "similar": "select count(*) from customers where email similar to 'person[0-9]+@%'",
    "position": "select count(*) from customers where position('@' in email) > 0",
    "length": "select count(distinct length(email)) - 1 from customers",
    "length of the national id": "select count(distinct length(national_id)) - 1 from customers",
    "range": "select count(*) from customers where email between 'p' and 'q'",
    "having": "select count(*) from (select 1 from customers group by city having max(email) like '%@%') x",
    "join with a guess": f"select count(*) from (values ('{VICTIM}')) v(e) join customers on email = e",
    "in a list": f"select count(*) from customers where email in ('{VICTIM}', 'x')",
    "any": f"select count(*) from customers where '{VICTIM}' = any (array[email])",
    "row comparison": f"select count(*) from customers where (id, email) = (7, '{VICTIM}')",
    "exists": f"select exists (select from customers where email = '{VICTIM}')::int",
    "filter": "select count(*) filter (where email like '%example') from customers",
    "limit": f"select count(*) from (select 1 from orders limit (select count(*) from customers where email = '{VICTIM}')) x",
    "hash": f"select count(*) from customers where md5(email) = md5('{VICTIM}')",
    "hash functions": f"select count(*) from customers where hashtext(email) = hashtext('{VICTIM}')",
    "free text": "select count(*) from tickets where body like '%@%' or body is not null",
    "json inside": "select count(*) from tickets where extra ->> 'reply_to' like '%@%'",
    "text search": "select count(*) from tickets where to_tsvector(coalesce(body, '')) @@ 'write'",
    "exact birth date": "select count(*) from customers where birth_date::text like '%-%'",
    "exact limit": "select count(*) from customers where credit_limit like '%.5%'",
    "hidden column": "select count(internal_note) from customers",
    "national id": "select count(*) from customers where national_id ~ '[0-9]'",
    "whole phone": "select count(*) from customers where length(phone) > 8",
    "whole card": "select count(*) from payments where length(card_number) > 8",
    "estimate": "select 0 from customers where email = '' limit 1",
}


@pytest.mark.parametrize("sql", ORACLES.values(), ids=ORACLES.keys())
async def test_no_predicate_sees_a_masked_value(attacker: Attacker, sql: str) -> None:
    rows = await attacker.tries(sql)
    assert all(value == 0 for row in rows for value in row.values())
    assert not attacker.found()


async def test_order_of_a_masked_column_is_not_the_real_order(
    attacker: Attacker, admin: asyncpg.Connection
) -> None:
    shown = await attacker.tries("select id from customers order by email limit 50")
    real = await admin.fetch("select id from shop.customers order by email limit 50")
    assert {row["id"] for row in shown} != {row["id"] for row in real}


async def test_estimates_do_not_tell_a_guessed_value_from_another(attacker: Attacker) -> None:
    guesses = (VICTIM, "nobody@nowhere.example")
    plans = [
        await attacker.tries(f"explain select * from customers where email = '{guess}'")
        for guess in guesses
    ]
    texts = [
        "\n".join(row["QUERY PLAN"] for row in plan).replace(guess, "")
        for plan, guess in zip(plans, guesses, strict=True)
    ]
    assert texts[0] == texts[1]


async def test_the_key_table_is_refused(attacker: Attacker, prepared: PostgresAccess) -> None:
    await attacker.tries(f"select * from {prepared.names.key_table}")
    assert "permission denied for schema" in attacker.said[-1]


async def test_no_definition_plan_or_catalog_shows_the_key(
    attacker: Attacker, prepared: PostgresAccess, any_postgres: PostgresServer
) -> None:
    owner = await asyncpg.connect(any_postgres.superuser_dsn)
    keys = [row["key"] for row in await owner.fetch(f"select key from {prepared.names.key_table}")]
    await owner.close()
    # One for each tag that some view has pseudonyms of; others' views may have been stricter.
    assert {len(key) for key in keys} == {32}
    for sql in (
        EXTRACTIONS["view definitions"],
        "explain (analyze, verbose) select email from customers limit 1",
        "explain (verbose, generic_plan) select email from customers",
        "select * from pg_stats;; select * from pg_stats_ext_exprs",
        "select * from pg_stat_activity;; select * from pg_cursors",
        "select * from pg_rewrite where ev_class = 'customers'::regclass",
    ):
        await attacker.tries(sql)
    said = "\n".join(attacker.said)
    assert "pseudonym" in said, "the definitions were looked at"
    for key in keys:
        assert key.hex() not in said
        assert str(key) not in said
        assert key.hex() not in any_postgres.log.read_text(errors="replace")


async def test_a_token_can_not_be_computed_from_a_guess(attacker: Attacker) -> None:
    """Without the key no built-in hash of a known address gives its token."""
    token = (await attacker.tries("select email from customers where id = 7"))[0]["email"]
    hashes = await attacker.tries(
        "select encode(h, 'hex') from (values "
        + ", ".join(
            f"({name}('{VICTIM}'::bytea))" for name in ("sha224", "sha256", "sha384", "sha512")
        )
        + f", (sha256(sha256('{VICTIM}'))), (decode(md5('{VICTIM}'), 'hex'))) v(h)"
    )
    assert len(hashes) == 6
    assert not any(token.removeprefix("email_") in row["encode"] for row in hashes)


async def test_another_leases_session_is_out_of_reach(
    attacker: Attacker, prepared: PostgresAccess, any_postgres: PostgresServer
) -> None:
    other = await prepared.lease_read("s_other", 60)
    victim = await connect_as(any_postgres, other)
    await victim.fetch("select 'what the other person asks'")
    pid = victim.get_server_pid()
    await attacker.tries(f"select query from pg_stat_activity where pid = {pid}")
    assert "insufficient privilege" in attacker.said[-1]
    await attacker.tries(f"select pg_terminate_backend({pid})")
    await attacker.tries(f"select pg_cancel_backend({pid})")
    await attacker.tries(f"set role {other.role}")
    assert all("42501" in said for said in attacker.said[-3:])
    assert await victim.fetchval("select 1") == 1
    await victim.close()


async def test_a_new_column_is_hidden_before_and_after_the_views_are_renewed(
    attacker: Attacker, prepared: PostgresAccess, admin: asyncpg.Connection
) -> None:
    await admin.execute("ALTER TABLE shop.customers ADD COLUMN second_email text")
    try:
        await admin.execute("UPDATE shop.customers SET second_email = email WHERE id < 50")
        await attacker.tries("select second_email from customers")
        assert "does not exist" in attacker.said[-1]
        await attacker.tries("select to_jsonb(c) from customers c")
        await prepared.synchronise()
        rows = await attacker.tries("select second_email from customers")
        assert rows
        assert all(row["second_email"] is None for row in rows)
        assert not attacker.found()
    finally:
        await admin.execute("ALTER TABLE shop.customers DROP COLUMN second_email")
        await prepared.synchronise()


async def test_a_renamed_column_does_not_take_a_mask_off(
    attacker: Attacker, prepared: PostgresAccess, admin: asyncpg.Connection
) -> None:
    """`city` is clear; an address that now bears that name is shown as what it was, or hidden."""
    await admin.execute("ALTER TABLE shop.customers RENAME COLUMN internal_note TO remark")
    try:
        for _ in range(2):
            await attacker.tries("select * from customers;; select to_jsonb(c) from customers c")
            assert not attacker.found()
            await prepared.synchronise()
    finally:
        await admin.execute("ALTER TABLE shop.customers RENAME COLUMN remark TO internal_note")
        await prepared.synchronise()


async def test_a_new_view_over_a_classified_table_is_not_visible(
    attacker: Attacker, prepared: PostgresAccess, admin: asyncpg.Connection
) -> None:
    await admin.execute("CREATE VIEW shop.everybody AS SELECT * FROM shop.customers")
    try:
        await prepared.synchronise()
        await attacker.tries("select * from everybody")
        await attacker.tries("select * from shop.everybody")
        assert not attacker.found()
        assert "permission denied" in attacker.said[-1]
    finally:
        await admin.execute("DROP VIEW shop.everybody")


HONEST = {
    "join": (
        "select count(*) from customers c join orders o on c.email = o.customer_email",
        "select count(*) from shop.customers c join shop.orders o on c.email = o.customer_email",
    ),
    "group sizes": (
        (
            "select n, count(*) from (select count(*) n from orders group by customer_email) x"
            " group by n order by n"
        ),
        (
            "select n, count(*) from (select count(*) n from shop.orders group by customer_email) x"
            " group by n order by n"
        ),
    ),
    "distinct": (
        "select count(distinct customer_email) from orders",
        "select count(distinct customer_email) from shop.orders",
    ),
    "sums by person": (
        "select s from (select sum(total) s from orders group by customer_email) x order by s",
        "select s from (select sum(total) s from shop.orders group by customer_email) x order by s",
    ),
    "anti join": (
        "select count(*) from customers where email not in (select customer_email from orders)",
        (
            "select count(*) from shop.customers"
            " where email not in (select customer_email from shop.orders)"
        ),
    ),
    "by year": (
        "select birth_date, count(*) from customers group by 1 order by 1",
        "select extract(year from birth_date)::int, count(*) from shop.customers group by 1 order by 1",
    ),
    "by bucket": (
        "select count(*) from customers group by credit_limit order by 1",
        "select count(*) from shop.customers group by floor(credit_limit / 5000) order by 1",
    ),
    "clear columns": (
        "select city, active, count(*) from customers group by 1, 2 order by 1, 2",
        "select city, active, count(*) from shop.customers group by 1, 2 order by 1, 2",
    ),
}


@pytest.mark.parametrize("name", HONEST)
async def test_honest_questions_have_the_same_answer_as_over_clear_data(
    attacker: Attacker, admin: asyncpg.Connection, name: str
) -> None:
    masked, clear = HONEST[name]
    wanted = [tuple(row.values()) for row in await admin.fetch(clear)]
    assert [tuple(row.values()) for row in await attacker.tries(masked)] == wanted
    assert wanted
