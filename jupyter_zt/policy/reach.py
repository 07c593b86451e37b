"""What can be concluded about cases: that one can never be, that one lies within another.

Both answers are sound and neither is complete: "never" and "within" hold for every request that
analysis can produce, and silence means nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from jupyter_zt.model import READING_VERBS
from jupyter_zt.policy.conditions import Atom, Case, Literal
from jupyter_zt.policy.words import GROUPS

__all__ = ["possible", "within"]


def _verbs(*groups: str) -> frozenset[str]:
    return frozenset(verb.value for group in groups for verb in GROUPS[group])


_READING = frozenset(verb.value for verb in READING_VERBS)
_SQL = _verbs("read", "inspect", "write", "define", "run")
_KINDS = {
    "postgres": _SQL,
    "mariadb": _SQL,
    "llm": _verbs("model"),
    "http": _verbs("http_read", "http_write"),
    "kubernetes": _verbs("kubernetes_read", "kubernetes_write", "kubernetes_enter"),
}
_WRITTEN = frozenset({"context.relations_written", "context.columns_written"})
_EMPTY_VALUES = frozenset({"", "none", 0})


def possible(cases: Iterable[Case]) -> list[Case]:
    """Those that do not contradict themselves, with the verbs that are left to each."""
    return [narrowed for case in cases if (narrowed := _narrowed(case)) is not None]


def within(inner: Sequence[Case], outer: Sequence[Case]) -> bool:
    """Whether each of the inner cases lies within one of the outer ones.

    Args:
        inner: From `possible`.
        outer: From `possible`.
    """
    return bool(inner) and all(any(_implies(one, other) for other in outer) for one in inner)


def _narrowed(case: Case) -> Case | None:
    verbs = case.verbs
    for literal in case.literals:
        verbs &= _verbs_left(literal)
    # A read is restricted by definition, and only what writes is not.
    unrestricted = Literal(Atom("true", "context.restricts"), holds=False)
    if unrestricted in case.literals:
        verbs -= _READING | _KINDS["http"] | _KINDS["kubernetes"] | _KINDS["llm"]
    if not verbs or any(_refuted(literal, case) for literal in case.literals):
        return None
    return replace(case, verbs=verbs)


def _verbs_left(literal: Literal) -> frozenset[str]:
    """The verbs with which a literal can hold."""
    everything = frozenset[str]().union(*_KINDS.values())
    atom = literal.atom
    if not literal.holds or atom.asks not in {"is", "contains", "true"}:
        return everything
    if atom.asks == "is" and atom.subject == "resource.kind":
        return _KINDS.get(str(atom.value), frozenset())
    if atom == Atom("true", "context.plain_read"):
        return _READING
    if atom.asks == "contains" and atom.subject in _WRITTEN:
        return _SQL - _READING
    for kind in ("http", "kubernetes"):
        if atom.subject.startswith(f"context.{kind}.") and atom.value not in _EMPTY_VALUES:
            return _KINDS[kind]
        if atom.subject.startswith(f"context.{kind}.") and atom.asks == "true":
            return _KINDS[kind]
    return everything


def _refuted(literal: Literal, case: Case) -> bool:
    """Whether the other literals of a case make this one false."""
    return any(_follows(Literal(literal.atom, not literal.holds), other) for other in case.literals)


def _implies(inner: Case, outer: Case) -> bool:
    if not inner.verbs <= outer.verbs:
        return False
    return all(
        any(_follows(wanted, given) for given in inner.literals) or _by_verb(wanted, inner.verbs)
        for wanted in outer.literals
    )


def _by_verb(wanted: Literal, verbs: frozenset[str]) -> bool:
    """Whether a literal holds for all of these verbs, whatever else is so."""
    if wanted == Literal(Atom("true", "context.restricts"), holds=True):
        return verbs <= _READING
    if wanted.atom.asks == "is" and wanted.atom.subject == "resource.kind" and wanted.holds:
        mine = _KINDS.get(str(wanted.atom.value), frozenset())
        return wanted.atom.value in {"http", "kubernetes", "llm"} and verbs <= mine
    return False


def _follows(wanted: Literal, given: Literal) -> bool:
    """Whether `wanted` is so wherever `given` is so."""
    if wanted == given:
        return True
    want, have = wanted.atom, given.atom
    if given == Literal(Atom("true", "context.plain_read"), holds=True):
        none = want.asks == "empty" and wanted.holds
        return want.subject == "context.risks" and (
            none or (want.asks == "contains" and not wanted.holds)
        )
    if want.subject != have.subject:
        return False
    if have.asks == "at_least" and want.asks == "at_least" and wanted.holds == given.holds:
        least, mine = int(want.value), int(have.value)
        return least <= mine if given.holds else least >= mine
    if not given.holds:
        return False
    match have.asks, want.asks:
        case "is", "is":
            return not wanted.holds and want.value != have.value
        case "is", "at_least":
            return isinstance(have.value, int) and (have.value >= int(want.value)) == wanted.holds
        case "contains", "empty":
            return not wanted.holds
        case "empty", "contains":
            return not wanted.holds
    return False
