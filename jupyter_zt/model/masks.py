"""How a classified column is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum


class MaskKind(StrEnum):
    """Mask kinds, strictest first."""

    HIDE = "hide"
    REDACT = "redact"
    PSEUDONYM = "pseudonym"
    BUCKET = "bucket"
    PARTIAL = "partial"
    CLEAR = "clear"


@dataclass(frozen=True, slots=True)
class ColumnMask:
    """One column's classification.

    Attributes:
        tag: What the column holds (``email``, ``national_id``, ``unclassified``).
        kind: How it is masked.
        argument: Per kind: `bucket` its width (``1000``, ``year``), `partial` its form (``last4``,
            ``domain``, ``initial``, ``year``), else "".
    """

    relation: str
    column: str
    tag: str
    kind: MaskKind
    argument: str = ""


LeastMasks = tuple[tuple[str, MaskKind], ...]
"""(tag, least mask) for columns of that tag, sorted; a stricter mask stays."""


def strictest(one: MaskKind, other: MaskKind) -> MaskKind:
    """The stricter of two."""
    order = tuple(MaskKind)
    return min(one, other, key=order.index)


def strictened(
    masks: Mapping[str, Mapping[str, ColumnMask]], least: LeastMasks
) -> Mapping[str, Mapping[str, ColumnMask]]:
    """Relation -> column -> mask, with at least these masks."""
    asked = dict(least)

    def of(mask: ColumnMask) -> ColumnMask:
        kind = strictest(mask.kind, asked.get(mask.tag, mask.kind))
        return mask if kind is mask.kind else replace(mask, kind=kind, argument="")

    return {
        relation: {name: of(mask) for name, mask in columns.items()}
        for relation, columns in masks.items()
    }
