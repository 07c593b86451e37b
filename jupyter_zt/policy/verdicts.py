"""From the rules that determined an answer to a decision in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jupyter_zt.model import Decision, Obligation, Obligations, Remedy, Verdict
from jupyter_zt.policy.refusals import fill
from jupyter_zt.policy.review import speaks_of_history
from jupyter_zt.policy.rules import Rule

__all__ = ["consent", "denial", "failure", "undeliverable"]


def denial(
    digest: str, rules: Sequence[Rule], roles: frozenset[str], values: Mapping[str, str]
) -> Decision:
    """No, and why.

    Args:
        digest: Of the policy set.
        rules: The forbids that matched, in the set's order; none where no permit did.
        roles: Of the person.
        values: What the placeholders of a reason stand for.
    """
    if not rules:
        mine = ", ".join(sorted(roles)) or "none"
        wanted = f"{values['verb']} on {values['connection']}"
        return Decision(
            Verdict.DENY,
            digest,
            code="not_permitted_by_policy",
            message=f"No policy permits {wanted} to your roles ({mine}).",
            hint="Ask an administrator for a role or a policy that permits it.",
            remedies=(
                Remedy("request_grant", f"Ask for a role or a policy that permits {wanted}."),
            ),
        )
    first = rules[0]
    return Decision(
        Verdict.DENY,
        digest,
        code=first.code,
        message=fill(first.reason, values) or f"The policy {first.id} forbids this.",
        hint=fill(first.hint, values),
        reasons=tuple(fill(rule.reason, values) for rule in rules if rule.reason),
        policies=tuple(rule.id for rule in rules),
    )


def consent(
    digest: str, rules: Sequence[Rule], roles: frozenset[str], values: Mapping[str, str]
) -> Decision:
    """Allow, or hold where any permit that matched asks for it: the strictest obligations win.

    A permit that looks at the session's past only adds its obligations: where no other permit
    matched, nothing is permitted. So a longer past never permits more.

    Args:
        digest: Of the policy set.
        rules: The permits that matched, in the set's order.
        roles: Of the person.
        values: What the placeholders of a reason stand for.
    """
    if all(speaks_of_history(rule) for rule in rules):
        return denial(digest, [], roles, values)
    held = [rule for rule in rules if rule.obligations.quorum]
    reasons = tuple(fill(rule.reason, values) for rule in held or rules if rule.reason)
    policies = tuple(rule.id for rule in rules)
    asked = Obligations()
    try:
        for rule in rules:
            asked = asked.merge(rule.obligations)
    except ValueError:
        # One approval has one reviewer role: neither can stand in for the other.
        reviewers = sorted({rule.obligations.reviewer_role for rule in held})
        return Decision(
            Verdict.DENY,
            digest,
            code="conflicting_holds",
            message=f"Policies ask for reviewers of different roles ({', '.join(reviewers)}).",
            hint="Ask an administrator to make these policies name one role: "
            f"{', '.join(rule.id for rule in held)}.",
            reasons=reasons,
            policies=policies,
        )
    if not held:
        return Decision(
            Verdict.ALLOW, digest, reasons=reasons, policies=policies, obligations=asked
        )
    people = "one other person" if asked.quorum == 1 else f"{asked.quorum} other people"
    return Decision(
        Verdict.HOLD,
        digest,
        message=f"This waits for the approval of {people} with the role {asked.reviewer_role}.",
        hint=fill(held[0].hint, values),
        reasons=reasons,
        policies=policies,
        obligations=asked,
    )


def undeliverable(decision: Decision, missing: frozenset[Obligation]) -> Decision:
    """A denial in place of a decision that asks for what nobody here can do."""
    names = ", ".join(sorted(f"@{kind.value}" for kind in missing))
    return Decision(
        Verdict.DENY,
        decision.policy_digest,
        code="obligation_unsupported",
        message=f"Policies allow this with {names} only, which can't be carried out here.",
        hint="Ask an administrator to change these policies: " + ", ".join(decision.policies) + ".",
        reasons=decision.reasons,
        policies=decision.policies,
    )


def failure(digest: str) -> Decision:
    """A denial where the policies could not be evaluated."""
    return Decision(
        Verdict.DENY,
        digest,
        code="policy_error",
        message="The policies could not be evaluated for this command, so it is denied.",
        hint="Tell an administrator: the gateway's policy set needs attention.",
    )
