"""Roles and schemas that stay at the target: made once, checked at each start."""

from __future__ import annotations

import asyncpg

from jupyter_zt.access.admin import AdminConnection
from jupyter_zt.access.names import Names
from jupyter_zt.errors import ConfigError
from jupyter_zt.model import quote_identifier, quote_literal

MINIMUM_VERSION = 140000
"""PostgreSQL 14: `pg_terminate_backend` that waits, infinities of numeric."""

_ABOUT = """
SELECT current_setting('server_version_num')::int AS version,
       r.rolsuper OR r.rolcreaterole AS may_create_roles,
       pg_catalog.has_database_privilege(current_database(), 'CREATE') AS may_create_schemas,
       current_database() AS database,
       EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1) AS base_exists
FROM pg_catalog.pg_roles AS r WHERE r.rolname = current_user
"""


async def prepare_roles(connection: AdminConnection, names: Names) -> None:
    """Makes owner, reader and writer roles, the two schemas and the key table where missing.

    Call it within a transaction.

    Raises:
        ConfigError: The admin role lacks a right, or the base schema is not there.
    """
    about = await connection.fetchrow(_ABOUT, names.base)
    if about is None:
        raise ConfigError("The admin role is not in the catalog.", code="admin_privileges")
    _check(about, names)
    # Two gateways that start at once make each thing only once.
    await connection.execute(
        f"SELECT pg_advisory_xact_lock(hashtext({quote_literal('zt ' + names.prefix)}))"
    )
    for role in (names.owner, names.reader, names.writer):
        await _make_role(connection, role)
    await _join_owner(connection, names, about["version"])
    owner, reader = quote_identifier(names.owner), quote_identifier(names.reader)
    masked, keys = quote_identifier(names.masked), quote_identifier(names.keys)
    await connection.execute(
        f"CREATE SCHEMA IF NOT EXISTS {masked} AUTHORIZATION {owner};"
        f"CREATE SCHEMA IF NOT EXISTS {keys} AUTHORIZATION {owner};"
        f"SET LOCAL ROLE {owner};"
        f"REVOKE ALL ON SCHEMA {masked}, {keys} FROM PUBLIC;"
        f"GRANT USAGE ON SCHEMA {masked} TO {reader};"
        f"CREATE TABLE IF NOT EXISTS {names.key_table}"
        " (domain text PRIMARY KEY, key bytea NOT NULL CHECK (length(key) = 32));"
        f"REVOKE ALL ON {names.key_table} FROM PUBLIC;"
        "RESET ROLE"
    )
    await _pass_on_base(connection, names)
    await _pass_on_connect(connection, names, about["database"])


async def prepare_stricter(connection: AdminConnection, base: Names, names: Names) -> None:
    """Makes owner, reader and schema of stricter views where missing.

    Call it within a transaction, after `prepare_roles` of the base.

    Raises:
        ConfigError: The admin role lacks a right.
    """
    await connection.execute(
        f"SELECT pg_advisory_xact_lock(hashtext({quote_literal('zt ' + names.prefix)}))"
    )
    for role in (names.owner, names.reader):
        await _make_role(connection, role)
    version = await connection.fetchval("SELECT current_setting('server_version_num')::int")
    await _join_owner(connection, names, version)
    owner, reader = quote_identifier(names.owner), quote_identifier(names.reader)
    masked = quote_identifier(names.masked)
    await connection.execute(
        f"CREATE SCHEMA IF NOT EXISTS {masked} AUTHORIZATION {owner};"
        f"SET LOCAL ROLE {owner};"
        f"REVOKE ALL ON SCHEMA {masked} FROM PUBLIC;"
        f"GRANT USAGE ON SCHEMA {masked} TO {reader};"
        f"SET LOCAL ROLE {quote_identifier(base.owner)};"
        f"GRANT USAGE ON SCHEMA {quote_identifier(names.keys)} TO {owner};"
        f"GRANT SELECT, INSERT ON {names.key_table} TO {owner};"
        "RESET ROLE"
    )
    await _pass_on_base(connection, names)
    await _pass_on_connect(
        connection, names, await connection.fetchval("SELECT current_database()")
    )


async def drop_stricter(connection: AdminConnection, names: Names) -> None:
    """Drops all stricter views, with their schemas and roles: the next lease makes its own anew.

    Call it within a transaction, when there are no leases.
    """
    pattern = rf"^zt_(owner|reader)_{names.prefix}_[0-9a-f]{{8}}$"
    rows = await connection.fetch(
        "SELECT rolname FROM pg_catalog.pg_roles WHERE rolname ~ $1 ORDER BY rolname", pattern
    )
    version = await connection.fetchval("SELECT current_setting('server_version_num')::int")
    for role in (row["rolname"] for row in rows):
        quoted, admin = quote_identifier(role), quote_identifier(names.admin)
        # Only who has its rights may drop what it owns, and only who gave a right may take it.
        inherit = " WITH INHERIT TRUE, SET TRUE" if version >= 160000 else ""
        await connection.execute(
            f"GRANT {quoted} TO {admin}{inherit};"
            f"SET LOCAL ROLE {quote_identifier(names.owner)};"
            f"REVOKE ALL ON {names.key_table} FROM {quoted};"
            f"REVOKE ALL ON SCHEMA {quote_identifier(names.keys)} FROM {quoted};"
            f"RESET ROLE; DROP OWNED BY {quoted} CASCADE; DROP ROLE {quoted}"
        )


def _check(about: asyncpg.Record, names: Names) -> None:
    admin = quote_identifier(names.admin)
    if about["version"] < MINIMUM_VERSION:
        raise ConfigError(
            f"This PostgreSQL is too old ({about['version'] // 10000}).",
            code="target_too_old",
            hint="Version 14 or newer is needed.",
        )
    if not about["may_create_roles"]:
        raise ConfigError(
            f"The admin role {names.admin!r} may not create roles.",
            code="admin_privileges",
            hint=f"As a superuser run: ALTER ROLE {admin} CREATEROLE",
        )
    if not about["may_create_schemas"]:
        raise ConfigError(
            f"The admin role {names.admin!r} may not create schemas.",
            code="admin_privileges",
            hint=f"As the owner of the database run: GRANT CREATE ON DATABASE "
            f"{quote_identifier(about['database'])} TO {admin}",
        )
    if not about["base_exists"]:
        raise ConfigError(
            f"There is no schema {names.base!r} in database {about['database']!r}.",
            code="no_schema",
            hint="Check `schema:` of this connection in gateway.yaml.",
        )


async def _pass_on_base(connection: AdminConnection, names: Names) -> None:
    base, owner, writer = (
        quote_identifier(name) for name in (names.base, names.owner, names.writer)
    )
    refusal = ConfigError(
        f"The admin role can't pass on the use of schema {names.base}.",
        code="admin_privileges",
        hint=f"As its owner run: GRANT USAGE ON SCHEMA {base} TO "
        f"{quote_identifier(names.admin)} WITH GRANT OPTION",
    )
    try:
        await connection.execute(f"GRANT USAGE ON SCHEMA {base} TO {owner}, {writer}")
    except asyncpg.InsufficientPrivilegeError as error:
        raise refusal from error
    # Without the right to pass it on, GRANT often only warns.
    usage = "SELECT pg_catalog.has_schema_privilege($1, $2, 'USAGE')"
    if not await connection.fetchval(usage, names.owner, names.base):
        raise refusal


async def _pass_on_connect(connection: AdminConnection, names: Names, database: str) -> None:
    """Where CONNECT was taken from PUBLIC, leases get it by name, through their groups."""
    connect = "SELECT pg_catalog.has_database_privilege($1, $2, 'CONNECT')"
    place, admin = quote_identifier(database), quote_identifier(names.admin)
    for role in (names.reader, names.writer):
        if await connection.fetchval(connect, role, database):
            continue
        grant = f"GRANT CONNECT ON DATABASE {place} TO {quote_identifier(role)}"
        try:
            async with connection.transaction():
                await connection.execute(grant)
        except asyncpg.InsufficientPrivilegeError:
            pass
        if not await connection.fetchval(connect, role, database):
            raise ConfigError(
                f"Leases may not connect to database {database!r}.",
                code="admin_privileges",
                hint=f"As its owner run: GRANT CONNECT ON DATABASE {place} TO {admin} "
                "WITH GRANT OPTION",
            )


async def _make_role(connection: AdminConnection, role: str) -> None:
    known = "SELECT true FROM pg_catalog.pg_roles WHERE rolname = $1"
    if not await connection.fetchval(known, role):
        await connection.execute(f"CREATE ROLE {quote_identifier(role)} NOLOGIN")


async def _join_owner(connection: AdminConnection, names: Names, version: int) -> None:
    """Lets the admin act as the owner. From PostgreSQL 16 on a role that it made is not enough."""
    right = "SET" if version >= 160000 else "MEMBER"
    member = "SELECT pg_catalog.pg_has_role(current_user, $1, $2)"
    if await connection.fetchval(member, names.owner, right):
        return
    options = " WITH INHERIT FALSE, SET TRUE" if version >= 160000 else ""
    await connection.execute(
        f"GRANT {quote_identifier(names.owner)} TO {quote_identifier(names.admin)}{options}"
    )
