"""The decision: Cedar policies over facts.

Default deny; a forbid wins over every permit; of several permits the strictest obligations hold.
Before Cedar is asked, a command that is not one understood statement is refused, whatever the
policies say. Nothing here raises once a set is loaded: what goes wrong is a denial.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from functools import lru_cache
from pathlib import Path

from jupyter_zt.errors import ConfigError
from jupyter_zt.model import ROLES, Action, Decision, Facts, Obligations, Principal, Verdict
from jupyter_zt.policy.cedar import ask, parse, validate
from jupyter_zt.policy.refusals import details, fill, misunderstood
from jupyter_zt.policy.rules import Rule, read_rules

__all__ = ["KINDS", "PolicySet"]

KINDS = frozenset({"postgres", "llm"})
"""Kinds of connection that there is an analyzer for."""

_CACHED_DECISIONS = 4096
_DIGEST_DOMAIN = b"jupyter-zt policy set v1\n"


class PolicySet:
    """A loaded, validated set of policies. Immutable, safe to share between threads.

    Attributes:
        digest: Hex SHA-256 over the exact bytes of its files, names and lengths included.
        rules: Its rules, in the order of files and lines.
    """

    def __init__(
        self,
        files: Mapping[str, bytes],
        connections: Collection[str],
        roles: Collection[str] = ROLES,
    ) -> None:
        """Read, check and validate.

        Args:
            files: File name -> exact bytes.
            connections: Names of the configured connections; a policy may name no other.
            roles: Roles that exist.

        Raises:
            ConfigError: With file and line of the first thing that is wrong.
        """
        self.digest = _digest(files)
        self.rules = tuple(read_rules(files, roles))
        if not self.rules:
            raise ConfigError(
                "There is no policy in this set, so that everything would be denied.",
                file=", ".join(sorted(files)),
                hint="Start from the demo's policy (jupyter_zt/policy/packs/demo.cedar).",
            )
        for rule in self.rules:
            validate(rule, connections, roles)
        self._by_id = {rule.id: rule for rule in self.rules}
        self._order = {rule.id: place for place, rule in enumerate(self.rules)}
        self._cedar = parse(self.rules)
        self._decide_cached = lru_cache(maxsize=_CACHED_DECISIONS)(self._decide)

    @classmethod
    def load(
        cls, directory: Path, connections: Collection[str], roles: Collection[str] = ROLES
    ) -> PolicySet:
        """Load every ``*.cedar`` file of a folder.

        Args:
            directory: The folder; it is not searched deeper.
            connections: Names of the configured connections.
            roles: Roles that exist.

        Raises:
            ConfigError: The folder or a file can't be read, holds no policy, or one that is wrong.
        """
        try:
            paths = sorted(path for path in directory.iterdir() if path.suffix == ".cedar")
            files = {str(path): path.read_bytes() for path in paths}
        except OSError as error:
            raise ConfigError(
                f"The policies can't be read: {error.strerror}.",
                file=str(error.filename or directory),
            ) from error
        if not files:
            raise ConfigError(
                "There is no *.cedar file in this folder.",
                file=str(directory),
                hint="Start from the demo's policy (jupyter_zt/policy/packs/demo.cedar).",
            )
        return cls(files, connections, roles)

    def decide(self, principal: Principal, action: Action, kind: str, facts: Facts) -> Decision:
        """Allow, hold or deny one action.

        Args:
            principal: Who acts.
            action: The command and its connection.
            kind: Kind of the connection, one of `KINDS`.
            facts: What analysis found in the command.

        Returns:
            The decision. Whatever fails on the way is a denial with code ``policy_error``.
        """
        try:
            human = principal.human
            return self._decide_cached(
                human.key,
                human.roles,
                principal.agent,
                action.connection,
                kind,
                facts,
            )
        except Exception:  # noqa: BLE001 (fails closed, whatever it is)
            return self._error()

    def _decide(
        self,
        human: str,
        roles: frozenset[str],
        agent: str | None,
        connection: str,
        kind: str,
        facts: Facts,
    ) -> Decision:
        refused = misunderstood(kind, facts)
        if kind not in KINDS or refused:
            code, message, hint = refused or _UNKNOWN_KIND
            return Decision(Verdict.DENY, self.digest, code=code, message=message, hint=hint)
        answer = ask(self._cedar, human, roles, agent, connection, kind, facts)
        if answer.diagnostics.errors:  # Cedar skips a forbid that fails: it might have matched
            return self._error()
        rules = sorted((self._by_id[name] for name in answer.diagnostics.reasons), key=self._place)
        values = details(connection, facts)
        if not answer.allowed:
            return self._denial(rules, roles, values)
        return self._consent(rules, values)

    def _place(self, rule: Rule) -> int:
        return self._order[rule.id]

    def _denial(
        self, rules: list[Rule], roles: frozenset[str], values: Mapping[str, str]
    ) -> Decision:
        if not rules:
            mine = ", ".join(sorted(roles)) or "none"
            return Decision(
                Verdict.DENY,
                self.digest,
                code="not_permitted_by_policy",
                message=f"No policy permits {values['verb']} on {values['connection']} "
                f"to your roles ({mine}).",
                hint="Ask an administrator for a role or a policy that permits it.",
            )
        first = rules[0]
        return Decision(
            Verdict.DENY,
            self.digest,
            code=first.code,
            message=fill(first.reason, values) or f"The policy {first.id} forbids this.",
            hint=fill(first.hint, values),
            reasons=tuple(fill(rule.reason, values) for rule in rules if rule.reason),
            policies=tuple(rule.id for rule in rules),
        )

    def _consent(self, rules: list[Rule], values: Mapping[str, str]) -> Decision:
        """Allow, or hold where any permit that matched asks for it: the strictest wins."""
        held = [rule for rule in rules if rule.quorum]
        reasons = tuple(fill(rule.reason, values) for rule in held or rules if rule.reason)
        policies = tuple(rule.id for rule in rules)
        if not held:
            return Decision(Verdict.ALLOW, self.digest, reasons=reasons, policies=policies)
        reviewers = sorted({rule.reviewer_role for rule in held})
        if len(reviewers) > 1:
            # One approval has one reviewer role: neither can stand in for the other.
            return Decision(
                Verdict.DENY,
                self.digest,
                code="conflicting_holds",
                message=f"Policies ask for reviewers of different roles ({', '.join(reviewers)}).",
                hint="Ask an administrator to make these policies name one role: "
                f"{', '.join(rule.id for rule in held)}.",
                reasons=reasons,
                policies=policies,
            )
        quorum = max(rule.quorum for rule in held)
        people = "one other person" if quorum == 1 else f"{quorum} other people"
        return Decision(
            Verdict.HOLD,
            self.digest,
            message=f"This waits for the approval of {people} with the role {reviewers[0]}.",
            hint=fill(held[0].hint, values),
            reasons=reasons,
            policies=policies,
            obligations=Obligations(reviewer_role=reviewers[0], quorum=quorum),
        )

    def _error(self) -> Decision:
        return Decision(
            Verdict.DENY,
            self.digest,
            code="policy_error",
            message="The policies could not be evaluated for this command, so it is denied.",
            hint="Tell an administrator: the gateway's policy set needs attention.",
        )


_UNKNOWN_KIND = (
    "not_understood",
    "There is no analyzer for this kind of connection.",
    "Tell an administrator: the connection's kind in gateway.yaml is not supported.",
)


def _digest(files: Mapping[str, bytes]) -> str:
    """Names and contents are framed by their lengths, so no two sets have one preimage."""
    digest = hashlib.sha256(_DIGEST_DOMAIN)
    for path in sorted(files, key=lambda path: Path(path).name):
        for part in (Path(path).name.encode("utf-8", "surrogateescape"), files[path]):
            digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()
