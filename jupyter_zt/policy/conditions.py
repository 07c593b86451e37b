"""A rule's scope and conditions as plain logic: when would it match?

Cedar's validator checks types; it does not say that a rule can never match, or that another one
takes its place. For that a rule is turned into a disjunction of cases. A case is a set of literals
that must all hold, and the verbs that it leaves possible.

The fragment that is understood: ``&&``, ``||``, ``!``, ``==`` and ``!=`` with a literal, ``<`` and
its kin with a number, ``contains``, ``containsAny`` and ``containsAll`` with literals, ``isEmpty``,
``has``, ``in``, and truth values. Everything else is one opaque atom that may be true or false, so
that whatever is concluded here holds for every request; what is not concluded may still be so.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from jupyter_zt.policy.words import GROUPS

__all__ = ["Atom", "Case", "Literal", "atoms", "cases"]

MAX_CASES = 256
"""Above this many cases nothing is concluded about a rule."""

ALL_VERBS = frozenset(verb.value for verbs in GROUPS.values() for verb in verbs)

Expression = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Atom:
    """One thing that a condition asks.

    Attributes:
        asks: ``is``, ``contains``, ``among``, ``true``, ``empty``, ``has``, ``in``, ``at_least``
            or ``opaque``.
        subject: What it asks about: ``context.verb``, ``resource``; an opaque one in full.
        value: What with: a text, a number, an entity as JSON; "" where there is none.
    """

    asks: str
    subject: str
    value: str | int | bool = ""


@dataclass(frozen=True, slots=True)
class Literal:
    """An atom, or its negation."""

    atom: Atom
    holds: bool


@dataclass(frozen=True, slots=True)
class Case:
    """One way for a rule to match: every literal holds, and the verb is one of these."""

    literals: frozenset[Literal]
    verbs: frozenset[str] = ALL_VERBS


# A formula in negation normal form: ("and" | "or", parts), or a literal, or a truth value.
Formula = tuple[str, tuple[Any, ...]] | Literal | bool


def cases(policy: Expression) -> list[Case] | None:
    """The cases in which a rule matches.

    Args:
        policy: Cedar's JSON form of it.

    Returns:
        None where there are too many to look at. Cases that contradict themselves are among them.
    """
    return _cases(formula(policy))


def atoms(policy: Expression) -> Iterator[Literal]:
    """Every literal of a rule, with the sign it has once negations are moved inwards."""
    stack = [formula(policy)]
    while stack:
        item = stack.pop()
        if isinstance(item, Literal):
            yield item
        elif isinstance(item, tuple):
            stack.extend(item[1])


def formula(policy: Expression) -> Formula:
    """Scope and conditions of a rule as one formula."""
    scopes = [_scope(name, policy[name]) for name in _SCOPES]
    conditions = [
        _formula(condition["body"], holds=condition["kind"] == "when")
        for condition in policy["conditions"]
    ]
    return ("and", (*scopes, *conditions))


_SCOPES = ("principal", "action", "resource")


def _scope(name: str, scope: Expression) -> Formula:
    if scope["op"] == "All":
        return True
    if scope["op"] == "is":
        return Literal(Atom("opaque", json.dumps([name, scope], sort_keys=True)), holds=True)
    entities = scope.get("entities", [scope.get("entity")])
    return ("or", tuple(_membership(name, scope["op"], entity) for entity in entities))


def _membership(name: str, operator: str, entity: Expression) -> Formula:
    if name == "action":
        verbs = [verb.value for verb in GROUPS.get(entity["id"], ())]
        chosen = verbs if operator == "in" and verbs else [entity["id"]]
        return (
            "or",
            tuple(Literal(Atom("is", "context.verb", verb), holds=True) for verb in chosen),
        )
    named = f"{entity['type']}::{entity['id']}"
    asks = "is" if operator == "==" or name == "resource" else "in"
    return Literal(Atom(asks, name, named), holds=True)


def _formula(body: Expression, *, holds: bool) -> Formula:
    operator, value = next(iter(body.items()))
    match operator:
        case "&&" | "||":
            joined = "and" if (operator == "&&") == holds else "or"
            sides = (value["left"], value["right"])
            return (joined, tuple(_formula(side, holds=holds) for side in sides))
        case "!":
            return _formula(value["arg"], holds=not holds)
        case "Value" if isinstance(value, bool):
            return value is holds
        case "!=":
            return _formula({"==": value}, holds=not holds)
    found = _asked(operator, value)
    return found if holds else _negated(found)


def _asked(operator: str, value: Any) -> Formula:
    """What a condition without a connective asks; opaque where it is not of the fragment."""
    match operator:
        case "==":
            return _equality(value)
        case ">=" | ">" | "<" | "<=":
            return _bound(operator, value)
        case "." if subject := _path({operator: value}):
            return Literal(Atom("true", _common(subject)), holds=True)
        case "has" if subject := _path(value["left"]):
            return Literal(Atom("has", subject, str(value["attr"])), holds=True)
        case "isEmpty" if subject := _path(value["arg"]):
            return Literal(Atom("empty", subject), holds=True)
        case "contains" | "containsAny" | "containsAll":
            return _containment(operator, value)
        case "in":
            return _within(value)
    return _opaque(operator, value)


def _opaque(operator: str, value: Any) -> Formula:
    return Literal(Atom("opaque", json.dumps({operator: value}, sort_keys=True)), holds=True)


def _equality(value: Expression) -> Formula:
    for left, right in ((value["left"], value["right"]), (value["right"], value["left"])):
        subject, given = _path(left), _value(right)
        if not subject or given is None:
            continue
        if isinstance(given, bool):
            return Literal(Atom("true", _common(subject)), holds=given)
        if subject == "action":
            verb = str(given).rpartition("::")[2]
            return Literal(Atom("is", "context.verb", verb), holds=True)
        if subject == "resource.name":
            return Literal(Atom("is", "resource", f"ZT::Connection::{given}"), holds=True)
        return Literal(Atom("is", _common(subject), given), holds=True)
    return _opaque("==", value)


def _bound(operator: str, value: Expression) -> Formula:
    subject, number = _path(value["left"]), _value(value["right"])
    if not subject:
        subject, number = _path(value["right"]), _value(value["left"])
        operator = {">": "<", "<": ">", ">=": "<=", "<=": ">="}[operator]
    if not subject or not isinstance(number, int) or isinstance(number, bool):
        return _opaque(operator, value)
    least = number + 1 if operator in {">", "<="} else number
    return Literal(Atom("at_least", subject, least), holds=operator in {">", ">="})


def _containment(operator: str, value: Expression) -> Formula:
    subject, listed = _path(value["left"]), value["right"].get("Set")
    if operator == "contains":
        given = _value(value["right"])
        if subject and given is not None:
            return Literal(Atom("contains", subject, given), holds=True)
        choices, asked = value["left"].get("Set"), _path(value["right"])
        values = [_value(item) for item in choices or []]
        if asked and choices is not None and None not in values:
            each = (Literal(Atom("is", _common(asked), item), holds=True) for item in values)  # type: ignore[arg-type]
            return ("or", tuple(each))
        return _opaque(operator, value)
    if operator == "containsAll" and (among := _among(value)):
        return among
    values = [_value(item) for item in listed or []]
    if not subject or listed is None or None in values:
        return _opaque(operator, value)
    each = (Literal(Atom("contains", subject, item), holds=True) for item in values)  # type: ignore[arg-type]
    return ("or" if operator == "containsAny" else "and", tuple(each))


def _among(value: Expression) -> Formula | None:
    """``["a", "b"].containsAll(context.relations_read)``: nothing else is in it."""
    asked, choices = _path(value["right"]), value["left"].get("Set")
    names = [_value(item) for item in choices or []]
    if not asked or choices is None or not all(isinstance(name, str) for name in names):
        return None
    return Literal(Atom("among", asked, json.dumps(sorted(map(str, names)))), holds=True)


def _within(value: Expression) -> Formula:
    subject, right = _path(value["left"]), value["right"]
    listed = [item.get("Value", {}) for item in right.get("Set", [right])]
    found = [item.get("__entity") if isinstance(item, dict) else None for item in listed]
    entities = [entity for entity in found if entity]
    if subject not in _SCOPES or len(entities) != len(found):
        return _opaque("in", value)
    return ("or", tuple(_membership(subject, "in", entity) for entity in entities))


def _negated(item: Formula) -> Formula:
    if isinstance(item, bool):
        return not item
    if isinstance(item, Literal):
        return Literal(item.atom, not item.holds)
    return ("or" if item[0] == "and" else "and", tuple(_negated(part) for part in item[1]))


def _path(expression: Expression) -> str:
    """``context.http.path`` of an expression that is one; "" for anything else."""
    names: list[str] = []
    while "." in expression:
        names.append(str(expression["."]["attr"]))
        expression = expression["."]["left"]
    if "Var" not in expression:
        return ""
    return ".".join([str(expression["Var"]), *reversed(names)])


def _common(subject: str) -> str:
    """One name for what can be said in two ways."""
    return "resource.kind" if subject == "context.connection_kind" else subject


def _value(expression: Expression) -> str | int | bool | None:
    value = expression.get("Value")
    if isinstance(value, dict):
        entity = value.get("__entity")
        return f"{entity['type']}::{entity['id']}" if entity else None
    return value if isinstance(value, str | int | bool) else None


def _cases(item: Formula) -> list[Case] | None:
    if isinstance(item, bool):
        return [Case(frozenset())] if item else []
    if isinstance(item, Literal):
        return [_case(item)]
    below = [_cases(part) for part in item[1]]
    if any(part is None for part in below):
        return None
    if item[0] == "or":
        joined = [case for part in below for case in part or []]
        return joined if len(joined) <= MAX_CASES else None
    found = [Case(frozenset())]
    for part in below:
        found = [
            Case(one.literals | other.literals, one.verbs & other.verbs)
            for one, other in product(found, part or [])
        ]
        found = list(dict.fromkeys(found))
        if len(found) > MAX_CASES:
            return None
    return found


def _case(literal: Literal) -> Case:
    atom = literal.atom
    if atom.asks == "is" and atom.subject == "context.verb":
        mine = frozenset({str(atom.value)})
        return Case(frozenset(), mine if literal.holds else ALL_VERBS - mine)
    return Case(frozenset({literal}))
