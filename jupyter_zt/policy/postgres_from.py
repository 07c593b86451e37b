"""The relations of a FROM or USING, by what is known of their rows."""

from __future__ import annotations

from dataclasses import dataclass

from jupyter_zt.policy.postgres_tree import Json, children, unwrap

__all__ = ["Relations", "alias_of", "conjuncts", "is_constant", "nodes", "relations"]


@dataclass(frozen=True, slots=True)
class Relations:
    """Names under which the relations of a FROM can be referred to.

    Attributes:
        base: Tables and views.
        listed: VALUES lists of constants: as many rows as were written down.
        derived: Sub-selects, functions, WITH queries and sides of outer joins: rows unknown, and
            a test of them may be always true (``(select 1 as k) s where s.k = 1``).
        conditions: The ON conditions of inner joins.
    """

    base: frozenset[str] = frozenset()
    listed: frozenset[str] = frozenset()
    derived: frozenset[str] = frozenset()
    conditions: tuple[Json, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        """All of them."""
        return self.base | self.listed | self.derived

    def without(self, name: str) -> Relations:
        """The others."""
        return Relations(self.base - {name}, self.listed, self.derived, self.conditions)

    def __or__(self, other: Relations) -> Relations:
        return Relations(
            self.base | other.base,
            self.listed | other.listed,
            self.derived | other.derived,
            self.conditions + other.conditions,
        )


def relations(items: list[Json], scope: frozenset[str]) -> Relations:
    """Sort the items of a FROM.

    Args:
        items: Its syntax nodes.
        scope: Names of the common table expressions that it sees.
    """
    found = Relations()
    for item in items:
        kind, node = unwrap(item)
        if kind == "RangeVar":
            names = frozenset({alias_of(node)})
            is_query = node.get("relname") in scope and "schemaname" not in node
            found |= Relations(derived=names) if is_query else Relations(base=names)
        elif kind == "JoinExpr":
            found |= _join(node, scope)
        else:
            names = frozenset({str(node.get("alias", {}).get("aliasname", ""))})
            found |= Relations(listed=names) if _is_listed(node) else Relations(derived=names)
    return found


def alias_of(relation: Json) -> str:
    """The name that columns of a RangeVar are qualified with."""
    return str(relation.get("alias", {}).get("aliasname") or relation.get("relname", ""))


def conjuncts(expression: Json) -> list[Json]:
    """The conditions that AND joins at the top."""
    kind, node = unwrap(expression)
    if kind == "BoolExpr" and node.get("boolop", "AND_EXPR") == "AND_EXPR":
        return [part for argument in node["args"] for part in conjuncts(argument)]
    return [expression]


def nodes(kind: str, node: Json) -> list[tuple[str, Json]]:
    """A node and everything below it."""
    found, stack = [], [(kind, node)]
    while stack:
        kind, node = stack.pop()
        found.append((kind, node))
        stack.extend((child_kind, child) for _, child_kind, child in children(kind, node))
    return found


def is_constant(expression: Json) -> bool:
    """Whether its value does not depend on any row: no column and no sub-select in it."""
    kind, node = unwrap(expression)
    return bool(kind) and not any(k in {"ColumnRef", "SubLink"} for k, _ in nodes(kind, node))


def _is_listed(node: Json) -> bool:
    _, query = unwrap(node.get("subquery", {}))
    rows = query.get("valuesLists", [])
    return bool(rows) and all(is_constant(row) for row in rows)


def _join(node: Json, scope: frozenset[str]) -> Relations:
    sides = relations([node.get("larg", {}), node.get("rarg", {})], scope)
    if node.get("jointype", "JOIN_INNER") != "JOIN_INNER" or "alias" in node:
        return Relations(derived=sides.names)
    return sides | Relations(conditions=(node["quals"],) if "quals" in node else ())
