"""What would pass instead of a refused command: in words, and rewritten where that is safe.

A rewrite is only ever a proposal to the requester, never run by itself. It asks for less of the
same (fewer rows, named columns, a plan without running), and it is offered only after it was
analysed and decided like any other command, and not denied.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from pglast import parser

from jupyter_zt.model import ColumnMask, Decision, Facts, MaskKind, Remedy, Risk, Verb, Verdict
from jupyter_zt.policy.postgres_tree import Json, names_of, unwrap

__all__ = ["KINDS_OF_REMEDY", "with_remedies"]

KINDS_OF_REMEDY = frozenset(
    {
        "add_limit", "add_where", "fix_syntax", "listed_functions", "name_columns", "no_analyze",
        "one_statement", "request_grant",
    }
)  # fmt: skip
"""Every `Remedy.kind` that there is."""

ROWS = 1000
"""The LIMIT that is proposed."""

_MAX_CHARACTERS = 8192
_EXPLAIN = re.compile(
    r"\s*explain\s+(?:\([^()]*\)|analy[sz]e(?:\s+verbose)?)\s*", re.IGNORECASE | re.ASCII
)
_SAID = {
    "empty_command": ("one_statement", "Write one statement."),
    "syntax_error": ("fix_syntax", "Correct the text at the position that is named."),
    "multiple_statements": ("one_statement", "Send each statement as an action of its own."),
}

Columns = Mapping[str, Mapping[str, ColumnMask]]
Judge = Callable[[str], tuple[Facts, Decision]]


def with_remedies(
    decision: Decision, command: str, facts: Facts, columns: Columns, judge: Judge | None
) -> Decision:
    """The refusal, with what would pass instead.

    Args:
        decision: A denial.
        command: What was refused.
        facts: Of it.
        columns: Relation -> column -> mask, of its connection.
        judge: Analyses and decides another command in place of this one; None where commands of
            this kind are not rewritten.
    """
    said = [*decision.remedies, *_in_words(decision.code, facts)]
    if judge is not None and len(command) <= _MAX_CHARACTERS and not facts.unknown:
        for kind, text, rewritten in _candidates(command, facts, columns):
            found, verdict = judge(rewritten)
            # Less of the same: nothing that was not there before.
            less = found.relations_read <= facts.relations_read and found.risks <= facts.risks
            if verdict.verdict is not Verdict.DENY and less and not found.unknown:
                said = [remedy for remedy in said if remedy.kind != kind]
                said.append(Remedy(kind, text, rewritten))
                break
    return replace(decision, remedies=tuple(said)) if said else decision


def _in_words(code: str, facts: Facts) -> Iterator[Remedy]:
    if code in _SAID:
        yield Remedy(*_SAID[code])
    if Risk.UNBOUNDED in facts.risks:
        yield Remedy("add_where", "Add a WHERE that names the rows, such as WHERE id = 42.")
    if Risk.EXPLAIN_ANALYZE in facts.risks:
        yield Remedy("no_analyze", "Use EXPLAIN without ANALYZE.")
    if facts.unlisted_functions:
        yield Remedy("listed_functions", "Use built-in functions that only compute a value.")


def _candidates(command: str, facts: Facts, columns: Columns) -> Iterator[tuple[str, str, str]]:
    """(kind, sentence, rewritten command), the mildest change first."""
    if Risk.EXPLAIN_ANALYZE in facts.risks:
        plan = _EXPLAIN.sub("EXPLAIN ", command, count=1)
        yield "no_analyze", "This shows the plan and does not run the statement.", plan
    if facts.verb is not Verb.SELECT or facts.statements != 1 or facts.risks:
        return
    limited = _limited(command) if facts.row_limit is None else ""
    if limited:
        yield "add_limit", f"This asks for at most {ROWS} rows.", limited
    for named in _named_columns(command, columns):
        yield "name_columns", "This names the columns that it wants.", named
        if limited:
            text = f"This names the columns that it wants, and asks for at most {ROWS} rows."
            yield "name_columns", text, _limited(named)


def _limited(command: str) -> str:
    """With a LIMIT of its own line, so that no comment at the end swallows it."""
    return f"{command.rstrip().rstrip(';').rstrip()}\nLIMIT {ROWS}"


def _named_columns(command: str, columns: Columns) -> Iterator[str]:
    """``select *`` of one classified relation, with its columns in place of the star."""
    try:
        statements = json.loads(parser.parse_sql_json(command))["stmts"]
    except (parser.ParseError, ValueError, RecursionError):
        return
    kind, query = unwrap(statements[0].get("stmt", {}))
    sources = query.get("fromClause", []) if kind == "SelectStmt" else []
    if len(sources) != 1 or "RangeVar" not in sources[0] or "withClause" in query:
        return
    mine = columns.get(sources[0]["RangeVar"].get("relname", ""))
    star = _lone_star(query)
    if mine is None or star is None:
        return
    text = command.encode()
    if text[star : star + 1] != b"*":
        return
    for wanted in (_shown(mine), _clear(mine)):
        if wanted:
            yield (text[:star] + ", ".join(wanted).encode() + text[star + 1 :]).decode()


def _lone_star(query: Json) -> int | None:
    """Place of the one unqualified star, in bytes."""
    stars = []
    for target in query.get("targetList", []):
        kind, node = unwrap(unwrap(target)[1].get("val", {}))
        if kind == "ColumnRef" and names_of(node.get("fields")) == ["*"]:
            stars.append(int(node.get("location", 0)))
    return stars[0] if len(stars) == 1 else None


def _shown(mine: Mapping[str, ColumnMask]) -> list[str]:
    return [_quoted(name) for name, mask in mine.items() if mask.kind is not MaskKind.HIDE]


def _clear(mine: Mapping[str, ColumnMask]) -> list[str]:
    return [_quoted(name) for name, mask in mine.items() if mask.kind is MaskKind.CLEAR]


def _quoted(name: str) -> str:
    plain = re.fullmatch(r"[a-z_][a-z0-9_]*", name)
    return name if plain else '"' + name.replace('"', '""') + '"'
