"""Cases: what a policy set should decide about a command, written beside the policies.

::

    connections: {warehouse: postgres, shop-api: http}
    defaults: {as: {roles: [analyst]}, connection: warehouse}
    cases:
      - name: analysts read
        command: select city from customers
        expect: allow
      - name: an agent's write waits for two people
        as: {roles: [analyst], agent: react}
        command: delete from orders where id = 1
        given: {estimated_rows: 5000, tags: [email], history: {refusals: 2}}
        expect: {verdict: hold, role: reviewer, quorum: 2, policies: [agents-ask-two]}

A notebook's cells that begin with ``%%policy_case NAME`` hold one case each, in the same words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

from jupyter_zt.errors import ConfigError
from jupyter_zt.model import (
    ROLES,
    SERVICES,
    Action,
    Decision,
    Facts,
    History,
    Human,
    Obligation,
    Principal,
    Verdict,
)
from jupyter_zt.policy.analyzers import analyze
from jupyter_zt.policy.http import HttpSurface
from jupyter_zt.policy.policy_set import PolicySet
from jupyter_zt.policy.words import KINDS

__all__ = ["Case", "CaseFile", "Outcome", "Report", "read_cases", "read_cell", "run_cases"]

MAGIC = "%%policy_case"
_EXPECTED = frozenset(
    {
        "verdict", "code", "policies", "role", "quorum", "max_rows", "masks", "step_up_seconds",
        "remedies",
    }
)  # fmt: skip
_KEYS = frozenset({"name", "as", "connection", "kind", "command", "given", "expect"})
_GIVEN = frozenset({"estimated_rows", "tags", "history"})
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,40}")


@dataclass(frozen=True, slots=True)
class Case:
    """One command, who sends it, and what should be decided.

    Attributes:
        file: Where it is written.
        line: 1-based line, or number of the cell in a notebook.
        expect: Name -> value, as far as the case says (`_EXPECTED`).
    """

    name: str
    file: str
    line: int
    command: str
    connection: str
    kind: str
    roles: frozenset[str]
    agent: str | None
    service: str | None
    expect: Mapping[str, Any]
    estimated_rows: int | None = None
    tags: frozenset[str] = frozenset()
    history: History = field(default_factory=History)


@dataclass(frozen=True, slots=True)
class CaseFile:
    """The cases of a file, and the connections that they are about.

    Attributes:
        connections: Name -> kind.
    """

    connections: Mapping[str, str]
    cases: tuple[Case, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a case.

    Attributes:
        problems: What was decided otherwise than expected, one phrase each; empty when it passed.
    """

    case: Case
    facts: Facts
    decision: Decision
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """What became of all cases.

    Attributes:
        uncovered: Ids of the rules that determined no passing case.
    """

    outcomes: tuple[Outcome, ...]
    uncovered: tuple[str, ...]

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """Those that were decided otherwise than expected."""
        return tuple(outcome for outcome in self.outcomes if outcome.problems)


def read_cases(file: str, text: str) -> CaseFile:
    """The cases of a YAML document.

    Args:
        file: What errors call it.
        text: The document.

    Raises:
        ConfigError: With file and line.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise ConfigError(
            "This is not YAML.", file=file, line=mark.line + 1 if mark else 0
        ) from error
    if not isinstance(document, dict) or not isinstance(document.get("cases"), list):
        raise ConfigError("There is no list of cases.", file=file, hint="Write cases: and a list.")
    connections = document.get("connections") or {}
    if not _are_connections(connections):
        kinds = ", ".join(sorted(KINDS))
        hint = f"Write connections: {{warehouse: postgres}}; kinds are {kinds}."
        raise ConfigError("The connections are not understood.", file=file, line=1, hint=hint)
    defaults = document.get("defaults") or {}
    lines = [node.start_mark.line + 1 for node in _items(root)]
    cases = tuple(
        _case(file, line, {**defaults, **item} if isinstance(item, dict) else item, connections)
        for line, item in zip(lines, document["cases"], strict=True)
    )
    return CaseFile(connections, cases)


def read_cell(file: str, number: int, source: str) -> Case | None:
    """The case of a notebook's cell; None where the cell holds none.

    Args:
        file: What errors call the notebook.
        number: Of the cell, from 1.
        source: Its text.

    Raises:
        ConfigError: With file, and the cell as its line.
    """
    first, _, body = source.partition("\n")
    if first.split(" ")[0] != MAGIC:
        return None
    try:
        item = yaml.safe_load(body)
    except yaml.YAMLError as error:
        raise ConfigError("This cell is not YAML.", file=file, line=number) from error
    name = first.removeprefix(MAGIC).strip()
    if isinstance(item, dict) and name:
        item = {"name": name, **item}
    return _case(file, number, item, {})


def run_cases(policies: PolicySet, cases: Sequence[Case]) -> Report:
    """Decide each case and compare.

    Args:
        policies: The set under test.
        cases: To be decided.
    """
    outcomes = tuple(_run(policies, case) for case in cases)
    covered = {name for it in outcomes if not it.problems for name in it.decision.policies}
    uncovered = tuple(rule.id for rule in policies.rules if rule.id not in covered)
    return Report(outcomes, uncovered)


def _are_connections(value: object) -> bool:
    return isinstance(value, dict) and all(
        isinstance(name, str) and _NAME.fullmatch(name) and kind in KINDS
        for name, kind in value.items()
    )


def _items(root: yaml.Node | None) -> list[yaml.Node]:
    for key, value in root.value if isinstance(root, yaml.MappingNode) else []:
        if key.value == "cases" and isinstance(value, yaml.SequenceNode):
            return list(value.value)
    return []


def _case(file: str, line: int, item: object, connections: Mapping[str, str]) -> Case:
    def wrong(message: str, hint: str) -> ConfigError:
        return ConfigError(message, file=file, line=line, hint=hint)

    if not isinstance(item, dict) or set(item) - _KEYS:
        raise wrong("This case is not understood.", f"It has {', '.join(sorted(_KEYS))}.")
    if not isinstance(item.get("command"), str):
        raise wrong("This case has no command.", "Write command: select 1")
    expect = item.get("expect")
    if isinstance(expect, str):
        expect = {"verdict": expect}
    if not isinstance(expect, dict) or set(expect) - _EXPECTED or not expect:
        raise wrong(
            "This case expects nothing that is known.", "Write expect: allow, hold or deny."
        )
    if expect.get("verdict", "deny") not in list(Verdict):
        raise wrong(f"There is no verdict {expect['verdict']!r}.", "allow, hold or deny")
    who = item.get("as") or {}
    given = item.get("given") or {}
    if not isinstance(who, dict) or set(who) - {"roles", "agent", "service"}:
        raise wrong("This case's person is not understood.", "Write as: {roles: [analyst]}.")
    if set(who.get("roles") or []) - set(ROLES):
        raise wrong(
            "This case's person has a role that there is not.", f"Roles: {', '.join(ROLES)}."
        )
    if not isinstance(given, dict) or set(given) - _GIVEN:
        raise wrong("What is given is not understood.", f"It has {', '.join(sorted(_GIVEN))}.")
    connection = str(item.get("connection") or next(iter(connections), "warehouse"))
    return Case(
        name=str(item.get("name") or item["command"].strip().split("\n")[0][:60]),
        file=file,
        line=line,
        command=item["command"],
        connection=connection,
        kind=str(item.get("kind") or connections.get(connection, "postgres")),
        roles=frozenset(who.get("roles") or ()),
        agent=who.get("agent"),
        service=who.get("service"),
        expect=expect,
        estimated_rows=given.get("estimated_rows"),
        tags=frozenset(given.get("tags") or ()),
        history=_history(given.get("history") or {}),
    )


def _history(given: Mapping[str, Any]) -> History:
    return History(
        tags=frozenset(given.get("tags") or ()),
        read_untrusted=bool(given.get("read_untrusted", False)),
        refusals=int(given.get("refusals", 0)),
    )


def _run(policies: PolicySet, case: Case) -> Outcome:
    surface = HttpSurface("https", f"{case.connection}.invalid", 443)
    facts = analyze(case.kind, case.command, surface)
    facts = replace(facts, estimated_rows=case.estimated_rows, tags=facts.tags | case.tags)
    human = Human(SERVICES if case.service else "", case.service or "case", "case", case.roles)
    principal = Principal(human, "", case.agent)
    action = Action("", "", case.connection, case.command)
    facts = policies.noticed(action, facts)
    decision = policies.decide(
        principal, action, case.kind, facts, case.history, carries=frozenset(Obligation)
    )
    return Outcome(case, facts, decision, tuple(_problems(case.expect, decision)))


def _problems(expect: Mapping[str, Any], decision: Decision) -> Iterator[str]:
    asked = decision.obligations
    found: dict[str, object] = {
        "verdict": decision.verdict.value,
        "code": decision.code,
        "role": asked.reviewer_role,
        "quorum": asked.quorum,
        "max_rows": asked.max_rows,
        "masks": {tag: kind.value for tag, kind in asked.masks},
        "step_up_seconds": asked.step_up_seconds,
    }
    for name, wanted in expect.items():
        if name == "policies":
            missing = sorted(set(wanted) - set(decision.policies))
            if missing:
                yield f"not determined by {', '.join(missing)}"
        elif name == "remedies":
            missing = sorted(set(wanted) - {remedy.kind for remedy in decision.remedies})
            if missing:
                yield f"no remedy {', '.join(missing)}"
        elif found[name] != wanted:
            yield f"{name} is {found[name]!r}, not {wanted!r}"
