"""What a statement looks like on the wire. The lexer is PostgreSQL's own (pglast).

This is no policy: it keeps the wire protocol's side doors shut (L3 of the masking design), so that
nothing but one query, or one change of rows, reaches a lease's connection.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from pglast import ast, parse_sql
from pglast.parser import ParseError, scan

from jupyter_zt.errors import InvalidInputError, TargetError

_QUERIES = frozenset({"SELECT", "WITH", "VALUES", "TABLE"})
_REPORTS = frozenset({"EXPLAIN", "SHOW"})
_CHANGES = frozenset({"INSERT", "UPDATE", "DELETE_P", "MERGE", "WITH"})
_COMMENTS = frozenset({"SQL_COMMENT", "C_COMMENT"})
_SEMICOLON = "ASCII_59"
_OPEN_PARENTHESIS = "ASCII_40"
_HARMLESS = re.compile(r"[A-Za-z0-9_ :.,=-]*")
_TAGS = {
    ast.InsertStmt: "INSERT 0",
    ast.UpdateStmt: "UPDATE",
    ast.DeleteStmt: "DELETE",
    ast.MergeStmt: "MERGE",
}


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement, ready to be sent.

    Attributes:
        command: As the user wrote it.
        prefix: Comment that the target's log shows in front of it.
        body: The command without what follows its end (``;`` and comments).
        query: Whether it is a query proper, whose result the target can stream.
    """

    command: str
    prefix: str
    body: str
    query: bool

    @property
    def text(self) -> str:
        """What is sent. The line break ends a comment that the command may end with."""
        return f"{self.prefix}{self.body}\n"


def read_statement(command: str, comment: str) -> Statement:
    """A statement to run on a read lease.

    Raises:
        InvalidInputError: It is empty, more than one, or nothing that reads.
    """
    first, body = _one(command)
    if first not in _QUERIES | _REPORTS:
        raise InvalidInputError(
            "This kind of statement can't be run here.",
            code="unsupported_statement",
            hint="Reads are SELECT, WITH, VALUES, TABLE, EXPLAIN and SHOW.",
        )
    return Statement(command, _comment(comment), body, first in _QUERIES)


def write_statement(command: str, comment: str) -> Statement:
    """A statement to run on a write lease.

    Raises:
        InvalidInputError: It is empty, more than one, or nothing that changes rows.
    """
    first, body = _one(command)
    if first not in _CHANGES:
        raise InvalidInputError(
            "This kind of statement can't be run here.",
            code="unsupported_statement",
            hint="Writes are INSERT, UPDATE and DELETE.",
        )
    return Statement(command, _comment(comment), body, query=False)


def plan_statement(command: str, comment: str) -> Statement:
    """What asks the target for the plan of a statement, without running it.

    Raises:
        InvalidInputError: It is empty, more than one, or nothing that has a plan.
    """
    first, body = _one(command)
    if first not in _QUERIES | _CHANGES:
        raise InvalidInputError(
            "This kind of statement has no plan.",
            code="unsupported_statement",
            hint="Plans are of SELECT, WITH, VALUES, TABLE, INSERT, UPDATE, DELETE and MERGE.",
        )
    return Statement(command, f"{_comment(comment)}EXPLAIN (FORMAT JSON) ", body, query=False)


def planned_rows(plan: str) -> int:
    """How many rows the target expects to read or change.

    Args:
        plan: Its answer to a `plan_statement`.

    Raises:
        ValueError: It is none.
    """
    node = json.loads(plan)[0]["Plan"]
    # What changes rows returns none: what it changes is what its child finds.
    while node["Node Type"] == "ModifyTable" and "Plans" in node:
        node = node["Plans"][0]
    return int(node["Plan Rows"])


def command_tag(statement: Statement, rows: int) -> str:
    """As PostgreSQL's own: ``UPDATE 3``, ``INSERT 0 1``."""
    try:
        kind = type(parse_sql(statement.body)[0].stmt)
    except (ParseError, IndexError):
        return ""
    return f"{_TAGS[kind]} {rows}" if kind in _TAGS else ""


def word_at(command: str, position: int) -> str:
    """The name that stands in the user's own command at a 1-based character position, or ""."""
    if position < 1:
        return ""
    found = re.match(r'("[^"\n]{1,63}"|[\w$]{1,63})(\.("[^"\n]{1,63}"|[\w$]{1,63})){0,2}',
                     command[position - 1 :])  # fmt: skip
    return found.group(0) if found else ""


def _one(command: str) -> tuple[str, str]:
    """Name of the first token that counts, and the command up to the end of its last."""
    if "\0" in command:
        raise InvalidInputError("A statement can't hold a zero byte.", code="bad_command")
    try:
        tokens = [token for token in scan(command) if token.name not in _COMMENTS]
    except (ParseError, UnicodeEncodeError) as error:
        raise TargetError(
            "The statement is not complete.",
            code="syntax_error",
            hint="A quote, a comment or an identifier does not end.",
            sqlstate="42601",
        ) from error
    while tokens and tokens[-1].name == _SEMICOLON:
        tokens.pop()
    if not tokens:
        raise InvalidInputError("There is no statement.", code="empty_command")
    if any(token.name == _SEMICOLON for token in tokens):
        raise InvalidInputError(
            "These are several statements.",
            code="multiple_statements",
            hint="Run them one by one.",
        )
    first = next((token for token in tokens if token.name != _OPEN_PARENTHESIS), tokens[0])
    return first.name, command[: tokens[-1].end + 1]


def _comment(text: str) -> str:
    """A comment that nothing in it can end.

    Raises:
        ValueError: The gateway passes only words of its own.
    """
    if not _HARMLESS.fullmatch(text):
        raise ValueError("not a text for a comment")
    return f"/* {text} */ " if text else ""
