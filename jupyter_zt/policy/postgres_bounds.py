"""Constants that a WHERE compares a column with: which of them leave rows out.

There is no clock and no data here, so these are rules of thumb with a safe side: an identifier is
above 1, an amount below 1,000,000,000, a date between 1971 and 2050. A bound beyond that is taken
as "every row".
"""

from __future__ import annotations

import re

from jupyter_zt.policy.postgres_tree import Json, names_of, unwrap

__all__ = ["is_boolean_like", "leaves_rows_out", "may_be_both_truths", "pattern_is_fixed"]

_LEAST_NUMBER = 1
_GREATEST_NUMBER = 1_000_000_000
_FIRST_YEAR = 1971
_LAST_YEAR = 2050

_DATE = re.compile(r"(\d{4})-\d\d?-\d\d?(?:[ T]|$)")
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d*)?")
_INTERVAL = re.compile(r"(\d{1,4}) ?(second|minute|hour|day|week|month|year)s?")
_LONGEST = {"year": 30, "month": 360, "week": 1500}
_LONGEST_DAYS = 9999

_BOOLEANS = frozenset({"t", "f", "true", "false", "y", "n", "yes", "no", "on", "off", "0", "1"})
_WORDS = re.compile(r"[a-z0-9]+")

_NOW_VALUES = frozenset(
    {
        "SVFOP_CURRENT_DATE", "SVFOP_CURRENT_TIMESTAMP", "SVFOP_CURRENT_TIMESTAMP_N",
        "SVFOP_LOCALTIMESTAMP", "SVFOP_LOCALTIMESTAMP_N",
    }
)  # fmt: skip
_NOW_FUNCTIONS = frozenset(
    {"now", "transaction_timestamp", "statement_timestamp", "clock_timestamp"}
)

# Fixed characters that a LIKE pattern needs when it starts with a wildcard: '%@%' is everyone.
_MIN_FIXED = 3


def leaves_rows_out(operator: str, expression: Json) -> bool:
    """Whether ``column <operator> expression`` is not met by every value one would store.

    Args:
        operator: ``<``, ``<=``, ``>`` or ``>=``.
        expression: A syntax node. Only a literal, the present moment, and the present moment
            less a span say enough.
    """
    lower = operator in {">", ">="}
    if _is_now(expression):
        return lower
    text = _text(expression)
    if text is None:
        return _is_recent_past(expression)
    if _NUMBER.fullmatch(text):
        return float(text) > _LEAST_NUMBER if lower else float(text) < _GREATEST_NUMBER
    date = _DATE.match(text)
    if date is None:
        return False
    return int(date[1]) >= _FIRST_YEAR if lower else int(date[1]) <= _LAST_YEAR


def pattern_is_fixed(expression: Json) -> bool:
    """Whether a LIKE pattern is a literal with a fixed beginning, or enough fixed characters."""
    kind, node = unwrap(_bare(expression))
    pattern = node.get("sval", {}).get("sval") if kind == "A_Const" else None
    if not isinstance(pattern, str):
        return False
    fixed = pattern.replace("%", "").replace("_", "")
    return len(fixed) >= _MIN_FIXED or (bool(fixed) and pattern[0] not in "%_")


def is_boolean_like(expression: Json) -> bool:
    """Whether a literal may be one of the two truth values, so that two of them are everything."""
    kind, node = unwrap(_bare(expression))
    if kind != "A_Const":
        return False
    text = node["sval"].get("sval", "") if "sval" in node else ""
    return "boolval" in node or text.strip().lower() in _BOOLEANS


def may_be_both_truths(expression: Json) -> bool:
    """Whether an array holds nothing but truth values, and several of them (``'{t,f}'``)."""
    kind, node = unwrap(_bare(expression))
    if kind == "A_ArrayExpr":
        items = node.get("elements", [])
        return len(items) > 1 and all(is_boolean_like(item) for item in items)
    text = _text(expression)
    words = _WORDS.findall(text.lower()) if text is not None else []
    return len(words) > 1 and all(word in _BOOLEANS for word in words)


def _bare(expression: Json) -> Json:
    """Without casts and collations."""
    while True:
        kind, node = unwrap(expression)
        if kind not in {"TypeCast", "CollateClause"}:
            return expression
        expression = node.get("arg", {})


def _text(expression: Json) -> str | None:
    """A number or string literal as text; None for anything else."""
    kind, node = unwrap(_bare(expression))
    if kind != "A_Const":
        return None
    if "ival" in node:
        return str(node["ival"].get("ival", 0))
    if "fval" in node:
        return str(node["fval"].get("fval", ""))
    return str(node["sval"].get("sval", "")) if "sval" in node else None


def _is_now(expression: Json) -> bool:
    kind, node = unwrap(_bare(expression))
    if kind == "SQLValueFunction":
        return node.get("op") in _NOW_VALUES
    return kind == "FuncCall" and names_of(node.get("funcname"))[-1] in _NOW_FUNCTIONS


def _is_recent_past(expression: Json) -> bool:
    """The present moment less a span of at most about thirty years."""
    kind, node = unwrap(_bare(expression))
    if kind != "A_Expr" or names_of(node.get("name"))[-1:] != ["-"]:
        return False
    if not _is_now(node.get("lexpr", {})):
        return False
    span = _text(node.get("rexpr", {}))
    if span is None:
        return False
    if span.isdigit():
        return int(span) <= _LONGEST_DAYS
    found = _INTERVAL.fullmatch(span.strip().lower())
    return found is not None and int(found[1]) <= _LONGEST.get(found[2], _LONGEST_DAYS)
