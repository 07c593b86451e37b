"""Allow, hold or deny, with reasons, the policies that determined it, and obligations."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """The three answers of policy."""

    ALLOW = "allow"
    HOLD = "hold"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Obligations:
    """What must happen before, or with, an allowed action.

    Attributes:
        reviewer_role: Role whose members may approve ("" when nothing is held).
        quorum: How many distinct people must approve.
    """

    reviewer_role: str = ""
    quorum: int = 0


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
    """

    verdict: Verdict
    policy_digest: str
    code: str = ""
    message: str = ""
    hint: str = ""
    reasons: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()
    obligations: Obligations = Obligations()

    def to_json(self) -> dict[str, object]:
        """Plain JSON, obligations and all; numbers as strings."""
        return {
            "verdict": self.verdict.value,
            "code": self.code,
            "message": self.message,
            "hint": self.hint,
            "reasons": list(self.reasons),
            "policies": list(self.policies),
            "policy_digest": self.policy_digest,
            "reviewer_role": self.obligations.reviewer_role,
            "quorum": str(self.obligations.quorum),
        }
