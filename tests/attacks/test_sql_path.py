"""The SQL attacks on the real path: a running gateway, and PostgreSQL's own log as the witness.

Each command carries a text of its own. It is refused, its refusal is recorded, and the server's
statement log, which holds every statement that it ever got, does not hold that text. What is meant
for the masks (error texts, notices, row counts, estimates, new and renamed columns) reaches the
server by design and is in test_masking_extraction.py; writes with masked values in
test_masked_writes.py.
"""
# ruff: noqa: E501 (an attack is easier to read in one line)

from __future__ import annotations

import base64

import pytest

from tests.fixtures_gateway import Gateway, Session

DELETE = "DELETE FROM customers WHERE city = '{mark}' OR true"

ATTACKS = {
    # disguises
    "comment before": f"/* select 1 */ {DELETE}",
    "line comment before": f"-- select 1\n{DELETE}",
    "nested comment": f"/* /* */ select 1; */ {DELETE}",
    "comments between": "DELETE/**/FROM/**/customers/* {mark} */",
    "other white space": "DELETE\tFROM\r\n\f\vcustomers -- {mark}",
    "case": "dElEtE fRoM customers /* {mark} */",
    "no-break space": "DELETE\u00a0FROM\u00a0customers\u00a0WHERE city = '{mark}'",
    "other separators": "SELECT '{mark}'\u2003;\u2003DELETE FROM customers",
    "zero-width": "DEL\u200bETE FROM customers WHERE city = '{mark}'",
    "homoglyph": "DELETE FROM сustomers WHERE city = '{mark}' OR true",  # noqa: RUF001
    "direction marks": "SELECT 1 /* \u202e */ ; /* \u2066 */ DELETE FROM customers -- {mark}",
    "dollar quotes": "SELECT $a$ $$ ; -- $a$, '{mark}'; DELETE FROM customers --$a$",
    "E string": "SELECT E'\\'{mark}; -- '; DELETE FROM customers; --'",
    "standard string": "SELECT '\\'; DELETE FROM customers; -- {mark}'",
    "U& string": "SELECT U&'\\0027{mark}'; DELETE FROM customers",
    "U& identifier": "SELECT U&\"pg\\005fsleep\"(0), '{mark}'",
    "quoted identifier": "SELECT \"pg_sleep\"(0), '{mark}'",
    "NUL": "SELECT '{mark}'\x00; DELETE FROM customers",
    "lone surrogate": "SELECT '{mark}\ud800'",
    # more than one, or inside another
    "several statements": "SELECT '{mark}'; SELECT 1",
    "commit out of the transaction": "COMMIT; DELETE FROM customers -- {mark}",
    "end and begin": "END; BEGIN READ WRITE; DELETE FROM customers -- {mark}",
    "DML in a CTE": "WITH d AS (DELETE FROM customers RETURNING city) SELECT city, '{mark}' FROM d",
    "DML in a nested CTE": "SELECT * FROM (WITH d AS (UPDATE customers SET city = '{mark}' RETURNING 1) SELECT 1) x",
    "EXPLAIN ANALYZE": f"EXPLAIN ANALYZE {DELETE}",
    "EXPLAIN with options": f"EXPLAIN (COSTS off, ANALYZE true) {DELETE}",
    "EXPLAIN ANALYZE of a read": "EXPLAIN ANALYZE SELECT '{mark}'",
    "DO": "DO $$BEGIN DELETE FROM customers; END$$ -- {mark}",
    "CALL": "CALL anything('{mark}')",
    "PREPARE": "PREPARE p AS DELETE FROM customers -- {mark}",
    "EXECUTE": "EXECUTE p('{mark}')",
    "COPY to a file": "COPY (SELECT '{mark}') TO '/tmp/x'",
    "COPY to a program": "COPY customers TO PROGRAM 'cat # {mark}'",
    "COPY to the client": "COPY customers TO STDOUT -- {mark}",
    "COPY from the client": "COPY customers FROM STDIN -- {mark}",
    "cursor": "DECLARE c CURSOR FOR SELECT '{mark}' FROM customers",
    "FETCH": "FETCH ALL FROM c -- {mark}",
    "SELECT INTO": "SELECT '{mark}' AS x INTO customers2",
    "CREATE TABLE AS": "CREATE TABLE customers2 AS SELECT '{mark}' AS x",
    "MERGE": "MERGE INTO customers c USING (VALUES ('{mark}')) v ON true WHEN MATCHED THEN DELETE",
    "RETURNING": "UPDATE customers SET city = '{mark}' WHERE id = 1 RETURNING email",
    "FOR UPDATE": "SELECT '{mark}' FROM customers FOR UPDATE",
    "FOR KEY SHARE": "SELECT '{mark}' FROM customers FOR KEY SHARE SKIP LOCKED",
    "LOCK": "LOCK customers /* {mark} */",
    "TRUNCATE": "TRUNCATE customers -- {mark}",
    "DROP": "DROP TABLE customers CASCADE -- {mark}",
    "GRANT": "GRANT ALL ON customers TO public -- {mark}",
    # functions
    "sleep": "SELECT pg_sleep(0), '{mark}'",
    "attribute call": "SELECT (0.0::float8).pg_sleep, '{mark}'",
    "SQL as text, to XML": "SELECT query_to_xml('SELECT ''{mark}''', true, true, '')",
    "SQL as text, statistics": "SELECT * FROM ts_stat('SELECT to_tsvector(''{mark}'')')",
    "SQL as text, rewrite": "SELECT ts_rewrite('a'::tsquery, 'SELECT ''{mark}''::tsquery, ''b''::tsquery')",
    "other database": "SELECT dblink('host=evil', 'SELECT ''{mark}''')",
    "set_config": "SELECT set_config('role', 'postgres', false), '{mark}'",
    "current_setting": "SELECT current_setting('app.{mark}', true)",
    "sequence": "SELECT nextval('{mark}')",
    "file": "SELECT pg_read_file('/etc/passwd'), '{mark}'",
    "other session": "SELECT pg_terminate_backend(1), '{mark}'",
    "large object": "SELECT lo_from_bytea(0, '{mark}')",
    "large object from a file": "SELECT lo_import('/etc/passwd'), '{mark}'",
    "advisory lock": "SELECT pg_advisory_lock(1), '{mark}'",
    "advisory lock, if free": "SELECT pg_try_advisory_xact_lock(1), '{mark}'",
    "notify by function": "SELECT pg_notify('a', '{mark}')",
    "a function's name shadowed": "SELECT public.lower('{mark}')",
    "temporary function": "CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1 -- {mark}'",
    "its call": "SELECT pg_temp.f(), '{mark}'",
    "temporary table": "CREATE TEMP TABLE t AS SELECT '{mark}' AS x",
    "temporary view": "CREATE TEMP VIEW v AS SELECT '{mark}' AS x",
    "an operator of one's own": "SELECT 1 OPERATOR(public.+) 2, '{mark}'",
    # settings and sessions
    "SET": "SET search_path = shop /* {mark} */",
    "SET LOCAL": "SET LOCAL work_mem = '1GB' /* {mark} */",
    "SET ROLE": "SET ROLE postgres -- {mark}",
    "RESET ROLE": "RESET ROLE -- {mark}",
    "SET SESSION AUTHORIZATION": "SET SESSION AUTHORIZATION postgres -- {mark}",
    "SET TRANSACTION": "SET TRANSACTION READ WRITE -- {mark}",
    "DISCARD": "DISCARD ALL -- {mark}",
    "LISTEN": "LISTEN a -- {mark}",
    "NOTIFY": "NOTIFY a, '{mark}'",
    "LOAD": "LOAD '{mark}'",
    "CREATE EXTENSION": "CREATE EXTENSION dblink -- {mark}",
    "SHOW of a secret": "SHOW data_directory -- {mark}",
    # catalogs that hold data
    "pg_stats": "SELECT most_common_vals FROM pg_stats WHERE tablename <> '{mark}'",
    "pg_statistic": "SELECT * FROM pg_catalog.pg_statistic WHERE '{mark}' <> ''",
    "pg_stat_activity": "SELECT query FROM pg_stat_activity WHERE query <> '{mark}'",
    "pg_authid": "SELECT rolpassword FROM pg_authid WHERE rolname <> '{mark}'",
    "pg_largeobject": "SELECT data FROM pg_largeobject WHERE '{mark}' <> ''",
    "pg_settings": "SELECT * FROM pg_settings WHERE name <> '{mark}'",
    # WHERE that is always true
    "true": "DELETE FROM customers WHERE true OR city = '{mark}'",
    "itself": "DELETE FROM customers WHERE id = id OR city = '{mark}'",
    "not another": "UPDATE customers SET city = '{mark}' WHERE id <> -1",
    "a range that is all": "UPDATE customers SET city = '{mark}' WHERE id > 0",
    "like anything": "UPDATE customers SET city = '{mark}' WHERE city LIKE '%'",
    "in itself": "UPDATE customers SET city = '{mark}' WHERE id IN (SELECT id)",
    "both halves": "UPDATE customers SET city = '{mark}' WHERE id < 5 OR id >= 5",
    "a constant": "UPDATE customers SET city = '{mark}' WHERE 1 = 1",
    "nothing": "UPDATE customers SET city = '{mark}'",
    "another's rows": "UPDATE customers SET city = '{mark}' FROM orders o WHERE o.id = 5",
}


@pytest.fixture(scope="module")
def session(gateway: Gateway) -> Session:
    return gateway.open()


@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_of_it_reaches_postgresql(gateway: Gateway, session: Session, attack: str) -> None:
    mark = "Witness" + base64.b32encode(attack.encode()).decode().rstrip("=")
    refused = session.run(ATTACKS[attack].replace("{mark}", mark)).last
    if "surrogate" in attack:  # JSON that is no Unicode is refused before it is an action
        assert refused["event"] == "problem" or refused["status"] == "denied"
    else:
        assert refused["status"] == "denied", refused
        assert refused["code"]
        assert refused["message"]
        recorded = next(r for r in session.records() if str(r["leaf"]) == refused["record"])
        assert (recorded["kind"], recorded["verdict"]) == ("decision", "deny")
        assert recorded["code"] == refused["code"]
    assert gateway.statements(mark) == []


def test_the_witness_sees_what_does_reach_postgresql(gateway: Gateway, session: Session) -> None:
    """And the rows are all still there."""
    result = session.run("SELECT count(*) AS n FROM customers WHERE city <> 'WitnessPlain'")
    assert result.rows[0]["n"] > 0
    assert gateway.statements("WitnessPlain")


def test_a_literal_of_a_classified_column_is_in_no_log_line_and_no_refusal(
    gateway: Gateway, session: Session
) -> None:
    """The gateway's own log and what it says back. (A reviewer reads the exact bytes by design.)"""
    literal = "witness.literal@example.org"
    said = [
        session.run(f"DELETE FROM customers WHERE email = '{literal}' OR true").last,
        session.run(f"SELECT * FRM customers WHERE email = '{literal}'").last,
        session.run(f"SELECT '{literal}").last,
        session.run(f"SELECT nosuchfunction('{literal}')").last,
        session.run(f"SELECT id FROM customers WHERE email = '{literal}'").last,
        session.run(f"SELECT nosuchcolumn FROM customers WHERE email = '{literal}'").last,
    ]
    assert literal not in str(said)
    assert literal not in gateway.log.read_text(errors="replace")
    assert [one["status"] for one in said] == ["denied"] * 4 + ["completed", "failed"]
