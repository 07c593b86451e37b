"""Cedar at work: the schema, the request that an action makes, the validation of a rule."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from functools import cache
from importlib import resources

import cedarpy

from jupyter_zt.model import Facts, Verb
from jupyter_zt.policy.rules import Rule

__all__ = ["ask", "parse", "validate", "verbs_of"]

_GROUPS = {
    "read": (Verb.SELECT, Verb.EXPLAIN),
    "inspect": (Verb.SHOW,),
    "write": (Verb.INSERT, Verb.UPDATE, Verb.DELETE, Verb.MERGE),
    "define": (Verb.DDL, Verb.TRUNCATE, Verb.GRANT),
    "run": (Verb.CALL, Verb.COPY, Verb.SET, Verb.TRANSACTION, Verb.UTILITY),
    "model": (Verb.MODEL_CALL,),
}


def verbs_of(action: str) -> frozenset[Verb]:
    """The verbs that an action of a policy stands for: a group's, or the one of that name.

    Raises:
        KeyError: There is no such action.
    """
    verbs = {verb.value: (verb,) for group in _GROUPS.values() for verb in group}
    return frozenset((_GROUPS | verbs)[action])


@cache
def _schema() -> cedarpy.Schema:
    text = resources.files(__package__).joinpath("schema.cedarschema").read_text(encoding="utf-8")
    return cedarpy.Schema.from_str(text)


def parse(rules: Sequence[Rule]) -> cedarpy.PolicySet:
    """Rules as one parsed set, in which Cedar calls each by its `Rule.id`."""
    policies = {rule.id: rule.policy for rule in rules}
    document = {"staticPolicies": policies, "templates": {}, "templateLinks": []}
    return cedarpy.PolicySet.from_json_str(json.dumps(document))


def ask(
    policies: cedarpy.PolicySet,
    human: str,
    roles: frozenset[str],
    agent: str | None,
    connection: str,
    kind: str,
    facts: Facts,
) -> cedarpy.AuthzResult:
    """Put one action to Cedar.

    Args:
        policies: From `parse`.
        human: `Human.key`.
        roles: The human's roles.
        agent: Name of the agent that acts for the human, if one does.
        connection: Name of the target.
        kind: Kind of the target.
        facts: What analysis found.
    """
    person = {"type": "ZT::Human", "id": human}
    target = {"type": "ZT::Connection", "id": connection}
    mine = [
        {
            "uid": person,
            "attrs": {} if agent is None else {"agent": agent},
            "parents": [{"type": "ZT::Role", "id": role} for role in sorted(roles)],
        },
        {"uid": target, "attrs": {"name": connection, "kind": kind}, "parents": []},
    ]
    request = {
        "principal": person,
        "action": {"type": "ZT::Action", "id": facts.verb.value},
        "resource": target,
        "context": _context(kind, facts),
    }
    entities = _actions().with_added_json_str(json.dumps(mine))
    return cedarpy.is_authorized(request, policies, entities)


@cache
def _actions() -> cedarpy.Entities:
    groups = [
        {"uid": {"type": "ZT::Action", "id": group}, "attrs": {}, "parents": []}
        for group in _GROUPS
    ]
    verbs = [
        {
            "uid": {"type": "ZT::Action", "id": verb.value},
            "attrs": {},
            "parents": [{"type": "ZT::Action", "id": group}],
        }
        for group, verbs in _GROUPS.items()
        for verb in verbs
    ]
    return cedarpy.Entities.from_json_str(json.dumps([*groups, *verbs]), _schema())


def _context(kind: str, facts: Facts) -> dict[str, object]:
    return {
        "verb": facts.verb.value,
        "statements": facts.statements,
        "relations_read": sorted(facts.relations_read),
        "relations_written": sorted(facts.relations_written),
        "columns_read": sorted(facts.columns_read),
        "columns_written": sorted(facts.columns_written),
        "functions": sorted(facts.functions),
        "unlisted_functions": sorted(facts.unlisted_functions),
        "restricts": facts.restricts,
        "risks": sorted(risk.value for risk in facts.risks),
        "connection_kind": kind,
    }


def validate(rule: Rule, connections: Collection[str], roles: Collection[str]) -> None:
    """Check a rule against the schema, and that what it names exists.

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
