"""What the columns that an action touches hold, by the connection's classification."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from jupyter_zt.model import ColumnMask, Facts, MaskKind

__all__ = ["UNCLASSIFIED", "with_tags"]

UNCLASSIFIED = "unclassified"
"""Tag of a relation that the classification does not have."""

_SYSTEM = ("pg_", "information_schema")

Classified = Mapping[str, Mapping[str, ColumnMask]]


def with_tags(facts: Facts, classified: Classified) -> Facts:
    """The facts, with the tags of what the action touches.

    Columns are facts without their relation, so a column counts in each relation that has one of
    that name: rather a tag too many than one too few.

    Args:
        facts: Of an SQL command.
        classified: Relation -> column -> mask, of this connection.
    """
    tags: set[str] = set()
    touched = facts.columns_read | facts.columns_written
    whole = "*" in touched or (facts.relations_written and not facts.columns_written)
    for relation in facts.relations_read | facts.relations_written:
        schema, _, name = relation.rpartition(".")
        if schema.startswith(_SYSTEM) or (not schema and name.startswith("pg_")):
            continue  # catalogs have risks of their own
        columns = classified.get(name.strip('"'))
        if columns is None:
            tags.add(UNCLASSIFIED)
            continue
        tags |= {
            mask.tag
            for column, mask in columns.items()
            if mask.kind is not MaskKind.CLEAR and (whole or column in touched)
        }
    return replace(facts, tags=frozenset(tags)) if tags else facts
