"""One pass over a query's syntax tree that gathers everything facts are made of.

The walk keeps its own stack, so that no nesting can exhaust Python's. Every node type is either
known here or makes the command unknown.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from jupyter_zt.model import Risk, Verb
from jupyter_zt.policy import postgres_lists as lists
from jupyter_zt.policy.postgres_families import risks_of
from jupyter_zt.policy.postgres_tree import (
    QUERY_NODES,
    Json,
    children,
    identifier,
    names_of,
    unwrap,
)
from jupyter_zt.policy.postgres_where import restricts

__all__ = ["MAX_DEPTH", "Findings", "walk"]

MAX_DEPTH = 500
"""Deepest nesting of syntax nodes that is still looked at."""

_DML = {
    "InsertStmt": Verb.INSERT,
    "UpdateStmt": Verb.UPDATE,
    "DeleteStmt": Verb.DELETE,
    "MergeStmt": Verb.MERGE,
}

# Kinds of A_Expr whose operator the grammar itself chooses.
_BETWEEN = frozenset(
    {"AEXPR_BETWEEN", "AEXPR_NOT_BETWEEN", "AEXPR_BETWEEN_SYM", "AEXPR_NOT_BETWEEN_SYM"}
)

Scope = frozenset[str]
"""Names of the common table expressions that can be seen."""


@dataclass(slots=True)
class Findings:
    """What a walk found; the fields are those of `Facts`."""

    verbs: set[Verb] = field(default_factory=set)
    relations_read: set[str] = field(default_factory=set)
    relations_written: set[str] = field(default_factory=set)
    columns_read: set[str] = field(default_factory=set)
    columns_written: set[str] = field(default_factory=set)
    functions: set[str] = field(default_factory=set)
    unlisted: set[str] = field(default_factory=set)
    volatile: set[str] = field(default_factory=set)
    risks: set[Risk] = field(default_factory=set)
    restricts: bool = True
    unknown: str = ""
    aliases: set[str] = field(default_factory=set)
    lone_names: set[str] = field(default_factory=set)

    def call(self, name: str, *, listed: bool) -> None:
        """Note a function or operator that is called."""
        self.functions.add(name)
        if not listed:
            self.unlisted.add(name)
            self.risks.add(Risk.UNLISTED_FUNCTION)
            self.risks |= risks_of(name)
        elif name in lists.VOLATILE:
            self.volatile.add(name)


def walk(kind: str, node: Json, findings: Findings) -> None:
    """Gather what one statement does into `findings`.

    Args:
        kind: Node type of the statement.
        node: Its fields.
        findings: Added to.
    """
    stack: list[tuple[str, Json, Scope, int]] = [(kind, node, frozenset(), 0)]
    while stack:
        kind, node, scope, depth = stack.pop()
        if kind not in QUERY_NODES:
            findings.unknown = f"it holds a part that is not understood ({kind or 'unnamed'})"
            return
        if depth > MAX_DEPTH:
            findings.unknown = "it is nested too deeply"
            return
        scope, below = _with_clause(node, scope, depth)
        stack.extend(below)
        if kind in _DML:
            _write(kind, node, scope, depth, findings)
        skip = _SKIPPED.get(kind, _NOTHING)
        look = _LOOKS.get(kind)
        if look is not None:
            look(node, scope, findings)
        for name, child_kind, child in children(kind, node):
            if name not in skip and name != "withClause":
                stack.append((child_kind, child, scope, depth + 1))
    if findings.lone_names & findings.aliases:
        findings.columns_read.add("*")  # a whole row: select u from users u


def _with_clause(
    node: Json, scope: Scope, depth: int
) -> tuple[Scope, list[tuple[str, Json, Scope, int]]]:
    """What a WITH adds: the scope of the statement's body, and the queries to walk with theirs.

    Without RECURSIVE a query sees only those before it (PostgreSQL manual, SELECT, WITH clause):
    ``with t as (select * from t) select * from t`` reads a real t.
    """
    clause = node.get("withClause")
    if not clause:
        return scope, []
    queries = [unwrap(item)[1] for item in clause.get("ctes", [])]
    everything = scope | {query.get("ctename", "") for query in queries}
    seen = everything if clause.get("recursive") else scope
    below: list[tuple[str, Json, Scope, int]] = []
    for query in queries:
        below.append(("CommonTableExpr", query, seen, depth + 1))
        seen |= {query.get("ctename", "")}
    return everything, below


def _write(kind: str, node: Json, scope: Scope, depth: int, findings: Findings) -> None:
    """INSERT, UPDATE, DELETE or MERGE, at the top or inside WITH."""
    findings.verbs.add(_DML[kind])
    relation = node.get("relation", {})
    parts = _parts(relation)
    findings.relations_written.add(identifier(parts))
    findings.aliases.add(relation.get("alias", {}).get("aliasname") or parts[-1])
    if lists.is_system(*_schema_and_name(parts)):
        findings.risks.add(Risk.CATALOG)
    if depth:
        findings.risks.add(Risk.SIDE_EFFECT)
    if not restricts(kind, node, scope):
        findings.restricts = False
        findings.risks.add(Risk.UNBOUNDED)
    targets = [*node.get("cols", []), *(node.get("targetList", []) if kind == "UpdateStmt" else [])]
    _set_columns(targets, findings)


def _set_columns(targets: list[Json], findings: Findings) -> None:
    for target in targets:
        findings.columns_written.add(str(unwrap(target)[1].get("name", "")))


def _parts(relation: Json) -> list[str]:
    parts = (relation.get("catalogname"), relation.get("schemaname"), relation.get("relname", ""))
    return [part for part in parts if part is not None]


def _schema_and_name(parts: list[str]) -> tuple[str, str]:
    return (parts[-2] if len(parts) > 1 else ""), parts[-1]


def _range_var(node: Json, scope: Scope, findings: Findings) -> None:
    parts = _parts(node)
    findings.aliases.add(node.get("alias", {}).get("aliasname") or parts[-1])
    if len(parts) == 1 and parts[0] in scope:
        return
    findings.relations_read.add(identifier(parts))
    if lists.holds_data(*_schema_and_name(parts)):
        findings.risks.add(Risk.CATALOG)


def _into(node: Json, _scope: Scope, findings: Findings) -> None:
    findings.verbs.add(Verb.DDL)
    findings.relations_written.add(identifier(_parts(node.get("rel", {}))))


def _lock(_node: Json, _scope: Scope, findings: Findings) -> None:
    findings.risks.add(Risk.LOCK)


def _returning(_node: Json, _scope: Scope, findings: Findings) -> None:
    findings.risks.add(Risk.EXFILTRATION)  # as the writing role, which no masked view stands before


def _column(node: Json, _scope: Scope, findings: Findings) -> None:
    names = names_of(node.get("fields"))
    findings.columns_read.add(names[-1])
    if len(names) == 1:
        findings.lone_names.add(names[0])
    else:
        _attribute(names[-1], findings)


def _indirection(node: Json, _scope: Scope, findings: Findings) -> None:
    for name in names_of(node.get("indirection")):
        if name:
            findings.columns_read.add(name)
            _attribute(name, findings)


def _attribute(name: str, findings: Findings) -> None:
    """``t.name`` and ``(x).name`` may be a call of the function `name`."""
    if name in lists.ATTRIBUTE_DENIED:
        findings.call(name, listed=False)
    if name in lists.ATTRIBUTE_ROW:
        findings.columns_read.add("*")


def _function(node: Json, _scope: Scope, findings: Findings) -> None:
    _name(names_of(node.get("funcname")), findings)


def _name(parts: list[str], findings: Findings) -> None:
    if parts[0] == "pg_catalog" and len(parts) > 1:
        parts = parts[1:]  # the grammar itself writes it: trim(x) is pg_catalog.btrim(x)
    listed = len(parts) == 1 and parts[0] in lists.FUNCTIONS
    findings.call(identifier(parts), listed=listed)


def _operator(parts: list[str], findings: Findings) -> None:
    if parts[:-1] in ([], ["pg_catalog"]) and parts[-1] in lists.OPERATORS:
        return
    findings.call(f"operator({'.'.join(parts)})", listed=False)


def _expression(node: Json, _scope: Scope, findings: Findings) -> None:
    if node.get("kind") not in _BETWEEN:
        _operator(names_of(node.get("name")), findings)


def _sublink(node: Json, _scope: Scope, findings: Findings) -> None:
    if node.get("operName"):
        _operator(names_of(node["operName"]), findings)


def _sort(node: Json, _scope: Scope, findings: Findings) -> None:
    if node.get("useOp"):
        _operator(names_of(node["useOp"]), findings)


def _join(node: Json, _scope: Scope, findings: Findings) -> None:
    findings.columns_read.update(names_of(node.get("usingClause")))
    if node.get("isNatural"):
        findings.columns_read.add("*")


def _alias(node: Json, _scope: Scope, findings: Findings) -> None:
    findings.aliases.add(node.get("aliasname", ""))


def _sample(node: Json, _scope: Scope, findings: Findings) -> None:
    method = names_of(node.get("method"))
    if method[-1] not in lists.SAMPLING_METHODS or method[:-1] not in ([], ["pg_catalog"]):
        findings.call(identifier(method), listed=False)


def _on_conflict(node: Json, _scope: Scope, findings: Findings) -> None:
    _set_columns(node.get("targetList", []), findings)


def _merge_when(node: Json, _scope: Scope, findings: Findings) -> None:
    _set_columns(node.get("targetList", []), findings)


_LOOKS = {
    "A_Expr": _expression,
    "A_Indirection": _indirection,
    "Alias": _alias,
    "ColumnRef": _column,
    "FuncCall": _function,
    "IntoClause": _into,
    "JoinExpr": _join,
    "LockingClause": _lock,
    "MergeWhenClause": _merge_when,
    "OnConflictClause": _on_conflict,
    "RangeTableSample": _sample,
    "RangeVar": _range_var,
    "ReturningClause": _returning,
    "SortBy": _sort,
    "SubLink": _sublink,
}

_NOTHING: frozenset[str] = frozenset()

# Fields that the functions above have read already, or that hold constants.
_SKIPPED = {
    "A_Const": frozenset({"ival", "fval", "boolval", "sval", "bsval"}),
    "A_Expr": frozenset({"name"}),
    "ColumnRef": frozenset({"fields"}),
    "DeleteStmt": frozenset({"relation"}),
    "FuncCall": frozenset({"funcname"}),
    "InsertStmt": frozenset({"relation"}),
    "IntoClause": frozenset({"rel"}),
    "JoinExpr": frozenset({"usingClause"}),
    "LockingClause": frozenset({"lockedRels"}),
    "MergeStmt": frozenset({"relation"}),
    "RangeTableSample": frozenset({"method"}),
    "SortBy": frozenset({"useOp"}),
    "SubLink": frozenset({"operName"}),
    "TypeName": frozenset({"names"}),
    "UpdateStmt": frozenset({"relation"}),
}
