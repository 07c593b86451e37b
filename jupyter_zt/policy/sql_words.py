"""What `sql` understands of sqlglot's trees: statements, their parts, functions."""

from __future__ import annotations

from jupyter_zt.model import Risk, Verb

__all__ = ["FUNCTIONS", "PARTS", "STATEMENTS"]

_NONE: frozenset[Risk] = frozenset()
_DESTRUCTIVE = frozenset({Risk.DESTRUCTIVE})
_SIDE_EFFECT = frozenset({Risk.SIDE_EFFECT})

STATEMENTS: dict[str, tuple[Verb, frozenset[Risk]]] = {
    "Select": (Verb.SELECT, _NONE),
    "Union": (Verb.SELECT, _NONE),
    "Intersect": (Verb.SELECT, _NONE),
    "Except": (Verb.SELECT, _NONE),
    "Values": (Verb.SELECT, _NONE),
    "Subquery": (Verb.SELECT, _NONE),
    "Describe": (Verb.SHOW, _NONE),
    "Insert": (Verb.INSERT, _NONE),
    "Update": (Verb.UPDATE, _NONE),
    "Delete": (Verb.DELETE, _NONE),
    "TruncateTable": (Verb.TRUNCATE, _DESTRUCTIVE),
    "Drop": (Verb.DDL, _DESTRUCTIVE),
    "Alter": (Verb.DDL, _DESTRUCTIVE),
    "Create": (Verb.DDL, _NONE),
    "Transaction": (Verb.TRANSACTION, _SIDE_EFFECT),
    "Commit": (Verb.TRANSACTION, _SIDE_EFFECT),
    "Rollback": (Verb.TRANSACTION, _SIDE_EFFECT),
    "Kill": (Verb.UTILITY, _SIDE_EFFECT),
    "Grant": (Verb.GRANT, frozenset({Risk.PRIVILEGE})),
    "Revoke": (Verb.GRANT, frozenset({Risk.PRIVILEGE})),
    "LoadData": (Verb.COPY, frozenset({Risk.EXFILTRATION})),
}
"""sqlglot's name of a statement -> its verb, and the risks of each such statement."""

PARTS = frozenset(
    {
        "Add", "Alias", "Aliases", "All", "And", "Any", "Between", "BitwiseAnd", "BitwiseLeftShift",
        "BitwiseNot", "BitwiseOr", "BitwiseRightShift", "BitwiseXor", "Boolean", "CTE", "Case",
        "Cast", "Collate", "Column", "ColumnDef", "Constraint", "CurrentDate", "CurrentTimestamp",
        "DataType", "DataTypeParam", "Distinct", "Div", "Dot", "EQ", "Escape", "Exists", "Filter",
        "From", "GT", "GTE", "Group", "Having", "Identifier", "If", "In", "IntDiv", "Interval",
        "Is", "Join", "LT", "LTE", "Like", "Limit", "Literal", "Lock", "Mod", "Mul", "NEQ", "Neg",
        "Not", "Null", "NullSafeEQ", "NullSafeNEQ", "Offset", "Or", "Order", "Ordered", "Paren",
        "Placeholder", "RegexpLike", "Rollup", "Schema", "Star", "Sub", "Table", "TableAlias",
        "Tuple", "Var", "Where", "Window", "WindowSpec", "With", "Xor",
    }
)  # fmt: skip
"""Parts of a statement that have no effect of their own."""

FUNCTIONS = frozenset(
    {
        "Abs", "Acos", "Asin", "Atan", "Atan2", "Avg", "Ceil", "Coalesce", "Concat", "ConcatWs",
        "Cos", "Count", "CumeDist", "CurrentTime", "Date", "DateAdd", "DateDiff", "DateSub",
        "DateTrunc", "Day", "DayOfMonth", "DayOfWeek", "DayOfYear", "DenseRank", "Exp", "Extract",
        "FirstValue", "Floor", "Greatest", "GroupConcat", "Hex", "Initcap", "JSONExtract",
        "JSONExtractScalar", "LPad", "Lag", "LastDay", "LastValue", "Lead", "Least", "Left",
        "Length", "Ln", "Log", "Lower", "MD5", "Max", "Min", "Month", "NthValue", "Ntile",
        "Nullif", "Pad", "PercentRank", "Pow", "Quarter", "RPad", "Rand", "Rank", "Repeat",
        "Replace", "Reverse", "Right", "Round", "RowNumber", "SHA", "SHA2", "Second", "Sign",
        "Sin", "Sqrt", "Stddev", "StddevPop", "StddevSamp", "StrPosition", "StrToDate",
        "Substring", "SubstringIndex", "Sum", "Tan", "TimeToStr", "TimestampDiff", "Trim",
        "Trunc", "TsOrDsAdd", "TsOrDsDiff", "TsOrDsToDate", "TsOrDsToTimestamp", "Unhex",
        "UnixToTime", "Upper", "Variance", "VariancePop", "Week", "WeekOfYear", "Year", "Hour",
        "Minute",
    }
)  # fmt: skip
"""sqlglot's names of functions that only compute a value."""
