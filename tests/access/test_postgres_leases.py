from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from jupyter_zt.access import PostgresAccess
from jupyter_zt.errors import ConfigError, PermissionDeniedError, TargetError
from jupyter_zt.model import Facts, LeaseKind, MaskKind, PostgresEndpoint, Verb
from tests.fixtures_postgres import (
    ADMIN,
    PostgresServer,
    connect_as,
    make_access,
)


def update(*columns: str, reads: tuple[str, ...] = ("id",), relation: str = "customers") -> Facts:
    return Facts(
        Verb.UPDATE,
        relations_written=frozenset({relation}),
        columns_written=frozenset(columns),
        columns_read=frozenset(reads),
    )


async def allowed(connection: asyncpg.Connection, sql: str) -> bool:
    """Whether the role may; what it does is undone."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        await connection.execute(sql)
    except asyncpg.InsufficientPrivilegeError:
        return False
    except asyncpg.ReadOnlySQLTransactionError:
        return False
    finally:
        await transaction.rollback()
    return True


async def test_a_read_lease_sees_masked_views_only(
    any_access: PostgresAccess, any_postgres: PostgresServer
) -> None:
    lease = await any_access.lease_read("s_1", 60)
    connection = await connect_as(any_postgres, lease)
    assert await allowed(connection, "SELECT * FROM customers")
    for sql in (
        "SELECT * FROM shop.customers",
        "INSERT INTO customers (id) VALUES (1)",
        "UPDATE orders SET state = 'open'",
        "DELETE FROM orders",
        "TRUNCATE shop.orders",
        f"SELECT * FROM {any_access.names.key_table}",
        "CREATE TABLE public.t (a int)",
        f"CREATE TABLE {any_access.names.masked}.t (a int)",
        "CREATE SCHEMA s",
        "CREATE ROLE r",
        f"SET ROLE {ADMIN}",
    ):
        assert not await allowed(connection, sql), sql
    await connection.close()


async def test_a_stricter_lease_sees_stricter_views_and_the_same_pseudonyms(
    any_access: PostgresAccess, any_postgres: PostgresServer
) -> None:
    asked = (("email", MaskKind.REDACT), ("phone", MaskKind.PSEUDONYM))
    usual = await any_access.lease_read("s_1", 60)
    strict = await any_access.lease_read("s_1", 60, masks=asked)
    phones = await any_access.lease_read("s_1", 60, masks=(("phone", MaskKind.PSEUDONYM),))
    names = any_access.names.stricter(asked)

    connection = await connect_as(any_postgres, strict)
    shown = await connection.fetchrow("SELECT * FROM customers WHERE id = 1")
    assert shown["email"] == "[email]"
    assert shown["phone"].startswith("phone_")
    assert shown["city"] is not None
    assert await connection.fetchval("SELECT customer_email FROM orders LIMIT 1") == "[email]"
    for sql in (
        "SELECT * FROM shop.customers",
        f"SELECT * FROM {any_access.names.masked}.customers",
        f"SELECT * FROM {any_access.names.key_table}",
        f"SET ROLE {names.owner}",
    ):
        assert not await allowed(connection, sql), sql
    await connection.close()

    other = await connect_as(any_postgres, phones)
    same = await other.fetchrow("SELECT phone, email FROM customers WHERE id = 1")
    assert same["phone"] == shown["phone"]
    base = await connect_as(any_postgres, usual)
    assert await base.fetchval("SELECT email FROM customers WHERE id = 1") == same["email"]
    assert await base.fetchval("SELECT phone FROM customers WHERE id = 1") != shown["phone"]
    assert not await allowed(base, f"SELECT * FROM {names.masked}.customers")
    await other.close()
    await base.close()

    applied = await any_access.columns(asked)
    assert applied["customers"]["email"].kind is MaskKind.REDACT
    assert applied["customers"]["national_id"].kind is MaskKind.REDACT
    # A start clears them away.
    again = make_access(any_postgres)
    await again.prepare()
    admin = await asyncpg.connect(any_postgres.superuser_dsn)
    left = "SELECT count(*) FROM pg_roles WHERE rolname IN ($1, $2)"
    assert await admin.fetchval(left, names.owner, names.reader) == 0
    schemas = "SELECT count(*) FROM pg_namespace WHERE nspname = $1"
    assert await admin.fetchval(schemas, names.masked) == 0
    await admin.close()
    await again.close()


async def test_a_read_lease_begins_with_its_settings(
    any_access: PostgresAccess, any_postgres: PostgresServer
) -> None:
    lease = await any_access.lease_read("s_1", 60)
    connection = await connect_as(any_postgres, lease)
    settings = {
        row["name"]: row["setting"] for row in await connection.fetch("SELECT * FROM pg_settings")
    }
    assert settings["search_path"] == f"{any_access.names.masked}, pg_temp"
    assert settings["default_transaction_read_only"] == "on"
    assert settings["statement_timeout"] == "120000"
    assert settings["lock_timeout"] == "5000"
    assert settings["idle_in_transaction_session_timeout"] == "60000"
    role = await connection.fetchrow("SELECT * FROM pg_roles WHERE rolname = $1", lease.role)
    assert role["rolconnlimit"] == 8
    assert abs(role["rolvaliduntil"] - datetime.now(UTC) - timedelta(seconds=60)) < timedelta(5)
    assert not any(role[right] for right in ("rolsuper", "rolcreaterole", "rolcreatedb"))
    await connection.close()


async def test_an_expired_lease_can_not_log_in(any_postgres: PostgresServer) -> None:
    access = make_access(any_postgres, clock=lambda: datetime.now(UTC) - timedelta(hours=1))
    lease = await access.lease_read("s_1", 60)
    with pytest.raises(asyncpg.InvalidPasswordError):
        await connect_as(any_postgres, lease)
    await access.close()


async def test_no_password_of_a_lease_stands_in_the_targets_log(
    any_access: PostgresAccess, any_postgres: PostgresServer
) -> None:
    lease = await any_access.lease_read("s_1", 60)
    connection = await connect_as(any_postgres, lease)
    await connection.close()
    log = any_postgres.log.read_text(errors="replace")
    assert f'CREATE ROLE "{lease.role}"' in log
    assert lease.secret not in log
    assert lease.secret not in repr(lease)


async def test_dropping_a_session_ends_its_leases_and_no_others(
    any_access: PostgresAccess, any_postgres: PostgresServer
) -> None:
    mine = [await any_access.lease_read("s_1", 60) for _ in range(2)]
    other = await any_access.lease_read("s_2", 60)
    connection = await connect_as(any_postgres, mine[0])
    await any_access.drop_session("s_1")
    assert await any_access.leases() == [other.role]
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await connection.fetch("SELECT 1")
    with pytest.raises(asyncpg.InvalidPasswordError):
        await connect_as(any_postgres, mine[1])
    await any_access.drop(mine[0])


async def test_a_lease_that_left_things_behind_is_dropped_all_the_same(
    any_access: PostgresAccess, any_postgres: PostgresServer
) -> None:
    lease = await any_access.lease_read("s_1", 60)
    connection = await connect_as(any_postgres, lease)
    await connection.execute("SET default_transaction_read_only = off")
    await connection.execute("CREATE TEMP TABLE t AS SELECT 1; SELECT lo_create(0)")
    await any_access.drop(lease)
    assert lease.role not in await any_access.leases()
    connection.terminate()


async def test_the_next_start_sweeps_what_a_crash_left(any_postgres: PostgresServer) -> None:
    crashed, other = make_access(any_postgres), make_access(any_postgres, workspace="other")
    lease = await crashed.lease_read("s_1", 60)
    await crashed.lease_write("s_1", update("city"), 60)
    foreign = await other.lease_read("s_1", 60)
    connection = await connect_as(any_postgres, lease)
    started = make_access(any_postgres)
    await started.prepare()
    assert await started.leases() == []
    assert await other.leases() == [foreign.role]
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await connection.fetch("SELECT 1")
    for access in (crashed, other, started):
        await access.close()


async def test_cancel_stops_what_a_lease_runs_within_a_second(
    any_access: PostgresAccess, any_postgres: PostgresServer
) -> None:
    lease = await any_access.lease_read("s_1", 60)
    connection = await connect_as(any_postgres, lease)
    running = asyncio.create_task(connection.fetch("SELECT pg_sleep(30)"))
    admin = await asyncpg.connect(any_postgres.superuser_dsn)
    asleep = "SELECT count(*) FROM pg_stat_activity WHERE usename = $1 AND state = 'active'"
    while not await admin.fetchval(asleep, lease.role):  # noqa: ASYNC110 (the server's state)
        await asyncio.sleep(0)
    began = time.perf_counter()
    await any_access.cancel(lease)
    with pytest.raises(asyncpg.QueryCanceledError):
        await running
    assert time.perf_counter() - began < 1
    await connection.close()
    await admin.close()


async def test_a_write_lease_changes_just_what_was_approved(
    any_access: PostgresAccess, any_postgres: PostgresServer
) -> None:
    lease = await any_access.lease_write("s_1", update("city"), 60)
    connection = await connect_as(any_postgres, lease)
    assert await allowed(connection, "UPDATE customers SET city = 'x' WHERE id = 1")
    for sql in (
        "UPDATE customers SET city = 'x' WHERE email = 'x'",
        "UPDATE customers SET city = email WHERE id = 1",
        "UPDATE customers SET city = 'x' WHERE id = 1 RETURNING *",
        "UPDATE customers SET active = false WHERE id = 1",
        "UPDATE orders SET state = 'open' WHERE id = 1",
        "DELETE FROM customers WHERE id = 1",
        "INSERT INTO customers (city, registered_at) VALUES ('x', now())",
        "SELECT city FROM customers",
        "SELECT * FROM salaries",
        "ALTER TABLE customers ADD x int",
    ):
        assert not await allowed(connection, sql), sql
    await connection.close()
    await any_access.drop(lease)
    assert await any_access.leases() == []


async def test_an_insert_lease_can_use_the_tables_own_sequence(
    any_access: PostgresAccess, any_postgres: PostgresServer
) -> None:
    columns = frozenset({"customer_id", "state", "total", "ordered_at"})
    facts = Facts(
        Verb.INSERT,
        relations_written=frozenset({"orders"}),
        columns_written=columns | {"customer_email"},
        columns_read=columns,
    )
    lease = await any_access.lease_write("s_1", facts, 60)
    connection = await connect_as(any_postgres, lease)
    insert = "INSERT INTO orders (customer_id, state, total, ordered_at) "
    assert await allowed(connection, insert + "VALUES (1, 'open', 1, now())")
    assert not await allowed(connection, insert + "SELECT id, 'open', 1, now() FROM customers")
    copy = "INSERT INTO orders (customer_id, state, total, ordered_at, customer_email) "
    assert not await allowed(
        connection,
        copy + "SELECT customer_id, state, total, ordered_at, customer_email FROM orders",
    )
    await connection.close()


async def test_a_delete_lease_reads_no_masked_column_of_any_relation(
    any_access: PostgresAccess, any_postgres: PostgresServer
) -> None:
    facts = Facts(
        Verb.DELETE,
        relations_written=frozenset({"tickets"}),
        relations_read=frozenset({"tickets", "customers"}),
        columns_read=frozenset({"id", "email", "city"}),
    )
    lease = await any_access.lease_write("s_1", facts, 60)
    connection = await connect_as(any_postgres, lease)
    assert await allowed(
        connection, "DELETE FROM tickets WHERE id IN (SELECT id FROM customers WHERE city = 'x')"
    )
    for sql in (
        "DELETE FROM tickets WHERE customer_email = 'x'",
        "DELETE FROM tickets WHERE id IN (SELECT id FROM customers WHERE email = 'x')",
    ):
        assert not await allowed(connection, sql), sql
    await connection.close()


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        (update("salary", relation="salaries"), "unknown_relation"),
        (update("city", relation="pg_catalog.pg_class"), "unknown_relation"),
        (update("nope"), "undefined_column"),
        (update("city", reads=("id", "email")), "masked_source"),
        (update("city", reads=("id", "internal_note")), "masked_source"),
        (update("city", reads=("id", "*")), "masked_source"),
        (update(), "undefined_column"),
        (Facts(Verb.TRUNCATE, relations_written=frozenset({"orders"})), "write_not_supported"),
        (Facts(Verb.MERGE, relations_written=frozenset({"orders"})), "write_not_supported"),
        (
            Facts(Verb.DELETE, relations_written=frozenset({"orders", "customers"})),
            "write_not_supported",
        ),
    ],
)
async def test_a_write_that_no_lease_allows_is_refused_before_anybody_is_asked(
    access: PostgresAccess, facts: Facts, code: str
) -> None:
    for refusing in (access.check_write(facts), access.lease_write("s_1", facts, 60)):
        with pytest.raises(PermissionDeniedError) as caught:
            await refusing
        assert caught.value.code == code
    assert await access.leases() == []


async def test_many_leases_at_once_do_not_disturb_each_other(any_access: PostgresAccess) -> None:
    leases = await asyncio.gather(
        *(any_access.lease_read(f"s_{n}", 60) for n in range(20)),
        *(any_access.lease_write(f"s_{n}", update("city"), 60) for n in range(20)),
    )
    assert len({lease.role for lease in leases}) == 40
    await asyncio.gather(*(any_access.drop(lease) for lease in leases))
    assert await any_access.leases() == []


async def test_the_columns_say_what_is_really_applied(any_access: PostgresAccess) -> None:
    columns = await any_access.columns()
    assert columns["customers"]["internal_note"].kind is MaskKind.HIDE
    assert columns["customers"]["internal_note"].tag == "unclassified"
    assert "salaries" not in columns
    assert any("internal_note" in finding for finding in any_access.findings)
    lease = await any_access.lease_read("s_1", 60)
    assert lease.kind is LeaseKind.READ
    assert lease.role in await any_access.leases()


async def test_views_that_are_in_step_are_left_alone(
    any_access: PostgresAccess, any_postgres: PostgresServer
) -> None:
    admin = await asyncpg.connect(any_postgres.superuser_dsn)
    oids = "SELECT oid FROM pg_class WHERE relnamespace = $1::regnamespace ORDER BY oid"
    before = await admin.fetch(oids, any_access.names.masked)
    again = make_access(any_postgres)
    await again.prepare()
    assert await admin.fetch(oids, any_access.names.masked) == before
    await again.close()
    await admin.close()


async def test_a_dropped_and_a_remade_table_are_followed_by_the_next_lease(
    any_access: PostgresAccess, any_postgres: PostgresServer
) -> None:
    admin = await asyncpg.connect(any_postgres.admin_dsn)
    await admin.execute("ALTER TABLE shop.payments RENAME TO payments_before")
    try:
        await admin.execute(
            "CREATE TABLE shop.payments (amount numeric, id text); INSERT INTO shop.payments"
            " VALUES (1, 'new')"
        )
        connection = await connect_as(any_postgres, await any_access.lease_read("s_1", 60))
        assert dict(await connection.fetchrow("SELECT * FROM payments")) == {
            "amount": 1,
            "id": "new",
        }
        await connection.close()
        await admin.execute("DROP TABLE shop.payments CASCADE")
        connection = await connect_as(any_postgres, await any_access.lease_read("s_1", 60))
        with pytest.raises(asyncpg.UndefinedTableError):
            await connection.fetch("SELECT * FROM payments")
        await connection.close()
    finally:
        await admin.execute("ALTER TABLE shop.payments_before RENAME TO payments")
        await admin.close()
        await any_access.synchronise()


async def test_a_superuser_as_admin_works_too(any_postgres: PostgresServer) -> None:
    superuser = await asyncpg.connect(any_postgres.superuser_dsn)
    access = make_access(
        any_postgres, user="postgres", password=lambda: "superuser of the tests", workspace="super"
    )
    lease = await access.lease_read("s_1", 60)
    connection = await connect_as(any_postgres, lease)
    assert not await allowed(connection, "SELECT * FROM shop.customers")
    assert await allowed(connection, "SELECT * FROM customers")
    await connection.close()
    await access.close()
    await superuser.execute("GRANT TEMPORARY ON DATABASE shop TO PUBLIC")
    await superuser.close()


async def test_an_unreachable_target_says_so_and_is_used_again_once_it_is_back(
    postgres: PostgresServer,
) -> None:
    access = make_access(postgres)
    access._admin._endpoint = PostgresEndpoint("127.0.0.1", 1, "shop")
    with pytest.raises(TargetError) as caught:
        await access.lease_read("s_1", 60)
    assert caught.value.code == "target_unreachable"
    access._admin._endpoint = postgres.endpoint
    assert await access.lease_read("s_1", 60)
    await access.close()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"user": "nobody"}, "does not accept the admin role"),
        ({"password": lambda: "wrong"}, "does not accept the admin role"),
        ({"base_schema": "nope"}, "no schema 'nope'"),
    ],
)
async def test_a_wrong_configuration_says_what_to_change(
    any_postgres: PostgresServer, change: dict[str, object], words: str
) -> None:
    access = make_access(any_postgres, **change)
    with pytest.raises(ConfigError) as caught:
        await access.prepare()
    assert words in caught.value.message
    assert "wrong" not in caught.value.diagnostics()
    await access.close()


@pytest.mark.parametrize(
    ("rights", "hint"),
    [
        ([], "CREATEROLE"),
        (["ALTER ROLE weak CREATEROLE"], "GRANT CREATE ON DATABASE"),
        (
            ["ALTER ROLE weak CREATEROLE", "GRANT CREATE ON DATABASE shop TO weak"],
            "GRANT USAGE ON SCHEMA",
        ),
        (
            [
                "ALTER ROLE weak CREATEROLE",
                "GRANT CREATE ON DATABASE shop TO weak",
                "GRANT USAGE ON SCHEMA shop TO weak WITH GRANT OPTION",
                "GRANT SELECT ON shop.customers TO weak",
            ],
            "WITH GRANT OPTION",
        ),
    ],
)
async def test_an_admin_that_lacks_a_right_says_what_to_grant(
    any_postgres: PostgresServer, rights: list[str], hint: str
) -> None:
    superuser = await asyncpg.connect(any_postgres.superuser_dsn)
    await superuser.execute("CREATE ROLE weak LOGIN PASSWORD 'weak'")
    for right in rights:
        await superuser.execute(right)
    access = make_access(any_postgres, user="weak", password=lambda: "weak", workspace="weak")
    try:
        with pytest.raises(ConfigError) as caught:
            await access.prepare()
        assert caught.value.code == "admin_privileges"
        assert hint in caught.value.hint
    finally:
        await access.close()
        await superuser.execute("DROP OWNED BY weak CASCADE; DROP ROLE weak")
        for row in await superuser.fetch(
            "SELECT rolname FROM pg_roles WHERE rolname LIKE $1", f"zt\\_%{access.names.prefix}"
        ):
            await superuser.execute(f"DROP OWNED BY {row['rolname']}; DROP ROLE {row['rolname']}")
        await superuser.close()
