"""The decision: Cedar policies over facts.

Default deny; a forbid wins over every permit; of several permits the strictest obligations hold.
Before Cedar is asked, a command that is not one understood statement is refused, whatever the
policies say. Nothing here raises once a set is loaded: what goes wrong is a denial.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import cedarpy

from jupyter_zt.errors import ConfigError
from jupyter_zt.model import (
    ROLES,
    Action,
    ColumnMask,
    Decision,
    Facts,
    History,
    Obligation,
    Principal,
    Verdict,
)
from jupyter_zt.policy.cedar import Question, ask, ask_many, parse, validate
from jupyter_zt.policy.patterns import PATTERNS_FILE, Patterns
from jupyter_zt.policy.postgres import analyze_postgres
from jupyter_zt.policy.refusals import details, misunderstood
from jupyter_zt.policy.remedies import with_remedies
from jupyter_zt.policy.review import review
from jupyter_zt.policy.rules import Rule, read_rules
from jupyter_zt.policy.tags import with_tags
from jupyter_zt.policy.verdicts import consent, denial, failure, undeliverable
from jupyter_zt.policy.words import KINDS

__all__ = ["KINDS", "NOTHING_KNOWN", "Classified", "PolicySet", "policy_files"]

Classified = Mapping[str, Mapping[str, Mapping[str, ColumnMask]]]
"""Connection -> relation -> column -> mask, of those connections that are classified."""

NOTHING_KNOWN: Classified = {}
_CACHED_DECISIONS = 4096
_DIGEST_DOMAIN = b"jupyter-zt policy set v1\n"


class PolicySet:
    """A loaded, validated set of policies. Immutable, safe to share between threads.

    To reload is to load another one: either it is right as a whole, or `ConfigError` is raised and
    the one at hand stays in use.

    Attributes:
        digest: Hex SHA-256 over the exact bytes of its files, names and lengths included.
        rules: Its rules, in the order of files and lines.
        asks_estimates: Whether a rule looks at `estimated_rows`.
    """

    def __init__(
        self,
        files: Mapping[str, bytes],
        connections: Collection[str],
        roles: Collection[str] = ROLES,
        classified: Classified = NOTHING_KNOWN,
    ) -> None:
        """Read, check and validate.

        Args:
            files: File name -> exact bytes: policies, and `patterns.yaml` where there is one.
            connections: Names of the configured connections; a policy may name no other.
            roles: Roles that exist.
            classified: What is known of the connections' columns. Policies may name no other
                relation or column of theirs; actions get the tags of what they touch.

        Raises:
            ConfigError: With file and line of the first thing that is wrong.
        """
        self.digest = _digest(files)
        policies = {name: text for name, text in files.items() if not _is_patterns(name)}
        patterns = next((name for name in files if _is_patterns(name)), None)
        self._patterns = (
            Patterns({}) if patterns is None else Patterns.read(patterns, files[patterns])
        )
        self.rules = tuple(read_rules(policies, roles))
        if not self.rules:
            raise ConfigError(
                "There is no policy in this set, so that everything would be denied.",
                file=", ".join(sorted(policies)),
                hint="Start from the demo's policy (jupyter_zt/policy/packs/demo.cedar).",
            )
        for rule in self.rules:
            validate(rule, connections, roles)
        review(self.rules, classified, self._patterns.names)
        self.asks_estimates = any("estimated_rows" in str(rule.policy) for rule in self.rules)
        self._classified = classified
        self._by_id = {rule.id: rule for rule in self.rules}
        self._order = {rule.id: place for place, rule in enumerate(self.rules)}
        self._cedar = parse(self.rules)
        self._decide_cached = lru_cache(maxsize=_CACHED_DECISIONS)(self._decide)

    @classmethod
    def load(
        cls,
        directory: Path,
        connections: Collection[str],
        roles: Collection[str] = ROLES,
        classified: Classified = NOTHING_KNOWN,
    ) -> PolicySet:
        """Load every ``*.cedar`` file of a folder, and its `patterns.yaml`; or a single file.

        Args:
            directory: The folder; it is not searched deeper.
            connections: Names of the configured connections.
            roles: Roles that exist.
            classified: What is known of the connections' columns.

        Raises:
            ConfigError: The folder or a file can't be read, holds no policy, or one that is wrong.
        """
        try:
            paths = [directory] if directory.is_file() else policy_files(directory)
            files = {str(path): path.read_bytes() for path in paths}
        except OSError as error:
            raise ConfigError(
                f"The policies can't be read: {error.strerror}.",
                file=str(error.filename or directory),
            ) from error
        if not any(name.endswith(".cedar") for name in files):
            raise ConfigError(
                "There is no *.cedar file in this folder.",
                file=str(directory),
                hint="Start from the demo's policy (jupyter_zt/policy/packs/demo.cedar).",
            )
        return cls(files, connections, roles, classified)

    def noticed(self, action: Action, facts: Facts) -> Facts:
        """The facts, with the tags of what the action touches and the patterns that it matches.

        `decide` does the same; this is for whoever records the facts. Never raises.
        """
        patterns = facts.patterns | self._patterns.found(action.command)
        columns = self._classified.get(action.connection)
        if columns and (facts.relations_read or facts.relations_written):
            facts = with_tags(facts, columns)
        return facts if patterns == facts.patterns else replace(facts, patterns=patterns)

    def decide(
        self,
        principal: Principal,
        action: Action,
        kind: str,
        facts: Facts,
        history: History = History(),  # noqa: B008 (frozen)
        *,
        carries: Collection[Obligation] = frozenset({Obligation.HOLD}),
    ) -> Decision:
        """Allow, hold or deny one action.

        Args:
            principal: Who acts.
            action: The command and its connection.
            kind: Kind of the connection, one of `KINDS`.
            facts: What analysis found in the command.
            history: What the session did before. It can only make the answer stricter.
            carries: Obligations that the caller carries out. What may only be done with another
                one is denied.

        Returns:
            The decision. Whatever fails on the way is a denial with code ``policy_error``.
        """
        try:
            facts = self.noticed(action, facts)
            question = _question(principal, action.connection, kind, facts, history)
            decision = self._decide_cached(question)
            missing = decision.obligations.kinds - frozenset(carries)
            if missing:
                return undeliverable(decision, missing)
            if decision.verdict is not Verdict.DENY:
                return decision

            def judge(command: str) -> tuple[Facts, Decision]:
                found = self.noticed(replace(action, command=command), analyze_postgres(command))
                return found, self._decide_cached(replace(question, facts=found))

            columns = self._classified.get(action.connection, {})
            rewriting = judge if kind == "postgres" else None
            return with_remedies(decision, action.command, facts, columns, rewriting)
        except Exception:  # noqa: BLE001 (fails closed, whatever it is)
            return failure(self.digest)

    def decide_many(
        self, asked: Sequence[tuple[Principal, Action, str, Facts, History]]
    ) -> list[Decision]:
        """Decide many actions at once, as a backtest does; whatever their obligations are.

        Args:
            asked: Principal, action, kind of the connection, facts, and the history before it.

        Returns:
            The decisions in the same order, without remedies.
        """
        questions = [
            _question(who, action.connection, kind, self.noticed(action, facts), history)
            for who, action, kind, facts, history in asked
        ]
        decisions: dict[int, Decision] = {}
        for place, question in enumerate(questions):
            refused = self._before_cedar(question)
            if refused is not None:
                decisions[place] = refused
        left = [place for place in range(len(questions)) if place not in decisions]
        answers = ask_many(self._cedar, [questions[place] for place in left])
        for place, answer in zip(left, answers, strict=True):
            decisions[place] = self._answered(questions[place], answer)
        return [decisions[place] for place in range(len(questions))]

    def _decide(self, question: Question) -> Decision:
        refused = self._before_cedar(question)
        return refused or self._answered(question, ask(self._cedar, question))

    def _before_cedar(self, question: Question) -> Decision | None:
        refused = misunderstood(question.kind, question.facts)
        if refused is None:
            return None
        code, message, hint = refused
        return Decision(Verdict.DENY, self.digest, code=code, message=message, hint=hint)

    def _answered(self, question: Question, answer: cedarpy.AuthzResult) -> Decision:
        if answer.diagnostics.errors:  # Cedar skips a forbid that fails: it might have matched
            return failure(self.digest)
        rules = sorted((self._by_id[name] for name in answer.diagnostics.reasons), key=self._place)
        values = details(question.connection, question.facts)
        told = consent if answer.allowed else denial
        return told(self.digest, rules, question.roles, values)

    def _place(self, rule: Rule) -> int:
        return self._order[rule.id]


def _question(
    principal: Principal, connection: str, kind: str, facts: Facts, history: History
) -> Question:
    human = principal.human
    service = human.subject if human.is_service else None
    return Question(
        human.key, human.roles, principal.agent, service, connection, kind, facts, history
    )


def policy_files(directory: Path) -> list[Path]:
    """The files of a folder that make a set.

    Raises:
        OSError: It can't be read.
    """
    found = sorted(directory.iterdir())
    return [path for path in found if path.suffix == ".cedar" or _is_patterns(path.name)]


def _is_patterns(name: str) -> bool:
    return Path(name).name == PATTERNS_FILE


def _digest(files: Mapping[str, bytes]) -> str:
    """Names and contents are framed by their lengths, so no two sets have one preimage."""
    digest = hashlib.sha256(_DIGEST_DOMAIN)
    for path in sorted(files, key=lambda path: Path(path).name):
        for part in (Path(path).name.encode("utf-8", "surrogateescape"), files[path]):
            digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()
