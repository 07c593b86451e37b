"""What a lease could reach besides its views, because everybody (PUBLIC) may.

PostgreSQL grants some rights to PUBLIC, and no role can be exempted from those. Three of them are
taken from PUBLIC here; who has them now keeps them by name, so no other application notices. What
then is still in reach, and shows or does more than the views, refuses the connection.
"""

from __future__ import annotations

import asyncpg

from jupyter_zt.access.admin import AdminConnection
from jupyter_zt.access.names import Names
from jupyter_zt.errors import ConfigError
from jupyter_zt.model import quote_identifier

_HOLDERS = """
SELECT rolname FROM pg_catalog.pg_roles
WHERE NOT rolsuper AND rolname !~ '^(pg_|zt_(owner|reader|writer|r|w)_[0-9a-f]{8})' ORDER BY rolname
"""
_IN_REACH = """
SELECT n.nspname AS schema, c.relname AS name,
       CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS kind
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname !~ '^(pg_|information_schema$)' AND n.nspname <> $2
  AND pg_catalog.has_schema_privilege($1, n.oid, 'USAGE')
  AND CASE WHEN c.relkind = 'S'
           THEN pg_catalog.has_sequence_privilege($1, c.oid, 'SELECT, USAGE, UPDATE')
           WHEN c.relkind IN ('r', 'p', 'v', 'm', 'f')
           THEN pg_catalog.has_table_privilege(
                  $1, c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE')
             OR pg_catalog.has_any_column_privilege($1, c.oid, 'SELECT, INSERT, UPDATE')
           ELSE false END
UNION ALL
SELECT n.nspname, p.oid::regprocedure::text, 'FUNCTION'
FROM pg_catalog.pg_proc AS p
JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
LEFT JOIN pg_catalog.pg_depend AS d ON d.objid = p.oid AND d.deptype = 'e'
LEFT JOIN pg_catalog.pg_extension AS x ON x.oid = d.refobjid
WHERE (n.nspname !~ '^(pg_|information_schema$)')
  AND pg_catalog.has_schema_privilege($1, n.oid, 'USAGE')
  AND pg_catalog.has_function_privilege($1, p.oid, 'EXECUTE')
  AND (p.prosecdef OR x.extname IN ('dblink', 'adminpack', 'lo', 'file_fdw', 'postgres_fdw'))
ORDER BY 1, 2
"""


async def close_public(connection: AdminConnection, names: Names, database: str) -> tuple[str, ...]:
    """Takes from PUBLIC what a lease must not have. Call it within a transaction.

    Returns:
        What the admin role may not take away and is no leak, one sentence each with the SQL to run.

    Raises:
        ConfigError: Relations or privileged functions are in reach of everybody.
    """
    findings: list[str] = []
    place = f"DATABASE {quote_identifier(database)}"
    check = "SELECT pg_catalog.has_database_privilege($1, $2, 'TEMPORARY')"
    if await connection.fetchval(check, names.reader, database):
        findings += await _take(connection, names, "TEMPORARY", place, check, database)
    public = await connection.fetchval("SELECT true FROM pg_namespace WHERE nspname = 'public'")
    if public:
        check = "SELECT pg_catalog.has_schema_privilege($1, $2, 'CREATE')"
        if await connection.fetchval(check, names.reader, "public"):
            findings += await _take(connection, names, "CREATE", "SCHEMA public", check, "public")
        if any(row["schema"] == "public" for row in await _in_reach(connection, names)):
            check = "SELECT pg_catalog.has_schema_privilege($1, $2, 'USAGE')"
            await _take(connection, names, "USAGE", "SCHEMA public", check, "public")
    exposed = await _in_reach(connection, names)
    if exposed:
        first = exposed[0]
        what = first["name"]
        if first["kind"] != "FUNCTION":
            what = f"{quote_identifier(first['schema'])}.{quote_identifier(what)}"
        raise ConfigError(
            f"Everybody may use {first['schema']}.{first['name']}"
            + (f" and {len(exposed) - 1} more" if len(exposed) > 1 else "")
            + ": a lease would reach past its masked views.",
            code="public_reach",
            hint=f"As its owner run: REVOKE ALL ON {first['kind']} {what} FROM PUBLIC",
        )
    return tuple(findings)


async def _in_reach(connection: AdminConnection, names: Names) -> list[asyncpg.Record]:
    return list(await connection.fetch(_IN_REACH, names.reader, names.masked))


async def _take(
    connection: AdminConnection,
    names: Names,
    right: str,
    place: str,
    check: str,
    target: str,
) -> list[str]:
    holders = [row["rolname"] for row in await connection.fetch(_HOLDERS)]
    revoke = f"REVOKE {right} ON {place} FROM PUBLIC"
    keep = [f"GRANT {right} ON {place} TO {quote_identifier(name)}" for name in holders]
    try:
        async with connection.transaction():
            await connection.execute("; ".join([*keep, revoke]))
    except asyncpg.InsufficientPrivilegeError:
        pass
    if await connection.fetchval(check, names.reader, target):
        return [f"Everybody has {right} on {place}, leases too. As its owner run: {revoke}"]
    return []
