"""Which columns of a result stand for classified ones."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from jupyter_zt.model import ColumnMask, MaskKind


def result_masks(
    names: Sequence[str],
    relations: Collection[str],
    masks: Mapping[str, Mapping[str, ColumnMask]],
) -> tuple[ColumnMask | None, ...]:
    """The mask to mark each result column with, by name: it explains, and protects nothing.

    Args:
        names: Column names of the result, in order; duplicates are fine.
        relations: Relations that the command reads, as written, from its facts.
        masks: Relation -> column -> what is really applied (`PostgresAccess.columns`).

    Returns:
        One entry per name; None for a column that is clear, computed or of unknown origin. Where
        several relations have a column of that name, the strictest mask is named.
    """
    strictness = list(MaskKind)
    bare = {relation.rpartition(".")[2] for relation in relations}
    result: list[ColumnMask | None] = []
    for name in names:
        found = [
            columns[name]
            for relation, columns in masks.items()
            if relation in bare and name in columns
        ]
        applied = [mask for mask in found if mask.kind is not MaskKind.CLEAR]
        result.append(min(applied, key=lambda m: strictness.index(m.kind), default=None))
    return tuple(result)
