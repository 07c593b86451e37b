from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest

from jupyter_zt.errors import ConfigError
from tests.fixtures_postgres import ADMIN, DATABASE, PostgresServer, connect_as, make_access


@pytest.fixture
async def superuser(any_postgres: PostgresServer) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(any_postgres.superuser_dsn)
    yield connection
    await connection.close()


@pytest.mark.parametrize(
    ("open_it", "close_it"),
    [
        (
            "GRANT USAGE ON SCHEMA shop TO PUBLIC; GRANT SELECT ON shop.salaries TO PUBLIC",
            "REVOKE USAGE ON SCHEMA shop FROM PUBLIC; REVOKE SELECT ON shop.salaries FROM PUBLIC",
        ),
        (
            (
                "GRANT USAGE ON SCHEMA shop TO PUBLIC;"
                " GRANT SELECT (email) ON shop.customers TO PUBLIC"
            ),
            (
                "REVOKE USAGE ON SCHEMA shop FROM PUBLIC;"
                " REVOKE SELECT (email) ON shop.customers FROM PUBLIC"
            ),
        ),
        (
            (
                "CREATE FUNCTION public.emails() RETURNS SETOF text LANGUAGE sql SECURITY DEFINER"
                " AS 'SELECT email FROM shop.customers'"
            ),
            "DROP FUNCTION public.emails()",
        ),
        (
            (
                "CREATE VIEW public.emails AS SELECT email FROM shop.customers;"
                " GRANT SELECT ON public.emails TO PUBLIC"
            ),
            "DROP VIEW public.emails",
        ),
    ],
    ids=["table", "column", "privileged function", "view in public"],
)
async def test_a_target_where_everybody_may_read_past_the_views_is_refused(
    any_postgres: PostgresServer, superuser: asyncpg.Connection, open_it: str, close_it: str
) -> None:
    access = make_access(any_postgres)
    await superuser.execute(open_it)
    try:
        with pytest.raises(ConfigError) as caught:
            await access.prepare()
        assert caught.value.code == "public_reach"
        assert "REVOKE ALL ON" in caught.value.hint
        # What the hint says is what helps.
        await superuser.execute(caught.value.hint.partition("run: ")[2])
        await access.prepare()
    finally:
        await superuser.execute(close_it)
        await access.close()


async def test_where_it_may_the_gateway_takes_from_public_and_others_keep_what_they_have(
    any_postgres: PostgresServer, superuser: asyncpg.Connection
) -> None:
    await superuser.execute(
        "CREATE ROLE app LOGIN PASSWORD 'app'; GRANT CREATE ON SCHEMA public TO PUBLIC;"
        "ALTER DATABASE shop OWNER TO shop_admin;"
        "CREATE VIEW public.emails AS SELECT email FROM shop.customers;"
        "GRANT SELECT ON public.emails TO PUBLIC"
    )
    access = make_access(any_postgres)
    try:
        assert not any("Everybody" in finding for finding in await access.prepare())
        lease = await access.lease_read("s_1", 60)
        connection = await connect_as(any_postgres, lease)
        await connection.execute("SET default_transaction_read_only = off")
        for sql in (
            "SELECT * FROM public.emails",
            "CREATE TEMP TABLE t (a int)",
            "CREATE TABLE public.t (a int)",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(sql)
        await connection.close()
        for right, answer in (
            ("has_schema_privilege('app', 'public', 'USAGE')", True),
            ("has_schema_privilege('app', 'public', 'CREATE')", True),
            ("has_database_privilege('app', 'shop', 'TEMPORARY')", True),
        ):
            assert await superuser.fetchval(f"SELECT {right}") is answer
    finally:
        await access.close()
        await superuser.execute(
            "ALTER DATABASE shop OWNER TO postgres; DROP VIEW public.emails;"
            "REVOKE CREATE ON SCHEMA public FROM PUBLIC; GRANT USAGE ON SCHEMA public TO PUBLIC;"
            "GRANT TEMPORARY ON DATABASE shop TO PUBLIC;"
            "GRANT CREATE ON DATABASE shop TO shop_admin;"
            "DROP OWNED BY app; DROP ROLE app"
        )


async def test_what_the_admin_may_not_take_away_is_reported(
    any_postgres: PostgresServer,
) -> None:
    access = make_access(any_postgres)
    findings = await access.prepare()
    assert any("REVOKE TEMPORARY ON DATABASE" in finding for finding in findings)
    await access.close()


async def test_where_connect_was_taken_from_public_leases_get_it_by_name(
    any_postgres: PostgresServer, superuser: asyncpg.Connection
) -> None:
    database, admin = DATABASE, ADMIN
    await superuser.execute(f"REVOKE CONNECT ON DATABASE {database} FROM PUBLIC")
    access = make_access(any_postgres, workspace="hardened")
    try:
        await superuser.execute(f"GRANT CONNECT ON DATABASE {database} TO {admin}")
        with pytest.raises(ConfigError) as caught:
            await access.prepare()
        assert caught.value.code == "admin_privileges"
        await superuser.execute(caught.value.hint.partition("run: ")[2])
        await access.prepare()
        lease = await access.lease_read("s_1", 60)
        connection = await connect_as(any_postgres, lease)
        await connection.close()
    finally:
        await superuser.execute(f"GRANT CONNECT ON DATABASE {database} TO PUBLIC")
        await access.close()
