"""How a classified column is shown."""

from __future__ import annotations

from dataclasses import dataclass
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
