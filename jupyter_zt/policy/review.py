"""What is wrong with rules that are valid Cedar: said when they are loaded, with file and line.

A word that no fact has, a relation or column that there is not, a rule that can never match, a
rule that another one makes pointless, and a rule that a session's past would make milder.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence

from jupyter_zt.policy.conditions import Atom, Case, Literal, atoms, cases
from jupyter_zt.policy.reach import possible, within
from jupyter_zt.policy.rules import Rule
from jupyter_zt.policy.words import ENUMERATED

__all__ = ["Catalog", "review", "speaks_of_history"]

Catalog = Mapping[str, Mapping[str, Collection[str]]]
"""Connection -> relation -> its columns, of those connections whose relations are known."""

_RELATIONS = frozenset({"context.relations_read", "context.relations_written"})
_COLUMNS = frozenset({"context.columns_read", "context.columns_written"})
_SYSTEM_SCHEMAS = ("pg_", "information_schema")
_SYSTEM_COLUMNS = frozenset({"*", "ctid", "tableoid", "xmin", "xmax", "cmin", "cmax"})
_HISTORY = "context.history"

# How a policy may speak of the past, so that more of it never makes a decision milder.
_GROWING = {
    "true": frozenset({f"{_HISTORY}.touched_sensitive", f"{_HISTORY}.read_untrusted"}),
    "at_least": frozenset({f"{_HISTORY}.refusals"}),
    "contains": frozenset({f"{_HISTORY}.tags"}),
}


def speaks_of_history(rule: Rule) -> bool:
    """Whether a rule looks at the session's past."""
    return any(_is_history(literal.atom) for literal in atoms(rule.policy))


def review(rules: Sequence[Rule], catalog: Catalog, patterns: Collection[str]) -> None:
    """Check rules that have passed Cedar's validation.

    Args:
        rules: In the order of files and lines.
        catalog: What is known of the connections' relations; empty where nothing is.
        patterns: Names of the administrator's patterns.

    Raises:
        ConfigError: With file and line of the first rule at fault.
    """
    possibilities: dict[str, list[Case] | None] = {}
    for rule in rules:
        for literal in atoms(rule.policy):
            _check_word(rule, literal.atom, patterns)
            _check_history(rule, literal)
        if catalog:
            _check_catalog(rule, catalog)
        if rule.effect == "permit" and speaks_of_history(rule) and not rule.obligations.kinds:
            raise rule.error(
                "This permit looks at the session's past and asks for nothing.",
                hint="A permit that looks at context.history only adds its obligations, such as "
                '@hold("reviewer"), to what another permit allows; to refuse, write a forbid.',
            )
        found = cases(rule.policy)
        possibilities[rule.id] = None if found is None else possible(found)
        if possibilities[rule.id] == []:
            raise rule.error(
                "This policy can never match.",
                hint="Its conditions contradict one another, or its action: docs/policy.md, "
                "What loading refuses.",
            )
    for place, rule in enumerate(rules):
        _check_shadow(rule, place, rules, possibilities)


def _check_word(rule: Rule, atom: Atom, patterns: Collection[str]) -> None:
    known: Collection[str] | None = ENUMERATED.get(atom.subject)
    if atom.subject == "context.patterns":
        known = patterns
    said = {"is": [str(atom.value)], "contains": [str(atom.value)]}.get(atom.asks, [])
    if atom.asks == "among":
        said = json.loads(str(atom.value))
    wrong = next((word for word in said if known is not None and word not in known), None)
    if known is None or wrong is None:
        return
    close = difflib.get_close_matches(wrong, known, n=1)
    names = ", ".join(sorted(name for name in known if name)) or "none"
    raise rule.error(
        f'{atom.subject} is never "{wrong}".',
        hint=f'Did you mean "{close[0]}"?' if close else f"There are: {names}.",
    )


def _is_history(atom: Atom) -> bool:
    if atom.asks == "opaque":
        return _looks_back(json.loads(atom.subject))
    return atom.subject in {_HISTORY, "context"} or atom.subject.startswith(_HISTORY + ".")


def _looks_back(expression: object) -> bool:
    """Whether an expression has ``context.history`` in it, or `context` as a whole."""
    if isinstance(expression, list):
        return any(_looks_back(item) for item in expression)
    if not isinstance(expression, dict):
        return False
    if expression == {"Var": "context"}:
        return True
    if "." in expression and expression["."]["left"] == {"Var": "context"}:
        return bool(expression["."]["attr"] == "history")
    return any(_looks_back(value) for value in expression.values())


def _check_history(rule: Rule, literal: Literal) -> None:
    atom = literal.atom
    if not _is_history(atom) or atom.asks == "has":
        return
    grows = literal.holds and atom.subject in _GROWING.get(atom.asks, ())
    shrinks = not literal.holds and atom == Atom("empty", f"{_HISTORY}.tags")
    if not (grows or shrinks):
        raise rule.error(
            "A session's past may only make a policy stricter.",
            hint="Ask for context.history.touched_sensitive, .read_untrusted, .tags.contains(...) "
            "or .refusals >= N, and not for their opposite.",
        )


def _check_catalog(rule: Rule, catalog: Catalog) -> None:
    named = {
        str(literal.atom.value).rpartition("::")[2]
        for literal in atoms(rule.policy)
        if literal.holds and literal.atom.asks == "is" and literal.atom.subject == "resource"
    }
    if named - set(catalog):
        return  # a connection whose relations nobody knows here
    relations: dict[str, set[str]] = {}
    for connection in named or catalog:
        for relation, columns in catalog[connection].items():
            relations.setdefault(relation, set()).update(columns)
    columns = frozenset(column for mine in relations.values() for column in mine)
    for subject, name in _names(rule):
        bare = name.rpartition(".")[2].strip('"')
        if subject in _RELATIONS and name.startswith(_SYSTEM_SCHEMAS):
            continue
        known: Collection[str] = relations if subject in _RELATIONS else columns | _SYSTEM_COLUMNS
        if bare not in known:
            what = "relation" if subject in _RELATIONS else "column"
            close = difflib.get_close_matches(bare, known, n=1)
            where = ", ".join(sorted(named or catalog))
            raise rule.error(
                f'There is no {what} "{name}" in {where}.',
                hint=f'Did you mean "{close[0]}"?' if close else "classification.yaml lists them.",
            )


def _names(rule: Rule) -> Iterator[tuple[str, str]]:
    for literal in atoms(rule.policy):
        atom = literal.atom
        if atom.subject not in _RELATIONS | _COLUMNS:
            continue
        if atom.asks == "contains":
            yield atom.subject, str(atom.value)
        elif atom.asks == "among":
            yield from ((atom.subject, name) for name in json.loads(str(atom.value)))


def _check_shadow(
    rule: Rule,
    place: int,
    rules: Sequence[Rule],
    possibilities: Mapping[str, list[Case] | None],
) -> None:
    mine = possibilities[rule.id]
    if mine is None:
        return
    for other_place, other in enumerate(rules):
        theirs = possibilities[other.id]
        if other is rule or theirs is None or _is_stop(other) or not within(mine, theirs):
            continue
        if why := _pointless(rule, other, earlier=other_place < place):
            raise rule.error(why, hint=f"{other.id} is at {other.file}:{other.line}.")


def _is_stop(rule: Rule) -> bool:
    """Whether a forbid has no condition and is about every action.

    That is how an administrator stops a connection, a person or everything in a hurry, with the
    rules for quieter times left in place: a set that is refused for it would stop nothing.
    """
    scope = rule.policy["action"]["op"] == "All"
    return rule.effect == "forbid" and scope and not rule.policy["conditions"]


def _pointless(rule: Rule, other: Rule, *, earlier: bool) -> str:
    """Why a rule does nothing, given that another one matches wherever it does; "" if it does."""
    if rule.effect == "permit" and other.effect == "forbid":
        return f"This permit has no effect: {other.id} forbids all of it."
    if rule.effect != other.effect:
        return ""
    if rule.effect == "forbid":
        return f"{other.id} forbids all of this already, and comes first." if earlier else ""
    if speaks_of_history(other):
        return ""  # it permits nothing by itself
    if not other.obligations.covers(rule.obligations):
        return ""
    if other.obligations == rule.obligations and not earlier:
        return ""  # of two that say the same, the later one is at fault
    return f"This permit adds nothing: {other.id} permits all of it."
