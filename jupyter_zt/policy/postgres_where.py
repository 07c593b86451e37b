"""Whether a write's WHERE really restricts it.

The question has no decision procedure, so the answer errs to one side: True only for forms that
are known to leave rows out, False for everything else (``true``, ``id = id``, ``id > 0``,
``name like '%'``, ``a = 1 or a <> 1``, ``id in (select id)``, a comparison that says only what
the rows are *not*). What is refused for it can be said in a form that passes.

A test counts when it compares a column of the written relation with something that is not made of
columns: ``=``, ``IN``, ``LIKE`` with a fixed part, ``IS NULL`` (strong), a bound that is not
trivially met, a boolean column (weak), or with a sub-select that itself restricts. AND needs one
test that counts, OR needs all of them, and no column may stand in two branches of an OR where one
of the tests is weak, because ``a < 5 or a >= 5`` is everything. With FROM or USING, columns must be
qualified, and a test of another relation counts where an equality ties that one to the written
one: otherwise ``from o where o.id = 5`` changes every row.
"""

from __future__ import annotations

from dataclasses import dataclass

from jupyter_zt.policy.postgres_bounds import (
    is_boolean_like,
    leaves_rows_out,
    may_be_both_truths,
    pattern_is_fixed,
)
from jupyter_zt.policy.postgres_from import (
    Relations,
    alias_of,
    conjuncts,
    is_constant,
    nodes,
    relations,
)
from jupyter_zt.policy.postgres_tree import Json, names_of, unwrap

__all__ = ["restricts"]

# Constant within a table, or nearly (PostgreSQL manual, section 5.6).
_SYSTEM_COLUMNS = frozenset({"tableoid", "xmin", "xmax", "cmin", "cmax"})

_NEGATED = {
    "=": "<>", "<>": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">",
    "~~": "!~~", "!~~": "~~", "~~*": "!~~*", "!~~*": "~~*",
}  # fmt: skip
_SWAPPED = {"=": "=", "<": ">", ">": "<", "<=": ">=", ">=": "<="}

# Around a column these keep "equals a constant" a restriction.
_TRANSPARENT_FUNCTIONS = frozenset({"lower", "upper", "btrim"})
_TRANSPARENT_TYPES = frozenset(
    {
        "text", "varchar", "bpchar", "name", "date", "timestamp", "timestamptz", "uuid",
        "int2", "int4", "int8", "numeric", "float4", "float8",
    }
)  # fmt: skip
_PATHS = frozenset({"->", "->>", "#>", "#>>"})

# A select without WITH, grouping, set operation, OFFSET or lock.
_SIMPLE_SELECT = frozenset(
    {
        "targetList", "fromClause", "whereClause", "valuesLists", "distinctClause", "sortClause",
        "limitOption", "op",
    }
)  # fmt: skip

# A LIMIT that a person may still be expected to mean.
_MAX_LIMIT = 10_000


@dataclass(frozen=True, slots=True)
class _Test:
    """A condition that leaves rows out: the columns it looks at, by how."""

    strong: frozenset[str] = frozenset()
    weak: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _View:
    """Whose columns count.

    Attributes:
        counting: Names of the relations of which a test restricts the write.
        alone: Whether there is no other relation, so that an unqualified column is the target's.
        scope: Names of the common table expressions that can be seen.
    """

    counting: frozenset[str]
    alone: bool
    scope: frozenset[str]

    def column(self, expression: Json) -> str:
        """The name of the column that `expression` is, or ""."""
        kind, node = unwrap(expression)
        if kind != "ColumnRef":
            return ""
        names = names_of(node.get("fields"))
        if names[-1] in {"*", ""} or names[-1] in _SYSTEM_COLUMNS:
            return ""
        if len(names) == 1:
            return names[0] if self.alone else ""
        return names[-1] if names[-2] in self.counting else ""


def restricts(kind: str, statement: Json, scope: frozenset[str]) -> bool:
    """Whether a write is restricted to some of the rows.

    Args:
        kind: ``InsertStmt``, ``UpdateStmt``, ``DeleteStmt`` or ``MergeStmt``.
        statement: Its fields.
        scope: Names of the common table expressions that it sees; their rows are not known.

    Returns:
        For INSERT whether what it inserts is bounded. For MERGE whether it only inserts.
    """
    if kind == "InsertStmt":
        _, source = unwrap(statement.get("selectStmt", {}))
        return _source_is_bounded(source, scope)
    if kind == "MergeStmt":
        clauses = [unwrap(clause)[1] for clause in statement.get("mergeWhenClauses", [])]
        return all(c.get("commandType") in {"CMD_INSERT", "CMD_NOTHING"} for c in clauses)
    relation = statement.get("relation", {})
    target = alias_of(relation)
    others = relations(statement.get("fromClause", []) + statement.get("usingClause", []), scope)
    return _where_restricts(statement.get("whereClause"), target, others, scope)


def _source_is_bounded(source: Json, scope: frozenset[str]) -> bool:
    if source.get("op", "SETOP_NONE") != "SETOP_NONE":
        sides = (source.get("larg", {}), source.get("rarg", {}))
        return all(_source_is_bounded(side, scope) for side in sides)
    if not source.get("fromClause"):
        return True
    scope |= {unwrap(query)[1]["ctename"] for query in source.get("withClause", {}).get("ctes", [])}
    limit = source.get("limitCount", {}).get("A_Const", {})
    if "ival" in limit and source.get("limitOption") == "LIMIT_OPTION_COUNT":
        return bool(limit["ival"].get("ival", 0) <= _MAX_LIMIT)
    tables = relations(source["fromClause"], scope)
    return any(
        _where_restricts(source.get("whereClause"), name, tables.without(name), scope)
        for name in tables.base
    )


def _where_restricts(
    where: Json | None, target: str, others: Relations, scope: frozenset[str]
) -> bool:
    """Whether a WHERE, with the conditions of the joins, leaves out rows of `target`."""
    if target in others.names:
        return False
    parts = [part for root in (where, *others.conditions) if root for part in conjuncts(root)]
    known = others.base | others.listed
    tied = frozenset({target})
    for _ in known:
        tied |= {name for part in parts for name in _tie(part, tied)} & known
    if tied & others.listed:
        return True
    view = _View(tied, alone=not others.names, scope=scope)
    return any(_judge(part, view) is not None for part in parts)


def _tie(part: Json, tied: frozenset[str]) -> frozenset[str]:
    """The relations that ``tied.x = other.y`` ties to those that are tied already."""
    kind, node = unwrap(part)
    if kind != "A_Expr" or _operator(node, negated=False) != "=":
        return frozenset()
    owners = []
    for side in ("lexpr", "rexpr"):
        side_kind, column = unwrap(node.get(side, {}))
        names = names_of(column.get("fields")) if side_kind == "ColumnRef" else []
        if len(names) < 2 or names[-1] in _SYSTEM_COLUMNS | {"*"}:
            return frozenset()
        owners.append(names[-2])
    return frozenset(owners) if tied & set(owners) else frozenset()


def _judge(expression: Json, view: _View, *, negated: bool = False) -> _Test | None:
    """The test that a condition (or its negation) amounts to; None where it may hold for all."""
    kind, node = unwrap(expression)
    if kind == "BoolExpr":
        return _boolean(node, view, negated)
    if kind == "A_Const":
        value = node["boolval"].get("boolval", False) if "boolval" in node else not negated
        return _Test() if value == negated else None
    if kind == "ColumnRef":
        name = view.column(expression)
        return _Test(weak=frozenset({name})) if name else None
    if kind == "NullTest":
        name = view.column(node.get("arg", {}))
        is_null = (node.get("nulltesttype", "IS_NULL") == "IS_NULL") != negated
        return _Test(strong=frozenset({name})) if name and is_null else None
    if kind == "BooleanTest" and not negated:
        # IS NOT TRUE and the like hold for NULL too: (id <> null) is not true, everywhere.
        truth = {"IS_TRUE": False, "IS_FALSE": True}.get(node.get("booltesttype", "IS_TRUE"))
        return None if truth is None else _judge(node["arg"], view, negated=truth)
    if kind == "A_Expr":
        return _comparison(node, view, negated)
    if kind == "SubLink" and not negated:
        return _sub_select(node, view)
    return None


def _boolean(node: Json, view: _View, negated: bool) -> _Test | None:  # noqa: FBT001 (a truth value)
    operation = node.get("boolop", "AND_EXPR")
    if operation == "NOT_EXPR":
        return _judge(node["args"][0], view, negated=not negated)
    tests = [_judge(argument, view, negated=negated) for argument in node["args"]]
    if (operation == "AND_EXPR") != negated:
        real = [test for test in tests if test is not None]
        return next((test for test in real if not test.weak), real[0] if real else None)
    return _either(tests)


def _either(tests: list[_Test | None]) -> _Test | None:
    """OR: every branch must restrict, and together they must not cover a column's whole range."""
    strong: frozenset[str] = frozenset()
    weak: frozenset[str] = frozenset()
    for test in tests:
        if test is None or test.weak & (strong | weak) or test.strong & weak:
            return None
        strong |= test.strong
        weak |= test.weak
    return _Test(strong, weak)


def _operator(node: Json, *, negated: bool) -> str:
    """The operator of a comparison as if it were written plainly; "" for what does not count."""
    names = names_of(node.get("name"))
    name = names[-1] if names[:-1] in ([], ["pg_catalog"]) else ""
    kind = node.get("kind", "AEXPR_OP")
    if kind in {"AEXPR_OP", "AEXPR_IN", "AEXPR_LIKE", "AEXPR_ILIKE"}:
        name = _NEGATED.get(name, "") if negated else name
        return f"in {name}" if kind == "AEXPR_IN" else name
    if kind == "AEXPR_OP_ANY" and not negated:
        return f"any {name}"
    if kind in {"AEXPR_DISTINCT", "AEXPR_NOT_DISTINCT"}:
        return "=" if (kind == "AEXPR_DISTINCT") == negated else ""
    if kind in {"AEXPR_BETWEEN", "AEXPR_NOT_BETWEEN"}:
        return "between" if (kind == "AEXPR_BETWEEN") != negated else ""
    return ""


def _comparison(node: Json, view: _View, negated: bool) -> _Test | None:  # noqa: FBT001 (a truth value)
    operator = _operator(node, negated=negated)
    left, right = node.get("lexpr", {}), node.get("rexpr", {})
    items = right.get("List", {}).get("items", [])
    if operator == "between":
        bounds = (_compare(left, ">=", items[0], view), _compare(left, "<=", items[1], view))
        return next((bound for bound in bounds if bound), None)
    if operator == "in =":
        return _in_list(left, items, view)
    if operator == "any =":
        name = _column_in(left, view)
        is_list = bool(name) and is_constant(right) and not may_be_both_truths(right)
        return _Test(strong=frozenset({name})) if is_list else None
    if operator == "=" and "RowExpr" in left and "RowExpr" in right:
        pairs = zip(left["RowExpr"].get("args", []), right["RowExpr"].get("args", []), strict=False)
        tests = (_compare(one, "=", other, view) for one, other in pairs)
        return next((test for test in tests if test), None)
    found = _compare(left, operator, right, view)
    if found is None and operator in _SWAPPED:
        found = _compare(right, _SWAPPED[operator], left, view)
    return found


def _in_list(left: Json, items: list[Json], view: _View) -> _Test | None:
    if "RowExpr" in left:
        rows = [item.get("RowExpr", {}).get("args", []) for item in items]
        columns = [_column_in(part, view) for part in left["RowExpr"].get("args", [])]
        for place, name in enumerate(columns):
            if name and all(len(row) > place and is_constant(row[place]) for row in rows):
                return _Test(strong=frozenset({name}))
        return None
    name = _column_in(left, view)
    if not name or not all(is_constant(item) for item in items):
        return None
    if not all(is_boolean_like(item) for item in items):
        return _Test(strong=frozenset({name}))
    return _Test(weak=frozenset({name})) if len(items) == 1 else None


def _compare(left: Json, operator: str, right: Json, view: _View) -> _Test | None:
    """`left` as the column, `right` as what it is compared with."""
    name = _column_in(left, view)
    if not name:
        return None
    columns = frozenset({name})
    if operator == "=":
        if is_constant(right):
            return _Test(weak=columns) if is_boolean_like(right) else _Test(strong=columns)
        return _Test(strong=columns) if _is_lone_value(right, name, view.scope) else None
    if operator in {"<", "<=", ">", ">="}:
        return _Test(weak=columns) if leaves_rows_out(operator, right) else None
    if operator in {"~~", "~~*"}:
        return _Test(strong=columns) if pattern_is_fixed(right) else None
    return None


def _column_in(expression: Json, view: _View) -> str:
    """The column that an expression is, looking through what keeps its values apart; or ""."""
    while True:
        kind, node = unwrap(expression)
        if kind == "TypeCast":
            if names_of(node.get("typeName", {}).get("names"))[-1] not in _TRANSPARENT_TYPES:
                return ""
            expression = node.get("arg", {})
        elif kind == "CollateClause":
            expression = node.get("arg", {})
        elif kind == "FuncCall":
            arguments = node.get("args", [])
            name = names_of(node.get("funcname"))[-1]
            if name not in _TRANSPARENT_FUNCTIONS or len(arguments) != 1:
                return ""
            expression = arguments[0]
        elif kind == "A_Expr" and names_of(node.get("name"))[-1] in _PATHS:
            if not is_constant(node.get("rexpr", {})):
                return ""
            expression = node.get("lexpr", {})
        else:
            return view.column(expression)


def _is_lone_value(expression: Json, compared: str, scope: frozenset[str]) -> bool:
    """Whether it is a scalar sub-select that does not look at the row it is compared with.

    ``id = (select id)`` and ``id = (select t2.id from t t2 where t2.id = t.id)`` hold everywhere.
    """
    kind, link = unwrap(expression)
    if kind != "SubLink" or link.get("subLinkType") != "EXPR_SUBLINK":
        return False
    _, query = unwrap(link.get("subselect", {}))
    if not set(query) <= _SIMPLE_SELECT | {"limitCount"} or not query.get("fromClause"):
        return False
    tables = relations(query["fromClause"], scope)
    if any(kind == "SubLink" for kind, _ in nodes("SelectStmt", query)):
        return False
    for names in (names_of(node.get("fields")) for node in _columns("SelectStmt", query)):
        if len(names) == 1 and names[0] in {compared, "*"}:
            return False
        if len(names) > 1 and names[-2] not in tables.base:
            return False
    return True


def _sub_select(link: Json, view: _View) -> _Test | None:
    """``column IN (select ...)`` and ``EXISTS (select ...)``."""
    _, query = unwrap(link.get("subselect", {}))
    if not set(query) <= _SIMPLE_SELECT or query.get("op", "SETOP_NONE") != "SETOP_NONE":
        return None
    if link.get("subLinkType") == "EXISTS_SUBLINK":
        return _exists(query, view)
    if link.get("subLinkType") != "ANY_SUBLINK" or names_of(link.get("operName")) not in (
        [],
        ["="],
    ):
        return None
    name = _column_in(link.get("testexpr", {}), view)
    if not name:
        return None
    found = _Test(weak=frozenset({name}))
    tables = relations(query.get("fromClause", []), view.scope)
    if not query.get("fromClause"):
        values = [*query.get("valuesLists", []), *query.get("targetList", [])]
        return found if all(is_constant(value) for value in values) else None
    output = names_of(unwrap(unwrap(query["targetList"][0])[1].get("val", {}))[1].get("fields"))
    if not output:
        return None
    owner = output[-2] if len(output) > 1 else ""
    if not owner:
        # Unqualified, it may be a column of the written relation: id in (select id from other).
        if output[0] == name or len(tables.base) != 1 or tables.listed or tables.derived:
            return None
        owner = next(iter(tables.base))
    if owner not in tables.base:
        return None
    inner = _where_restricts(query.get("whereClause"), owner, tables.without(owner), view.scope)
    return found if inner else None


def _exists(query: Json, view: _View) -> _Test | None:
    """True for some rows only, where its WHERE restricts the written row, or one tied to it."""
    outputs = [node for target in query.get("targetList", []) for node in nodes(*unwrap(target))]
    if any(kind == "FuncCall" for kind, _ in outputs):  # an aggregate makes a row out of nothing
        return None
    tables = relations(query.get("fromClause", []), view.scope)
    where = query.get("whereClause")
    if not tables.names or not any(
        _where_restricts(where, target, tables, view.scope) for target in view.counting
    ):
        return None
    looked_at = (names_of(node.get("fields"))[-1] for node in _columns("SelectStmt", query))
    return _Test(weak=frozenset(looked_at))


def _columns(kind: str, node: Json) -> list[Json]:
    return [child for child_kind, child in nodes(kind, node) if child_kind == "ColumnRef"]
