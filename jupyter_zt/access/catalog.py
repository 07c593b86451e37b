"""What the target's catalog says about the base relations."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from jupyter_zt.access.admin import AdminConnection
from jupyter_zt.model import SourceColumn, TypeFamily

_COLUMNS = """
WITH RECURSIVE made_of(typed, oid, typmod) AS (
    SELECT oid, oid, -1 FROM pg_catalog.pg_type
  UNION ALL
    SELECT made_of.typed, t.typbasetype, t.typtypmod
    FROM made_of JOIN pg_catalog.pg_type AS t ON t.oid = made_of.oid WHERE t.typtype = 'd'
)
SELECT c.oid::bigint AS relation_oid, c.relname AS relation, a.attnum AS position,
       a.attname AS name, b.typname AS base, b.typtype::text AS typtype,
       coalesce(e.typname, '') AS element,
       pg_catalog.format_type(
         b.oid, CASE WHEN a.atttypid = b.oid THEN a.atttypmod ELSE m.typmod END) AS type
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN made_of AS m ON m.typed = a.atttypid
JOIN pg_catalog.pg_type AS b ON b.oid = m.oid AND b.typtype <> 'd'
LEFT JOIN pg_catalog.pg_type AS e ON e.oid = b.typelem AND b.typcategory = 'A'
WHERE n.nspname = $1 AND c.relname = ANY ($2::text[]) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
ORDER BY c.relname, a.attnum
"""

_FAMILIES = {
    "text": TypeFamily.TEXT,
    "varchar": TypeFamily.TEXT,
    "bpchar": TypeFamily.TEXT,
    "citext": TypeFamily.TEXT,
    "name": TypeFamily.TEXT,
    "int2": TypeFamily.INTEGER,
    "int4": TypeFamily.INTEGER,
    "int8": TypeFamily.INTEGER,
    "numeric": TypeFamily.NUMERIC,
    "float4": TypeFamily.FLOAT,
    "float8": TypeFamily.FLOAT,
    "date": TypeFamily.DATE,
    "timestamp": TypeFamily.TIMESTAMP,
    "timestamptz": TypeFamily.TIMESTAMPTZ,
}
_PLAIN = frozenset({"bool", "uuid", "json", "jsonb", "bytea", "time", "interval", "oid"})
_ELEMENTS = frozenset({"text", "varchar", "int2", "int4", "int8", "float4", "float8", "bool"})


@dataclass(frozen=True, slots=True)
class Relation:
    """A base relation and its columns, in order.

    Attributes:
        identity: Changes whenever the relation, or the place of a column in it, is another one.
    """

    name: str
    identity: str
    columns: tuple[SourceColumn, ...]


async def read_relations(
    connection: AdminConnection, schema: str, names: Collection[str]
) -> dict[str, Relation]:
    """The relations of these names that there are in the schema."""
    columns: dict[str, list[SourceColumn]] = {}
    identities: dict[str, list[str]] = {}
    for row in await connection.fetch(_COLUMNS, schema, sorted(names)):
        relation = row["relation"]
        family = _family(row["base"], row["typtype"], row["element"])
        columns.setdefault(relation, []).append(
            SourceColumn(relation, row["name"], row["type"], family)
        )
        identities.setdefault(relation, [str(row["relation_oid"])]).append(str(row["position"]))
    return {
        name: Relation(name, ".".join(identities[name]), tuple(found))
        for name, found in columns.items()
    }


def _family(base: str, typtype: str, element: str) -> TypeFamily:
    if base in _FAMILIES:
        return _FAMILIES[base]
    if base in _PLAIN or typtype == "e" or element in _ELEMENTS:
        return TypeFamily.PLAIN
    return TypeFamily.EXOTIC
