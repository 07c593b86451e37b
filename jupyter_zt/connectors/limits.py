"""How much one action may bring back, and how long it may take."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one action.

    Attributes:
        max_rows: A longer result is cut after exactly so many rows.
        max_bytes: A larger one is cut at the last row that fits (Arrow buffers, uncompressed).
        statement_seconds: From the start until the last row has left the target.
    """

    max_rows: int = 1_000_000
    max_bytes: int = 1 << 30
    statement_seconds: float = 120
