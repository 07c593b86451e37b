"""What a session has done so far, as far as it makes policy stricter."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from jupyter_zt.model.decision import Verdict
from jupyter_zt.model.facts import Facts


@dataclass(frozen=True, slots=True)
class History:
    """Facts about a session's past. They only ever grow, and policy may only tighten on them.

    Attributes:
        tags: What the data that it touched holds (``email``).
        read_untrusted: Whether it read what a stranger may have written.
        refusals: How many actions were denied.
    """

    tags: frozenset[str] = frozenset()
    read_untrusted: bool = False
    refusals: int = 0

    @property
    def touched_sensitive(self) -> bool:
        """Whether it touched any tagged data."""
        return bool(self.tags)

    def after(self, facts: Facts, verdict: Verdict, *, untrusted: bool = False) -> History:
        """The history once one more action was decided.

        Args:
            facts: Of the action.
            verdict: What became of it. A denied one touched nothing.
            untrusted: Whether what its connection returns may be written by strangers.
        """
        if verdict is Verdict.DENY:
            return replace(self, refusals=self.refusals + 1)
        return replace(
            self, tags=self.tags | facts.tags, read_untrusted=self.read_untrusted or untrusted
        )

    def __le__(self, other: History) -> bool:
        """Whether `other` is as long a past or a longer one."""
        return (
            self.tags <= other.tags
            and self.read_untrusted <= other.read_untrusted
            and self.refusals <= other.refusals
        )

    def to_json(self) -> dict[str, object]:
        """Plain JSON: sets as sorted lists, numbers as strings."""
        return {
            "tags": sorted(self.tags),
            "read_untrusted": self.read_untrusted,
            "refusals": str(self.refusals),
        }


HISTORY_FIELDS = frozenset(field.name for field in fields(History)) | {"touched_sensitive"}
"""Names that a policy can use below ``context.history``."""
