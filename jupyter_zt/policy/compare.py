"""Two policy sets over the same actions: what would be decided otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jupyter_zt.model import Action, Decision, Facts, History, Principal, Verdict
from jupyter_zt.policy.policy_set import PolicySet

__all__ = ["Asked", "Change", "compare"]

_STRICTNESS = {Verdict.ALLOW: 0, Verdict.HOLD: 1, Verdict.DENY: 2}


@dataclass(frozen=True, slots=True)
class Asked:
    """One action that is put to both sets.

    Attributes:
        kind: Of its connection.
        history: What its session had done before.
    """

    principal: Principal
    action: Action
    kind: str
    facts: Facts
    history: History = History()  # noqa: RUF009 (frozen)

    @property
    def question(self) -> tuple[Principal, Action, str, Facts, History]:
        """As `PolicySet.decide_many` takes it."""
        return self.principal, self.action, self.kind, self.facts, self.history


@dataclass(frozen=True, slots=True)
class Change:
    """An action that the two sets decide differently."""

    asked: Asked
    before: Decision
    after: Decision

    @property
    def direction(self) -> str:
        """``looser``, ``stricter``, or ``reworded`` where only the refusal's code differs."""
        if _is_looser(self.before, self.after):
            return "looser"
        return "stricter" if _is_looser(self.after, self.before) else "reworded"


def compare(before: PolicySet, after: PolicySet, asked: Sequence[Asked]) -> list[Change]:
    """The actions of which verdict, code or obligations differ.

    Args:
        before: The set at hand.
        after: The candidate.
        asked: The actions, in their order.
    """
    questions = [it.question for it in asked]
    both = zip(before.decide_many(questions), after.decide_many(questions), strict=True)
    return [
        Change(it, old, new)
        for it, (old, new) in zip(asked, both, strict=True)
        if (old.verdict, old.code, old.obligations) != (new.verdict, new.code, new.obligations)
    ]


def _is_looser(before: Decision, after: Decision) -> bool:
    """Whether `after` lets more happen, or asks for less."""
    if before.verdict is not after.verdict:
        return _STRICTNESS[after.verdict] < _STRICTNESS[before.verdict]
    return before.verdict is not Verdict.DENY and not after.obligations.covers(before.obligations)
