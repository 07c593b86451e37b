"""Masked views, kept in step with the base schema and the classification.

Rules:

(1) A view names each of its columns, so what is added to a table later is not in it.
(2) The owner of the views is granted only the columns that some expression reads: a hidden column
    is out of reach even for the view.
(3) A view is made anew whenever its text, its table or the place of a column in it has changed.
    All changes of one round are one transaction: nobody sees half of it.

What that costs the owner of the tables: PostgreSQL refuses to drop a shown column, or to change its
type, while a view reads it. `DROP ... CASCADE` takes the view along, and the next lease makes it
anew. And `security_barrier` keeps a view apart from the query around it: a filter on a clear column
goes in, an ORDER BY does not, so sorting a large view computes its pseudonyms first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import asyncpg

from jupyter_zt.access.admin import AdminConnection
from jupyter_zt.access.catalog import Relation, read_relations
from jupyter_zt.access.names import Names
from jupyter_zt.errors import ConfigError
from jupyter_zt.model import (
    ColumnMask,
    MaskedColumn,
    MaskKind,
    SourceColumn,
    quote_identifier,
    quote_literal,
)

MaskColumn = Callable[[SourceColumn, ColumnMask | None, str], MaskedColumn]

_VIEWS = """
SELECT c.relname AS name, pg_catalog.obj_description(c.oid, 'pg_class') AS digest
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relkind = 'v'
"""
# The key is made by the target itself, from 366 random bits, so that it stands in no log.
_KEY = """
INSERT INTO {keys} (domain, key)
SELECT {domain}, sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())
                        || uuid_send(gen_random_uuid()))
ON CONFLICT (domain) DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class View:
    """One masked view, as it should be.

    Attributes:
        base: The relation that it shows.
        definition: The SELECT.
        reads: Columns of the base relation that it reads.
        masks: Column -> what is really applied.
        notes: Where it is stricter than the classification asks.
    """

    base: Relation
    definition: str
    reads: tuple[str, ...]
    masks: Mapping[str, ColumnMask]
    notes: tuple[str, ...]

    @property
    def digest(self) -> str:
        """What the comment on the view holds while it is in step."""
        text = f"{self.base.identity}\n{self.definition}"
        return "zt " + hashlib.sha256(text.encode()).hexdigest()


def plan_view(
    names: Names, base: Relation, masks: Mapping[str, ColumnMask], mask_column: MaskColumn
) -> View:
    """The view of one relation."""
    columns = [
        (column.name, mask_column(column, masks.get(column.name), names.key_table))
        for column in base.columns
    ]
    shown = ", ".join(f"{made.expression} AS {quote_identifier(name)}" for name, made in columns)
    source = f"{quote_identifier(names.base)}.{quote_identifier(base.name)}"
    reads = tuple(name for name, made in columns if made.reads)
    notes = [f"{base.name}.{name} is hidden: {made.note}" for name, made in columns if made.note]
    there = {name for name, _ in columns}
    notes += [
        f"{base.name}.{name} is classified, and there is no such column"
        for name in sorted(masks.keys() - there)
    ]
    return View(
        base=base,
        definition=f"SELECT {shown} FROM {source} AS t",
        # PostgreSQL wants at least one readable column, even to count rows.
        reads=reads or (base.columns[0].name,),
        masks={name: made.mask for name, made in columns},
        notes=tuple(notes),
    )


async def synchronise(
    connection: AdminConnection,
    names: Names,
    masks: Mapping[str, Mapping[str, ColumnMask]],
    mask_column: MaskColumn,
) -> tuple[View, ...]:
    """Brings the masked views in step. Call it within a transaction.

    Raises:
        ConfigError: The admin can't pass on the right to read a base relation.
    """
    bases = await read_relations(connection, names.base, masks)
    wanted = {
        name: plan_view(names, base, masks[name], mask_column) for name, base in bases.items()
    }
    present = {row["name"]: row["digest"] for row in await connection.fetch(_VIEWS, names.masked)}
    stale = [name for name in present if name not in wanted]
    changed = [view for name, view in wanted.items() if present.get(name) != view.digest]
    for view in changed:
        await _grant_base(connection, names, view)
    if stale or changed:
        await connection.execute(_rebuild(names, stale, changed))
    return tuple(wanted.values())


async def _grant_base(connection: AdminConnection, names: Names, view: View) -> None:
    base = f"{quote_identifier(names.base)}.{quote_identifier(view.base.name)}"
    owner = quote_identifier(names.owner)
    columns = ", ".join(quote_identifier(name) for name in view.reads)
    refusal = ConfigError(
        f"The admin role can't pass on the right to read {names.base}.{view.base.name}.",
        code="admin_privileges",
        hint=f"As its owner run: GRANT SELECT ON {base} TO {quote_identifier(names.admin)}"
        " WITH GRANT OPTION",
    )
    try:
        await connection.execute(
            f"REVOKE ALL ON {base} FROM {owner}; GRANT SELECT ({columns}) ON {base} TO {owner}"
        )
    except asyncpg.InsufficientPrivilegeError as error:
        raise refusal from error
    # Without the right to pass it on, GRANT often only warns.
    granted = await connection.fetchval(
        "SELECT bool_and(pg_catalog.has_column_privilege($1, $2, name, 'SELECT'))"
        " FROM unnest($3::text[]) AS name",
        names.owner,
        base,
        list(view.reads),
    )
    if not granted:
        raise refusal


def _rebuild(names: Names, stale: Sequence[str], changed: Sequence[View]) -> str:
    """Drops and makes views as their owner; what other sessions see changes at the commit."""
    schema, reader = quote_identifier(names.masked), quote_identifier(names.reader)
    lines = [f"SET LOCAL ROLE {quote_identifier(names.owner)}"]
    lines += [f"DROP VIEW {schema}.{quote_identifier(name)} CASCADE" for name in stale]
    domains = {
        mask.tag
        for view in changed
        for mask in view.masks.values()
        if mask.kind is MaskKind.PSEUDONYM
    }
    lines += [
        _KEY.format(keys=names.key_table, domain=quote_literal(domain))
        for domain in sorted(domains)
    ]
    for view in changed:
        name = f"{schema}.{quote_identifier(view.base.name)}"
        lines += [
            f"DROP VIEW IF EXISTS {name} CASCADE",
            f"CREATE VIEW {name} WITH (security_barrier) AS {view.definition}",
            f"COMMENT ON VIEW {name} IS {quote_literal(view.digest)}",
            f"GRANT SELECT ON {name} TO {reader}",
        ]
    return ";\n".join([*lines, "RESET ROLE"])
