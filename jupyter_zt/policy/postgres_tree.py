"""PostgreSQL's syntax tree as plain JSON, and what of it a query may hold.

The tree comes from ``pglast.parser.parse_sql_json``: thirty times as fast as pglast's own node
objects, and it answers "stack depth limit exceeded" where building those objects for
``1+1+1+...`` (200,000 terms) overflows the C stack and takes the process down.

In that JSON a field of a general type wraps its node (``{"ColumnRef": {...}}``), a field of one
certain type does not (``"relation": {"relname": ...}``), and zero, false and empty are left out.
"""

from __future__ import annotations

from typing import Any, cast

from pglast import ast

__all__ = ["QUERY_NODES", "Json", "children", "identifier", "names_of", "unwrap"]

Json = dict[str, Any]

QUERY_NODES = frozenset(
    [
        "A_ArrayExpr",
        "A_Const",
        "A_Expr",
        "A_Indices",
        "A_Indirection",
        "A_Star",
        "Alias",
        "BitString",
        "Boolean",
        "BoolExpr",
        "BooleanTest",
        "CTECycleClause",
        "CTESearchClause",
        "CaseExpr",
        "CaseWhen",
        "CoalesceExpr",
        "CollateClause",
        "ColumnDef",
        "ColumnRef",
        "CommonTableExpr",
        "CurrentOfExpr",
        "DeleteStmt",
        "Float",
        "FuncCall",
        "GroupingFunc",
        "GroupingSet",
        "IndexElem",
        "InferClause",
        "InsertStmt",
        "Integer",
        "IntoClause",
        "JoinExpr",
        "JsonAggConstructor",
        "JsonArgument",
        "JsonArrayAgg",
        "JsonArrayConstructor",
        "JsonArrayQueryConstructor",
        "JsonBehavior",
        "JsonFormat",
        "JsonFuncExpr",
        "JsonIsPredicate",
        "JsonKeyValue",
        "JsonObjectAgg",
        "JsonObjectConstructor",
        "JsonOutput",
        "JsonParseExpr",
        "JsonReturning",
        "JsonScalarExpr",
        "JsonSerializeExpr",
        "JsonTable",
        "JsonTableColumn",
        "JsonTablePathSpec",
        "JsonValueExpr",
        "List",
        "LockingClause",
        "MergeStmt",
        "MergeSupportFunc",
        "MergeWhenClause",
        "MinMaxExpr",
        "MultiAssignRef",
        "NamedArgExpr",
        "NullTest",
        "OnConflictClause",
        "ParamRef",
        "RangeFunction",
        "RangeSubselect",
        "RangeTableFunc",
        "RangeTableFuncCol",
        "RangeTableSample",
        "RangeVar",
        "ResTarget",
        "ReturningClause",
        "ReturningOption",
        "RowExpr",
        "SQLValueFunction",
        "SelectStmt",
        "SetToDefault",
        "SortBy",
        "String",
        "SubLink",
        "TypeCast",
        "TypeName",
        "UpdateStmt",
        "WindowDef",
        "WithClause",
        "XmlExpr",
        "XmlSerialize",
    ]
)
"""Node types that a query, INSERT, UPDATE, DELETE or MERGE may hold. Others are unknown."""


def _plain_fields() -> dict[tuple[str, str], str]:
    """(node type, field) -> type, for the fields whose JSON does not name the type."""
    fields: dict[tuple[str, str], str] = {}
    for node in vars(ast).values():
        slots = getattr(node, "__slots__", None)
        if not isinstance(slots, dict):
            continue
        for field, info in slots.items():
            c_type = str(getattr(info, "c_type", info)).rstrip("*")
            if isinstance(getattr(ast, c_type, None), type):
                fields[node.__name__, field] = c_type
    return fields


_PLAIN_FIELDS = _plain_fields()


def unwrap(value: Json) -> tuple[str, Json]:
    """``{"ColumnRef": {...}}`` as ``("ColumnRef", {...})``; ``("", {})`` where it is no wrapper."""
    if len(value) == 1:
        name = next(iter(value))
        if name[0].isupper() and isinstance(value[name], dict):
            return name, cast("Json", value[name])
    return "", {}


def children(kind: str, node: Json) -> list[tuple[str, str, Json]]:
    """The nodes right below one node.

    Args:
        kind: Type of `node`.
        node: Its fields.

    Returns:
        (field, type, fields) of each; a type that can't be told is "".
    """
    found: list[tuple[str, str, Json]] = []
    for field, value in node.items():
        if isinstance(value, dict):
            name, inner = unwrap(value)
            if name:
                found.append((field, name, inner))
            elif value:
                found.append((field, _PLAIN_FIELDS.get((kind, field), ""), value))
        elif isinstance(value, list):
            for item in value:
                if item:  # {} stands for an empty place (plain DISTINCT)
                    name, inner = unwrap(item)
                    found.append((field, name, inner))
    return found


def names_of(items: list[Json] | None) -> list[str]:
    """The values of a list of String nodes; ``*`` for a star, "" for anything else."""
    values = []
    for item in items or []:
        if "A_Star" in item:
            values.append("*")
        else:
            values.append(str(item.get("String", {}).get("sval", "")))
    return values


def identifier(parts: list[str]) -> str:
    """A name as SQL would write it: quoted where it has to be, so that ``"a.b"`` is not ``a.b``."""
    return ".".join(
        part
        if part.isascii() and part.replace("$", "_").isidentifier() and part == part.lower()
        else '"' + part.replace('"', '""') + '"'
        for part in parts
    )
