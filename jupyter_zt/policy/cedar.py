"""Cedar at work: the schema, the request that an action makes, the validation of a rule."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from functools import cache
from importlib import resources

import cedarpy

from jupyter_zt.model import Facts, History, HttpFacts, KubernetesFacts
from jupyter_zt.policy.rules import Rule
from jupyter_zt.policy.words import GROUPS

__all__ = ["Question", "ask", "ask_many", "context_of", "parse", "validate"]


@dataclass(frozen=True, slots=True)
class Question:
    """One action, as it is put to Cedar.

    Attributes:
        human: `Human.key`.
        roles: The human's roles.
        agent: Name of the agent that acts for the human, if one does.
        service: Name of the service that it is instead of a human, if it is one.
        connection: Name of the target.
        kind: Kind of the target.
        facts: What analysis found.
        history: What the session did before.
    """

    human: str
    roles: frozenset[str]
    agent: str | None
    service: str | None
    connection: str
    kind: str
    facts: Facts
    history: History


@cache
def _schema() -> cedarpy.Schema:
    text = resources.files(__package__).joinpath("schema.cedarschema").read_text(encoding="utf-8")
    return cedarpy.Schema.from_str(text)


def parse(rules: Sequence[Rule]) -> cedarpy.PolicySet:
    """Rules as one parsed set, in which Cedar calls each by its `Rule.id`."""
    policies = {rule.id: rule.policy for rule in rules}
    document = {"staticPolicies": policies, "templates": {}, "templateLinks": []}
    return cedarpy.PolicySet.from_json_str(json.dumps(document))


def ask(policies: cedarpy.PolicySet, question: Question) -> cedarpy.AuthzResult:
    """Put one action to Cedar.

    Args:
        policies: From `parse`.
        question: The action.
    """
    return cedarpy.is_authorized(_request(question), policies, _entities_of(question))


def ask_many(
    policies: cedarpy.PolicySet, questions: Sequence[Question]
) -> list[cedarpy.AuthzResult]:
    """Put many actions to Cedar, those of one person and connection at once.

    Args:
        policies: From `parse`.
        questions: The actions.

    Returns:
        The answers, in the order of the questions.
    """
    groups: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for place, it in enumerate(questions):
        groups[it.human, it.roles, it.agent, it.connection, it.kind].append(place)
    answers: dict[int, cedarpy.AuthzResult] = {}
    for places in groups.values():
        requests = [_request(questions[place]) for place in places]
        entities = _entities_of(questions[places[0]])
        found = cedarpy.is_authorized_batch(requests, policies, entities)
        answers.update(zip(places, found, strict=True))
    return [answers[place] for place in range(len(questions))]


def _request(question: Question) -> dict[str, object]:
    return {
        "principal": {"type": "ZT::Human", "id": question.human},
        "action": {"type": "ZT::Action", "id": question.facts.verb.value},
        "resource": {"type": "ZT::Connection", "id": question.connection},
        "context": context_of(question.kind, question.facts, question.history),
    }


def _entities_of(question: Question) -> cedarpy.Entities:
    mine = [
        {
            "uid": {"type": "ZT::Human", "id": question.human},
            "attrs": {
                name: said
                for name, said in (("agent", question.agent), ("service", question.service))
                if said is not None
            },
            "parents": [{"type": "ZT::Role", "id": role} for role in sorted(question.roles)],
        },
        {
            "uid": {"type": "ZT::Connection", "id": question.connection},
            "attrs": {"name": question.connection, "kind": question.kind},
            "parents": [],
        },
    ]
    return _actions().with_added_json_str(json.dumps(mine))


@cache
def _actions() -> cedarpy.Entities:
    groups = [
        {"uid": {"type": "ZT::Action", "id": group}, "attrs": {}, "parents": []} for group in GROUPS
    ]
    verbs = [
        {
            "uid": {"type": "ZT::Action", "id": verb.value},
            "attrs": {},
            "parents": [{"type": "ZT::Action", "id": group}],
        }
        for group, verbs in GROUPS.items()
        for verb in verbs
    ]
    return cedarpy.Entities.from_json_str(json.dumps([*groups, *verbs]), _schema())


def context_of(kind: str, facts: Facts, history: History) -> dict[str, object]:
    """The facts and the session's past, as a policy's `context` has them."""
    optional = {"row_limit": facts.row_limit, "estimated_rows": facts.estimated_rows}
    return {
        "verb": facts.verb.value,
        "plain_read": facts.plain_read,
        "statements": facts.statements,
        "relations_read": sorted(facts.relations_read),
        "relations_written": sorted(facts.relations_written),
        "columns_read": sorted(facts.columns_read),
        "columns_written": sorted(facts.columns_written),
        "functions": sorted(facts.functions),
        "unlisted_functions": sorted(facts.unlisted_functions),
        "volatile_functions": sorted(facts.volatile_functions),
        "restricts": facts.restricts,
        "risks": sorted(risk.value for risk in facts.risks),
        "tags": sorted(facts.tags),
        "patterns": sorted(facts.patterns),
        "connection_kind": kind,
        "http": _NO_HTTP if facts.http is None else _plain(facts.http),
        "kubernetes": _NO_KUBERNETES if facts.kubernetes is None else _plain(facts.kubernetes),
        "history": {
            "tags": sorted(history.tags),
            "touched_sensitive": history.touched_sensitive,
            "read_untrusted": history.read_untrusted,
            "refusals": history.refusals,
        },
        **{name: value for name, value in optional.items() if value is not None},
    }


def _plain(facts: HttpFacts | KubernetesFacts) -> dict[str, object]:
    return {
        field.name: sorted(value) if isinstance(value, frozenset) else value
        for field in fields(facts)
        for value in (getattr(facts, field.name),)
    }


_NO_HTTP = _plain(HttpFacts("", scheme="", port=0, path="", body=""))
_NO_KUBERNETES = _plain(KubernetesFacts(""))


def validate(rule: Rule, connections: Collection[str], roles: Collection[str]) -> None:
    """Check a rule against the schema, and that the connections and roles it names exist.

    Raises:
        ConfigError: With the rule's file and line.
    """
    result = cedarpy.validate_policies(rule.text, _schema())
    if not result.validation_passed:
        message = result.errors[0].error.removeprefix("for policy `policy0`, ")
        hint = "docs/policy.md lists the actions and the facts of a policy."
        raise rule.error(f"{message[:1].upper()}{message[1:]}.", hint=hint)
    for kind, name in _entities(rule.policy):
        known = {"ZT::Connection": connections, "ZT::Role": roles}.get(kind)
        if known is not None and name not in known:
            names = ", ".join(sorted(known))
            raise rule.error(f'There is no {kind}::"{name}".', hint=f"There are: {names}.")


def _entities(value: object) -> list[tuple[str, str]]:
    """Every entity that a policy's JSON form names."""
    found: list[tuple[str, str]] = []
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            if isinstance(item.get("type"), str) and isinstance(item.get("id"), str):
                found.append((item["type"], item["id"]))
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
    return found
