from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import asyncpg
import pyarrow as pa
import pytest

from jupyter_zt.access import PostgresAccess
from jupyter_zt.connectors import Limits, PostgresStream, PostgresTarget
from jupyter_zt.connectors.postgres_statement import Statement
from jupyter_zt.errors import InvalidInputError, TargetError, ZTError
from jupyter_zt.model import Facts, Lease, LeaseKind, PostgresEndpoint, Verb
from tests.fixtures_postgres import PostgresServer

COMMENT = "jupyter-zt session=s_1 action=a_7"
ENDLESS = "SELECT o.*, p.* FROM orders o, orders p, orders q"


@pytest.fixture
async def target(postgres: PostgresServer) -> AsyncIterator[PostgresTarget]:
    made = PostgresTarget("warehouse", postgres.endpoint)
    yield made
    await made.close()


@pytest.fixture
async def lease(access: PostgresAccess) -> Lease:
    return await access.lease_read("s_1", 600)


@pytest.fixture
async def superuser(postgres: PostgresServer) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(postgres.superuser_dsn)
    yield connection
    await connection.close()


def start(
    target: PostgresTarget,
    lease: Lease,
    command: str,
    parameters: Sequence[str | float | bool | None] = (),
    **limits: float,
) -> PostgresStream:
    return target.execute(
        lease, command, parameters, limits=Limits(**limits), comment=COMMENT  # type: ignore[arg-type]
    )  # fmt: skip


async def read(
    target: PostgresTarget,
    lease: Lease,
    command: str,
    parameters: Sequence[str | float | bool | None] = (),
    **limits: float,
) -> tuple[pa.Table, PostgresStream]:
    async with start(target, lease, command, parameters, **limits) as stream:
        batches = [batch async for batch in stream]
    return pa.Table.from_batches(batches, stream.schema), stream


async def running(superuser: asyncpg.Connection, lease: Lease) -> int:
    count = await superuser.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE usename = $1 AND state <> 'idle'", lease.role
    )
    return int(count)


async def until_running(superuser: asyncpg.Connection, lease: Lease, count: int) -> None:
    async with asyncio.timeout(5):
        while await running(superuser, lease) != count:  # noqa: ASYNC110 (the server's state)
            await asyncio.sleep(0)


# What comes back


async def test_a_result_comes_as_arrow_with_types_that_pandas_can_use(
    target: PostgresTarget, lease: Lease
) -> None:
    table, stream = await read(
        target,
        lease,
        """SELECT 1::numeric(10, 2) AS money, 'NaN'::numeric AS nan, sum(0.5) AS sum,
        123456789012345678.25::numeric(20, 2) AS big, '{"a": 1}'::jsonb AS json,
        'aea2a571-cfc7-43c3-a2cd-08b594f0225a'::uuid AS uuid, ARRAY[1, NULL] AS list,
        ARRAY[1.5, 2] AS numbers, ARRAY['aea2a571-cfc7-43c3-a2cd-08b594f0225a'::uuid] AS uuids,
        timestamptz '2024-01-02 03:04:05+02' AS moment, timestamp '2024-01-02 03:04:05' AS local,
        date '2024-01-02' AS day, interval '1 day' AS span, '\\x00ff'::bytea AS bytes, true AS yes,
        'open'::text AS word, NULL::int AS missing, 'e'::"char" AS char""",
    )
    assert table.to_pylist() == [
        {
            "money": 1.0, "nan": pytest.approx(float("nan"), nan_ok=True), "sum": 0.5,
            "big": Decimal("123456789012345678.25"), "json": '{"a": 1}',
            "uuid": "aea2a571-cfc7-43c3-a2cd-08b594f0225a", "list": [1, None],
            "numbers": [1.5, 2.0], "uuids": ["aea2a571-cfc7-43c3-a2cd-08b594f0225a"],
            "moment": datetime(2024, 1, 2, 1, 4, 5, tzinfo=ZoneInfo("UTC")),
            "local": datetime(2024, 1, 2, 3, 4, 5), "day": date(2024, 1, 2),  # noqa: DTZ001
            "span": pa.MonthDayNano([0, 1, 0]), "bytes": b"\x00\xff", "yes": True,
            "word": "open", "missing": None, "char": "e",
        }
    ]  # fmt: skip
    assert stream.rows == 1
    assert stream.notes == ()
    assert len(table.to_pandas()) == 1


async def test_nulls_in_every_converted_type_stay_nulls(
    target: PostgresTarget, lease: Lease
) -> None:
    table, _ = await read(
        target,
        lease,
        "SELECT CASE WHEN n = 2 THEN gen_random_uuid() END u, CASE WHEN n = 2 THEN 1.5 END x,"
        " CASE WHEN n = 2 THEN ARRAY[2.5, NULL] END l, CASE WHEN n = 2 THEN '{}'::json END j,"
        " CASE WHEN n = 2 THEN now() END t, (CASE WHEN n = 2 THEN 'NaN' END)::numeric(20, 1) d"
        " FROM generate_series(1, 3) n",
    )
    rows = table.to_pylist()
    assert rows[0] == rows[2] == dict.fromkeys("uxljtd")
    assert rows[1]["x"] == 1.5
    assert rows[1]["l"] == [2.5, None]
    assert rows[1]["d"] is None
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", rows[1]["u"])


async def test_dates_that_python_lacks_and_types_that_arrow_lacks_are_noted(
    target: PostgresTarget, lease: Lease
) -> None:
    table, stream = await read(
        target, lease, "SELECT date 'infinity' d, timestamp '-infinity' t, inet '10.0.0.1' i"
    )
    assert table.to_pylist()[0]["d"] is None
    assert table.to_pylist()[0]["t"] is None
    assert any("d: dates outside" in note for note in stream.notes)
    assert any("i::text" in note for note in stream.notes)


async def test_a_type_that_can_not_be_read_at_all_is_an_error_and_no_lost_connection(
    target: PostgresTarget, lease: Lease
) -> None:
    with pytest.raises(TargetError) as caught:
        await read(target, lease, "SELECT row(1, 'a')")
    assert caught.value.code == "unreadable_type"
    assert (await read(target, lease, "SELECT 1"))[1].rows == 1


async def test_duplicate_names_empty_results_and_no_columns_work(
    target: PostgresTarget, lease: Lease
) -> None:
    table, _ = await read(target, lease, 'SELECT 1 a, 2 a, 3 "A"')
    assert table.column_names == ["a", "a", "A"]
    table, stream = await read(target, lease, "SELECT * FROM customers WHERE false")
    assert (table.num_rows, stream.rows, stream.truncated) == (0, 0, None)
    assert table.schema.field("id").type == pa.int32()


@pytest.mark.parametrize(
    "command",
    [
        "SELECT id FROM orders -- the end",
        "/* first */ SELECT id FROM orders;",
        "  ( SELECT id FROM orders ) ; ; -- x",
        "WITH o AS (TABLE orders) SELECT id FROM o",
        "TABLE orders",
        "VALUES (1), (2);",
        "EXPLAIN SELECT 1",
        "EXPLAIN (ANALYZE, FORMAT JSON) SELECT * FROM orders;",
        "SHOW search_path;",
        "SELECT ';' AS a, $$;$$ AS b, E'\\';' AS c",
        "SELECT '/* not a comment' AS a",
    ],
)
async def test_reads_of_every_form_work(target: PostgresTarget, lease: Lease, command: str) -> None:
    table, _ = await read(target, lease, command)
    assert table.num_rows > 0


async def test_parameters_are_bound_by_type_and_never_put_into_the_text(
    target: PostgresTarget, lease: Lease
) -> None:
    table, _ = await read(
        target,
        lease,
        "SELECT id FROM orders WHERE id < $1 AND ordered_at > $2 AND total > $3"
        " AND state::text = $4 ORDER BY id",
        (20, "2023-01-01T00:00:00+00:00", "1.5", "paid"),
    )
    assert table.column(0).to_pylist() == [1, 5, 9, 13, 17]
    table, _ = await read(
        target,
        lease,
        "SELECT $1 AS quote, $2 AS nothing, $3::date AS day, $4 AS yes, $5 + 0 AS big, $6 AS real",
        ("'; DROP TABLE x; --", None, "2024-01-31", True, 2**70, 0.5),
    )
    assert table.to_pylist() == [
        {
            "quote": "'; DROP TABLE x; --",
            "nothing": None,
            "day": date(2024, 1, 31),
            "yes": True,
            "big": float(2**70),
            "real": 0.5,
        }
    ]


async def test_a_large_parameterised_result_is_fetched_in_parts(
    target: PostgresTarget, lease: Lease
) -> None:
    async with start(
        target, lease, "SELECT o.* FROM orders o, orders p WHERE p.id <= $1", (30,)
    ) as s:
        sizes = [batch.num_rows async for batch in s]
    assert sum(sizes) == 6000 * 30
    assert max(sizes) <= 1 << 16
    assert len(sizes) > 3


@pytest.mark.parametrize(
    ("command", "parameters", "code"),
    [
        ("SELECT $1::int", ("zebra",), "bad_parameter"),
        ("SELECT $1, $2", (1234,), "bad_parameter"),
        ("SELECT id FROM orders WHERE ordered_at > $1", ("yesterday",), "bad_parameter"),
        ("SELECT id FROM orders WHERE ordered_at > $1", ("2024-01-01",), "bad_parameter"),
        ("SELECT $1", ("a\0b",), "bad_parameter"),
        ("SELECT $1 + 0", (10**60,), "bad_parameter"),
        ("SELECT $1, $2", ("zebra",), "bad_parameter"),
    ],
)
async def test_a_parameter_that_does_not_fit_is_refused_without_being_repeated(
    target: PostgresTarget, lease: Lease, command: str, parameters: tuple[str, ...], code: str
) -> None:
    with pytest.raises(ZTError) as caught:
        await read(target, lease, command, parameters)
    assert caught.value.code == code
    assert str(parameters[0]) not in caught.value.diagnostics()
    assert (await read(target, lease, "SELECT 1"))[1].rows == 1


# Limits


async def test_a_result_is_cut_at_exactly_so_many_rows_and_says_so(
    target: PostgresTarget, lease: Lease, superuser: asyncpg.Connection
) -> None:
    table, stream = await read(target, lease, ENDLESS, max_rows=12_345)
    assert table.num_rows == stream.rows == 12_345
    assert stream.truncated is not None
    assert (stream.truncated["limit"], stream.truncated["value"]) == ("max_rows", "12345")
    assert stream.truncated["hint"]
    assert await running(superuser, lease) == 0


async def test_a_result_of_exactly_so_many_rows_is_not_called_cut(
    target: PostgresTarget, lease: Lease
) -> None:
    table, stream = await read(target, lease, "SELECT * FROM orders", max_rows=6000)
    assert table.num_rows == 6000
    assert stream.truncated is None
    assert (await read(target, lease, "SELECT * FROM orders", max_rows=5999))[1].truncated


async def test_a_result_is_cut_at_the_last_row_that_fits_into_the_bytes(
    target: PostgresTarget, lease: Lease
) -> None:
    table, stream = await read(target, lease, ENDLESS, max_bytes=3_000_000)
    assert stream.truncated is not None
    assert stream.truncated["limit"] == "max_bytes"
    assert 2_990_000 < stream.nbytes <= 3_000_000
    assert table.num_rows == stream.rows


@pytest.mark.parametrize("command", ["SELECT pg_sleep(60)", ENDLESS])
async def test_a_statement_that_takes_too_long_is_stopped_at_the_target(
    target: PostgresTarget, lease: Lease, superuser: asyncpg.Connection, command: str
) -> None:
    began = time.perf_counter()
    with pytest.raises(TargetError) as caught:
        await read(target, lease, command, statement_seconds=0.3, max_rows=10**9, max_bytes=1 << 50)
    assert time.perf_counter() - began < 3
    assert caught.value.code == "statement_timeout"
    assert "0.3 s" in caught.value.message
    await until_running(superuser, lease, 0)


# Cancelling


@pytest.mark.parametrize(
    ("command", "parameters"),
    [("SELECT pg_sleep(60)", ()), ("SELECT pg_sleep($1)", (60,)), (ENDLESS, ()),
     (ENDLESS + " WHERE o.id > $1", (0,))],
)  # fmt: skip
async def test_cancelling_the_task_stops_the_statement_at_the_target(
    target: PostgresTarget,
    lease: Lease,
    superuser: asyncpg.Connection,
    command: str,
    parameters: tuple[float, ...],
) -> None:
    task = asyncio.create_task(read(target, lease, command, parameters, max_rows=10**9,
                                    max_bytes=1 << 50))  # fmt: skip
    await until_running(superuser, lease, 1)
    began = time.perf_counter()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.perf_counter() - began < 1
    assert await running(superuser, lease) == 0


async def test_leaving_the_stream_early_stops_the_statement_at_the_target(
    target: PostgresTarget, lease: Lease, superuser: asyncpg.Connection
) -> None:
    async with start(target, lease, ENDLESS, max_rows=10**9) as stream:
        async for _ in stream:
            break
    assert await running(superuser, lease) == 0
    assert (await read(target, lease, "SELECT 1"))[1].rows == 1


async def test_cancel_from_another_task_ends_the_reader_with_an_error_and_not_with_less_rows(
    target: PostgresTarget, lease: Lease, superuser: asyncpg.Connection
) -> None:
    async with start(target, lease, ENDLESS, max_rows=10**9) as stream:
        await anext(stream)
        await stream.cancel()
        with pytest.raises(TargetError) as caught:
            async for _ in stream:
                pass
    assert caught.value.code == "cancelled"
    assert await running(superuser, lease) == 0


async def test_a_slow_reader_slows_the_target_down_and_the_memory_stays_small(
    target: PostgresTarget, lease: Lease
) -> None:
    async with start(target, lease, ENDLESS, max_rows=10**9) as stream:
        first = await anext(stream)
        before = pa.total_allocated_bytes()
        for _ in range(20):
            await asyncio.sleep(0.01)
        assert pa.total_allocated_bytes() - before < 16 << 20
        assert first.num_rows


async def test_giving_the_lease_back_stops_what_it_runs(
    target: PostgresTarget, lease: Lease, superuser: asyncpg.Connection, access: PostgresAccess
) -> None:
    task = asyncio.create_task(read(target, lease, "SELECT pg_sleep(60)"))
    await until_running(superuser, lease, 1)
    await target.release_session("s_1")
    with pytest.raises(TargetError) as caught:
        await task
    assert caught.value.code == "cancelled"
    await access.drop(lease)
    gone = "SELECT count(*) FROM pg_stat_activity WHERE usename = $1"
    assert await superuser.fetchval(gone, lease.role) == 0
    with pytest.raises(TargetError) as caught:
        await read(target, lease, "SELECT 1")
    assert caught.value.code == "lease_refused"


async def test_twenty_statements_of_one_lease_at_once_all_come_back(
    target: PostgresTarget, lease: Lease
) -> None:
    results = await asyncio.gather(
        *(read(target, lease, f"SELECT {n} AS n, id FROM orders") for n in range(20))
    )
    assert [table.column("n")[0].as_py() for table, _ in results] == list(range(20))
    assert all(table.num_rows == 6000 for table, _ in results)


async def test_leases_that_connect_at_once_each_log_in_as_themselves(
    target: PostgresTarget, access: PostgresAccess
) -> None:
    leases = [await access.lease_read(f"s_{n}", 60) for n in range(12)]
    results = await asyncio.gather(
        *(read(target, lease, "SELECT session_user::text") for lease in leases for _ in range(3))
    )
    users = [table.column(0)[0].as_py() for table, _ in results]
    assert users == [lease.role for lease in leases for _ in range(3)]


# Refusals and errors


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("", "empty_command"),
        (" ; -- nothing", "empty_command"),
        ("SELECT 1; SELECT 2", "multiple_statements"),
        ("SELECT 1; DROP TABLE orders; --", "multiple_statements"),
        ("COPY orders TO STDOUT", "unsupported_statement"),
        ("BEGIN", "unsupported_statement"),
        ("COMMIT", "unsupported_statement"),
        ("SET search_path = shop", "unsupported_statement"),
        ("DECLARE c CURSOR FOR SELECT 1", "unsupported_statement"),
        ("PREPARE p AS SELECT 1", "unsupported_statement"),
        ("DO $$ BEGIN END $$", "unsupported_statement"),
        ("UPDATE orders SET total = 1", "unsupported_statement"),
        ("LISTEN a", "unsupported_statement"),
        ("SELECT 'open", "syntax_error"),
        ("SELECT /* open", "syntax_error"),
        ("SELECT 1) TO STDOUT; --", "syntax_error"),
        ("SELECT 1) TO STDOUT; SELECT (1", "multiple_statements"),
        ("SELECT 1) TO STDOUT --", "syntax_error"),
        ("SELECT \0", "bad_command"),
        ("SELEKT 1", "unsupported_statement"),
        ("SELECT * FORM orders", "syntax_error"),
        ("SELECT nope FROM orders", "undefined_column"),
        ("SELECT * FROM nope", "undefined_table"),
        ("SELECT * FROM salaries", "undefined_table"),
        ("SELECT * FROM shop.customers", "insufficient_privilege"),
        ("SELECT * INTO t FROM orders", "read_only"),
        ("SELECT nope(1)", "undefined_function"),
        ("SELECT 1 / 0", "division_by_zero"),
        ("SELECT id, count(*) FROM orders", "grouping_error"),
        ("WITH x AS (DELETE FROM orders RETURNING 1) SELECT 1", "cannot_write"),
        ("SELECT 2147483647 + id FROM orders", "out_of_range"),
    ],
)
async def test_each_mistake_has_its_code_and_leaves_the_connection_usable(
    target: PostgresTarget, lease: Lease, command: str, code: str
) -> None:
    with pytest.raises((TargetError, InvalidInputError)) as caught:
        await read(target, lease, command)
    if code == "cannot_write":  # a view of expressions can't be written, whoever asks
        assert caught.value.sqlstate in {"25006", "42501", "55000"}
    else:
        assert caught.value.code == code
    assert (await read(target, lease, "SELECT 1"))[1].rows == 1


@pytest.mark.parametrize("kind", list(LeaseKind))
@pytest.mark.parametrize("parameters", [(), (1,)])
async def test_the_target_itself_takes_one_statement_only(
    target: PostgresTarget, access: PostgresAccess, kind: LeaseKind, parameters: tuple[int, ...]
) -> None:
    """The second lock: whatever the lexer says, the protocol used takes one statement."""
    facts = Facts(
        Verb.UPDATE,
        relations_written=frozenset({"orders"}),
        columns_written=frozenset({"total"}),
        columns_read=frozenset({"id"}),
    )
    write = kind is LeaseKind.WRITE
    lease = await (access.lease_write("s_1", facts, 60) if write else access.lease_read("s_1", 60))
    one = "UPDATE orders SET total = 5 WHERE id = 1" if write else "SELECT 1"
    body = f"{one} ; {one}".replace("1", "$1" if parameters else "1")
    stream = start(target, lease, one, parameters)
    stream._work.statement = Statement(body, "", body, query=not write)
    with pytest.raises(TargetError) as caught:
        async with stream:
            pass
    assert caught.value.sqlstate == "42601"


async def test_an_error_points_at_the_place_in_the_users_own_command(
    target: PostgresTarget, lease: Lease
) -> None:
    with pytest.raises(TargetError) as caught:
        await read(target, lease, "SELECT id,\n  Ünknown_1 FROM orders")
    assert caught.value.message == "There is no column Ünknown_1. (SQLSTATE 42703)"
    assert caught.value.position == 14
    with pytest.raises(TargetError) as caught:
        await read(target, lease, "SELECT id FROM orders WHERE id = $1 AND nope", (1,))
    assert "column nope" in caught.value.message


@pytest.mark.parametrize(
    "command",
    [
        "SELECT email::int FROM customers",
        "SELECT name::date FROM customers",
        "SELECT (city || 'x')::uuid FROM customers",
        "SELECT city::json FROM customers",
        "SELECT 'x' ~ ('(' || city) FROM customers",
        "SELECT xmlparse(document city) FROM customers",
        "SELECT to_date(city, 'YYYY') FROM customers",
        "SELECT set_config(city, 'x', false) FROM customers",
        "SELECT city::regclass FROM customers",
        "SELECT to_number(city, city) , city::inet FROM customers",
        "SELECT current_setting(city) FROM customers",
        "SELECT query_to_xml('select ' || city, true, true, '') FROM customers",
    ],
)
async def test_no_error_holds_a_value(target: PostgresTarget, lease: Lease, command: str) -> None:
    """`city` is clear, and still no value of it stands in an error: the text is ours."""
    with pytest.raises(TargetError) as caught:
        await read(target, lease, command)
    said = f"{caught.value.diagnostics()} {caught.value!r} {caught.value.__cause__!r}"
    assert not re.search(r"City \d|email_|P\.", said)
    assert caught.value.__cause__ is None


async def test_the_comment_is_in_the_targets_log_and_nothing_breaks_out_of_it(
    target: PostgresTarget, lease: Lease, postgres: PostgresServer
) -> None:
    await read(target, lease, "SELECT 'in the log' /* */ AS a")
    await read(target, lease, "SELECT 'bound, in the log' AS a, $1 AS b", (1,))
    log = postgres.log.read_text(errors="replace")
    assert f"COPY (/* {COMMENT} */ SELECT 'in the log'" in log
    assert f"/* {COMMENT} */ DECLARE zt_result NO SCROLL CURSOR FOR SELECT 'bound" in log
    for text in ("a */ DROP TABLE x; /*", "a\nb", "a;b", "a'b", "a\0b"):
        with pytest.raises(ValueError, match="comment"):
            target.execute(lease, "SELECT 1", limits=Limits(), comment=text)


async def test_the_settings_that_decide_how_text_is_read_are_pinned(
    target: PostgresTarget, lease: Lease, access: PostgresAccess
) -> None:
    for name, value in (
        ("client_encoding", "UTF8"),
        ("standard_conforming_strings", "on"),
        ("search_path", f"{access.names.masked}, pg_temp"),
        ("application_name", "jupyter-zt"),
        ("default_transaction_read_only", "on"),
    ):
        table, _ = await read(target, lease, f"SHOW {name}")
        assert table.column(0)[0].as_py() == value


async def test_what_one_statement_sets_is_gone_for_the_next(
    target: PostgresTarget, lease: Lease, access: PostgresAccess
) -> None:
    settings = {
        "search_path": ("shop", f"{access.names.masked}, pg_temp"),
        "standard_conforming_strings": ("off", "on"),
        "default_transaction_read_only": ("off", "on"),
        "client_encoding": ("SJIS", "UTF8"),
        "statement_timeout": ("0", "2min"),
    }
    for name, (value, _) in settings.items():
        await read(target, lease, f"SELECT set_config('{name}', '{value}', false)")
    await read(target, lease, "SELECT pg_advisory_lock(7)")
    for name, (_, pinned) in settings.items():
        table, _ = await read(target, lease, f"SHOW {name}")
        assert table.column(0)[0].as_py() == pinned
    table, _ = await read(
        target, lease, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
    )
    assert table.column(0)[0].as_py() == 0


async def test_notices_are_dropped_and_do_not_reach_the_gateways_log(
    target: PostgresTarget, lease: Lease, capfd: pytest.CaptureFixture[str]
) -> None:
    await read(target, lease, "SELECT pg_cancel_backend(-1)")
    assert capfd.readouterr().err == ""


# The target goes away


async def test_an_unreachable_target_says_so(lease: Lease) -> None:
    target = PostgresTarget("warehouse", PostgresEndpoint("127.0.0.1", 1, "shop"))
    with pytest.raises(TargetError) as caught:
        await read(target, lease, "SELECT 1")
    assert caught.value.code == "target_unreachable"
    assert lease.secret not in caught.value.diagnostics()
    await target.close()


async def test_a_lease_that_is_over_is_refused(target: PostgresTarget, lease: Lease) -> None:
    late = PostgresTarget(
        "warehouse", target._endpoint, clock=lambda: lease.expires_at + timedelta(seconds=1)
    )
    with pytest.raises(TargetError) as caught:
        late.execute(lease, "SELECT 1", limits=Limits())
    assert caught.value.code == "lease_expired"
    await late.close()


@pytest.mark.parametrize("command", ["SELECT pg_sleep(60)", ENDLESS])
async def test_a_backend_killed_in_mid_query_is_a_lost_target(
    target: PostgresTarget, lease: Lease, superuser: asyncpg.Connection, command: str
) -> None:
    await target.warm(lease)
    task = asyncio.create_task(read(target, lease, command, max_rows=10**9, max_bytes=1 << 50))
    await until_running(superuser, lease, 1)
    await superuser.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1", lease.role
    )
    with pytest.raises(TargetError) as caught:
        await task
    assert caught.value.code == "target_lost"
    assert not caught.value.outcome_unknown
    assert (await read(target, lease, "SELECT 1"))[1].rows == 1


async def test_a_kept_connection_that_died_while_idle_is_replaced_unnoticed(
    target: PostgresTarget, lease: Lease, superuser: asyncpg.Connection
) -> None:
    kill = "SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity WHERE usename = $1"
    for command, parameters in (("SELECT 1", ()), ("SELECT $1", (1,)), ("SHOW search_path", ())):
        await read(target, lease, "SELECT 1")
        await superuser.execute(kill, lease.role)
        assert (await read(target, lease, command, parameters))[1].rows == 1


# Writes


async def write_lease(access: PostgresAccess, verb: Verb, *columns: str) -> Lease:
    return await access.lease_write(
        "s_1",
        Facts(
            verb,
            relations_written=frozenset({"orders"}),
            columns_written=frozenset(columns),
            columns_read=frozenset({"id", *columns}),
        ),
        60,
    )


async def test_a_write_is_committed_and_says_how_many_rows_it_changed(
    target: PostgresTarget, access: PostgresAccess, superuser: asyncpg.Connection
) -> None:
    lease = await write_lease(access, Verb.UPDATE, "total")
    for command, parameters, tag in (
        ("UPDATE orders SET total = 7 WHERE id IN (1, 2, 3);", (), "UPDATE 3"),
        ("UPDATE orders SET total = $1 WHERE id = $2", (7.5, 4), "UPDATE 1"),
        ("UPDATE orders SET total = 7 WHERE id = -1", (), "UPDATE 0"),
        ("WITH x AS (SELECT 1) UPDATE orders SET total = 7 WHERE id = 5 -- x", (), "UPDATE 1"),
        ("UPDATE orders SET total = 7 WHERE id < 3 RETURNING id, total", (), "UPDATE 2"),
    ):
        async with start(target, lease, command, parameters) as stream:
            assert [batch async for batch in stream] == []
        assert stream.schema is None
        assert stream.command_tag == tag
        assert stream.rows == int(tag.split()[1])
    assert await superuser.fetchval("SELECT sum(total) FROM shop.orders WHERE id < 6") == Decimal(
        "35.50"
    )


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("UPDATE orders SET total = 'x' WHERE id = 1", "bad_value"),
        ("UPDATE orders SET total = 99999999999 WHERE id = 1", "out_of_range"),
        ("UPDATE orders SET customer_id = 1 WHERE id = 1", "insufficient_privilege"),
        ("UPDATE orders SET total = NULL WHERE id = 1", "not_null"),
        ("SELECT * FROM orders", "unsupported_statement"),
        ("TRUNCATE orders", "unsupported_statement"),
        ("UPDATE orders SET total = 1 WHERE id = 1; COMMIT", "multiple_statements"),
    ],
)
async def test_a_write_that_fails_changes_nothing(
    target: PostgresTarget,
    access: PostgresAccess,
    superuser: asyncpg.Connection,
    command: str,
    code: str,
) -> None:
    lease = await write_lease(access, Verb.UPDATE, "total")
    before = await superuser.fetch("SELECT * FROM shop.orders WHERE id = 1")
    with pytest.raises((TargetError, InvalidInputError)) as caught:
        async with start(target, lease, command):
            pass
    assert caught.value.code == code
    assert not getattr(caught.value, "outcome_unknown", False)
    assert await superuser.fetch("SELECT * FROM shop.orders WHERE id = 1") == before


async def test_a_write_that_is_cancelled_or_killed_before_its_commit_changed_nothing_and_says_so(
    target: PostgresTarget, access: PostgresAccess, superuser: asyncpg.Connection
) -> None:
    lease = await write_lease(access, Verb.UPDATE, "total")
    command = "UPDATE orders SET total = 1 WHERE id = 10 AND pg_sleep(60) IS NOT NULL"
    before = await superuser.fetchval("SELECT total FROM shop.orders WHERE id = 10")

    async def write() -> None:
        async with start(target, lease, command):
            pass

    await target.warm(lease)
    task = asyncio.create_task(write())
    await until_running(superuser, lease, 1)
    await superuser.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1", lease.role
    )
    with pytest.raises(TargetError) as caught:
        await task
    assert caught.value.code == "target_lost"
    assert "nothing was changed" in caught.value.message
    assert not caught.value.outcome_unknown

    task = asyncio.create_task(write())
    await until_running(superuser, lease, 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until_running(superuser, lease, 0)
    assert await superuser.fetchval("SELECT total FROM shop.orders WHERE id = 10") == before


async def test_a_target_that_is_lost_while_it_commits_leaves_the_outcome_unknown(
    target: PostgresTarget,
    access: PostgresAccess,
    superuser: asyncpg.Connection,
) -> None:
    """A deferred trigger sleeps within COMMIT, and there the backend is killed."""
    await superuser.execute(
        "CREATE FUNCTION shop.slow() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM pg_sleep(60); RETURN NULL; END $$;"
        "CREATE CONSTRAINT TRIGGER slow AFTER UPDATE ON shop.orders"
        " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION shop.slow()"
    )
    try:
        lease = await write_lease(access, Verb.UPDATE, "total")

        async def write() -> None:
            async with start(target, lease, "UPDATE orders SET total = 1 WHERE id = 11"):
                pass

        task = asyncio.create_task(write())
        committing = (
            "SELECT pid FROM pg_stat_activity"
            " WHERE usename = $1 AND query ILIKE 'commit%' AND state = 'active'"
        )
        async with asyncio.timeout(5):
            while not await superuser.fetchval(committing, lease.role):  # noqa: ASYNC110
                await asyncio.sleep(0)
        await superuser.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1", lease.role
        )
        with pytest.raises(TargetError) as caught:
            await task
        assert caught.value.code == "target_lost"
        assert caught.value.outcome_unknown
    finally:
        await superuser.execute("DROP FUNCTION shop.slow() CASCADE")


async def test_a_read_leases_connection_is_reused_and_not_opened_anew(
    target: PostgresTarget, lease: Lease
) -> None:
    pids = {
        (await read(target, lease, command))[0].column(0)[0].as_py()
        for command in ("SELECT pg_backend_pid()", "SELECT pg_backend_pid() -- x")
    }
    with pytest.raises(TargetError):
        await read(target, lease, "SELECT nope")
    with pytest.raises(TargetError):
        await read(target, lease, "SELECT 1 / (5000 - id) FROM orders")
    with pytest.raises(TargetError):
        await read(target, lease, "SELECT $1 / 0", (1,))
    pids.add((await read(target, lease, "SELECT pg_backend_pid()"))[0].column(0)[0].as_py())
    pids.add(
        (await read(target, lease, "SELECT $1 + pg_backend_pid()", (0,)))[0].column(0)[0].as_py()
    )
    assert len(pids) == 1
