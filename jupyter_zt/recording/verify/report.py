"""What the verifier says: one verdict for the file, one per cell, and what is not proven."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

__all__ = ["CellVerdict", "Report", "Verdict"]


class Verdict(IntEnum):
    """The file's verdict; its value is the exit status (recording format v1)."""

    VALID = 0
    TAMPERED = 1
    INCOMPLETE = 2
    UNTRUSTED = 3
    MALFORMED = 4


class CellVerdict(StrEnum):
    """One cell's verdict."""

    MATCH = "MATCH"
    EDITED = "EDITED"
    UNRECORDED = "UNRECORDED"
    MISSING = "MISSING"
    ERASED = "ERASED"


# The worst of what was found decides, in this order.
_WORST_FIRST = (Verdict.MALFORMED, Verdict.TAMPERED, Verdict.UNTRUSTED, Verdict.INCOMPLETE)


@dataclass(slots=True)
class Report:
    """What verification found.

    Attributes:
        cells: (cell id, verdict) in the notebook's order, missing ones last.
        messages: What was found, one sentence each.
        not_proven: What this recording can't prove, one sentence each.
        facts: About the recording, for display: who, session, log, counts.
    """

    cells: list[tuple[str, CellVerdict]] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    not_proven: list[str] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)
    _found: set[Verdict] = field(default_factory=set)

    def add(self, verdict: Verdict, message: str) -> None:
        """Note something that speaks against the recording."""
        self._found.add(verdict)
        self.messages.append(message)

    @property
    def verdict(self) -> Verdict:
        """The worst of what was found; VALID when nothing was."""
        return next((verdict for verdict in _WORST_FIRST if verdict in self._found), Verdict.VALID)

    @property
    def exit_code(self) -> int:
        """Exit status of `jupyter zt verify`."""
        return int(self.verdict)

    def to_json(self) -> dict[str, object]:
        """Plain JSON for `--json`."""
        return {
            "v": "1",
            "verdict": self.verdict.name,
            "exit_code": self.exit_code,
            "cells": [{"id": name, "verdict": verdict.value} for name, verdict in self.cells],
            "messages": list(self.messages),
            "not_proven": list(self.not_proven),
            "recording": dict(self.facts),
        }
