"""Allow, hold or deny, with reasons, the policies that determined it, and obligations."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from jupyter_zt.model.masks import LeastMasks, MaskKind, strictest


class Verdict(StrEnum):
    """The three answers of policy."""

    ALLOW = "allow"
    HOLD = "hold"
    DENY = "deny"


class Obligation(StrEnum):
    """Kinds of obligation: who asks for a decision says which it carries out."""

    HOLD = "hold"
    MAX_ROWS = "max_rows"
    MASK = "mask"
    STEP_UP = "step_up"


@dataclass(frozen=True, slots=True)
class Obligations:
    """What must happen before, or with, an allowed action.

    Attributes:
        reviewer_role: Role whose members may approve ("" when nothing is held).
        quorum: How many distinct people must approve.
        max_rows: Rows after which the result is cut; 0 for no limit besides the connection's.
        masks: (tag, least mask) for columns of that tag, sorted; a stricter mask stays.
        step_up_seconds: The person's login must be at most so old; 0 when its age does not matter.
    """

    reviewer_role: str = ""
    quorum: int = 0
    max_rows: int = 0
    masks: LeastMasks = ()
    step_up_seconds: int = 0

    @property
    def kinds(self) -> frozenset[Obligation]:
        """Which kinds there are."""
        asked = {
            Obligation.HOLD: self.quorum,
            Obligation.MAX_ROWS: self.max_rows,
            Obligation.MASK: self.masks,
            Obligation.STEP_UP: self.step_up_seconds,
        }
        return frozenset(kind for kind, value in asked.items() if value)

    def merge(self, other: Obligations) -> Obligations:
        """Both at once: of each kind the strictest.

        Raises:
            ValueError: They ask for reviewers of different roles, and neither can stand in for the
                other.
        """
        roles = {role for role in (self.reviewer_role, other.reviewer_role) if role}
        if len(roles) > 1:
            raise ValueError("reviewers of different roles")
        masks: dict[str, MaskKind] = {}
        for tag, kind in (*self.masks, *other.masks):
            masks[tag] = strictest(kind, masks.get(tag, kind))
        return Obligations(
            reviewer_role=next(iter(roles), ""),
            quorum=max(self.quorum, other.quorum),
            max_rows=_least(self.max_rows, other.max_rows),
            masks=tuple(sorted(masks.items())),
            step_up_seconds=_least(self.step_up_seconds, other.step_up_seconds),
        )

    def to_json(self) -> dict[str, object]:
        """Plain JSON of what is asked for: numbers as strings."""
        asked = {
            "reviewer_role": self.reviewer_role,
            "quorum": str(self.quorum or ""),
            "max_rows": str(self.max_rows or ""),
            "masks": {tag: kind.value for tag, kind in self.masks},
            "step_up_seconds": str(self.step_up_seconds or ""),
        }
        return {name: value for name, value in asked.items() if value}

    def covers(self, other: Obligations) -> bool:
        """Whether this asks for everything that `other` asks for, or more."""
        try:
            return self.merge(other) == self
        except ValueError:
            return False


def _least(one: int, other: int) -> int:
    """The smaller of two limits, where 0 is none."""
    return min((limit for limit in (one, other) if limit), default=0)


@dataclass(frozen=True, slots=True)
class Remedy:
    """What would pass instead, for a person and for a program.

    Attributes:
        kind: ``add_where``, ``name_columns``, ``add_limit``, ``one_statement``, ``no_analyze``,
            ``request_grant``, ``fix_syntax``, ``listed_functions``.
        text: One sentence.
        command: The command rewritten, which the same policies allow or hold; "" where none is
            known to be safe.
    """

    kind: str
    text: str
    command: str = ""

    def to_json(self) -> dict[str, str]:
        """Plain JSON."""
        plain = {"kind": self.kind, "text": self.text}
        return {**plain, "command": self.command} if self.command else plain


@dataclass(frozen=True, slots=True)
class Decision:
    """What policy decided about one action.

    Attributes:
        code: Stable refusal code, lower snake case; "" for allow.
        message: One sentence for the requester; "" for allow.
        hint: What would pass, or "".
        reasons: The determining policies' own reasons, in policy order.
        policies: Ids of the policies that determined it.
        policy_digest: Hex SHA-256 of the policy set that decided.
        remedies: What would pass instead of a refused action.
    """

    verdict: Verdict
    policy_digest: str
    code: str = ""
    message: str = ""
    hint: str = ""
    reasons: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()
    obligations: Obligations = Obligations()
    remedies: tuple[Remedy, ...] = ()

    def to_json(self) -> dict[str, object]:
        """Plain JSON, obligations and all; numbers as strings.

        What was first there stands in every one; later obligations only where there is one.
        """
        asked = self.obligations
        plain: dict[str, object] = {
            "verdict": self.verdict.value,
            "code": self.code,
            "message": self.message,
            "hint": self.hint,
            "reasons": list(self.reasons),
            "policies": list(self.policies),
            "policy_digest": self.policy_digest,
            "reviewer_role": asked.reviewer_role,
            "quorum": str(asked.quorum),
        }
        if asked.max_rows:
            plain["max_rows"] = str(asked.max_rows)
        if asked.masks:
            plain["masks"] = {tag: kind.value for tag, kind in asked.masks}
        if asked.step_up_seconds:
            plain["step_up_seconds"] = str(asked.step_up_seconds)
        if self.remedies:
            plain["remedies"] = [remedy.to_json() for remedy in self.remedies]
        return plain
