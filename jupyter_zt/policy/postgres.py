"""PostgreSQL commands to facts, through PostgreSQL's own parser (pglast).

`analyze_postgres` never raises: whatever it can't understand is a fact too (`Facts.unknown`), and
unknown is denied. It looks at text alone; what the target's role may do is the target's word.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache

from pglast import parser

from jupyter_zt.model import Facts, Risk, Verb
from jupyter_zt.policy import postgres_lists as lists
from jupyter_zt.policy.postgres_statements import SEVERITY, STATEMENTS
from jupyter_zt.policy.postgres_tree import Json, children, identifier, names_of, unwrap
from jupyter_zt.policy.postgres_walk import Findings, walk

__all__ = ["MAX_COMMAND_BYTES", "analyze_postgres"]

MAX_COMMAND_BYTES = 1024 * 1024
"""Longest command that is analysed, in UTF-8 bytes."""

_MAX_STATEMENTS = 100
_MAX_SIGNS = 500
_CACHED_CHARACTERS = 8192  # 2048 of them: 16 to 64 MiB at the very most
_CACHED_COMMANDS = 2048

_QUERIES = frozenset({"SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"})
_OFF = frozenset({"false", "off", "0"})
_SIGNS = re.compile(r"[-~!@#^&|`?+*/%<>=]+")
_NEAR = re.compile(r' at or near ".*"$', re.DOTALL)
_PLAIN_TOKEN = re.compile(r"[A-Za-z_(),.;*=<>+-]{1,40}")


def analyze_postgres(command: str) -> Facts:
    """What a command would do.

    Args:
        command: Exact text, as the user wrote it.

    Returns:
        Its facts. Of several statements: the gravest verb, everything else together, and
        `Risk.MULTIPLE`. What can't be understood has `Facts.unknown`, and `Facts.position` for a
        syntax error; a command without any statement has `Facts.statements` 0.
    """
    if len(command) <= _CACHED_CHARACTERS:
        return _analyze_cached(command)
    return _analyze(command)


def _unknown(reason: str, *, statements: int = 1, position: int = 0) -> Facts:
    return Facts(
        verb=Verb.UNKNOWN,
        statements=statements,
        restricts=False,
        unknown=reason,
        position=position,
    )


def _analyze(command: str) -> Facts:
    if "\x00" in command:  # C strings end here: the parser would see less than was written
        return _unknown("it holds a NUL character")
    try:
        if len(command.encode("utf-8")) > MAX_COMMAND_BYTES:
            return _unknown(f"it is longer than {MAX_COMMAND_BYTES} bytes")
        # PostgreSQL's scanner looks at such a run anew from each of its characters (scan.l gives
        # back what is no operator): a megabyte of `/*/*` or `+-+-` would take minutes.
        if any(len(run[0]) > _MAX_SIGNS for run in _SIGNS.finditer(command)):
            return _unknown(f"it holds more than {_MAX_SIGNS} operator characters in a row")
        # Not parse_sql: it overflows the C stack (see postgres_tree).
        tree = json.loads(parser.parse_sql_json(command))
        statements = [unwrap(item.get("stmt", {})) for item in tree.get("stmts", [])]
        return _together(statements)
    except UnicodeEncodeError:
        return _unknown("it is not Unicode text")
    except parser.ParseError as error:
        return _not_parsed(error)
    except RecursionError:
        return _unknown("it is nested too deeply")
    except Exception as error:  # noqa: BLE001 (whatever it is, it must end in a refusal)
        return _unknown(f"its analysis failed ({type(error).__name__})")


_analyze_cached = lru_cache(maxsize=_CACHED_COMMANDS)(_analyze)


def _not_parsed(error: parser.ParseError) -> Facts:
    message, index = (*error.args, None)[:2]
    if "memory exhausted" in message or "stack depth" in message:
        return _unknown("it is nested too deeply")
    near = _NEAR.search(message)
    # What stands there may be a literal of a classified column; a keyword or a sign is not.
    if near and not _PLAIN_TOKEN.fullmatch(near[0][len(' at or near "') : -1]):
        message = message[: near.start()]
    return _unknown(message, position=0 if index is None else index + 1)


def _together(statements: list[tuple[str, Json]]) -> Facts:
    if not statements:
        return _unknown("there is no statement in it", statements=0)
    if len(statements) > _MAX_STATEMENTS:
        return _unknown("it holds too many statements", statements=len(statements))
    findings = Findings()
    for kind, node in statements:
        findings.verbs.add(_statement(kind, node, findings))
    if len(statements) > 1:
        findings.risks.add(Risk.MULTIPLE)
    if findings.unknown:
        return _unknown(findings.unknown, statements=len(statements))
    return Facts(
        verb=max(findings.verbs, key=SEVERITY.index),
        statements=len(statements),
        relations_read=frozenset(findings.relations_read),
        relations_written=frozenset(findings.relations_written),
        columns_read=frozenset(findings.columns_read),
        columns_written=frozenset(findings.columns_written),
        functions=frozenset(findings.functions),
        restricts=findings.restricts,
        risks=frozenset(findings.risks),
        unlisted_functions=frozenset(findings.unlisted),
        volatile_functions=frozenset(findings.volatile),
        row_limit=_row_limit(statements),
    )


def _row_limit(statements: list[tuple[str, Json]]) -> int | None:
    """The LIMIT of a lone query, where it is a plain number of rows."""
    kind, node = statements[0]
    if len(statements) > 1 or kind != "SelectStmt":
        return None
    limit = node.get("limitCount", {}).get("A_Const", {})
    if "ival" not in limit or node.get("limitOption") != "LIMIT_OPTION_COUNT":
        return None
    return int(limit["ival"].get("ival", 0))


def _statement(kind: str, node: Json, findings: Findings) -> Verb:
    """Gather one statement into `findings`; the verb that it adds."""
    if kind in _QUERIES:
        walk(kind, node, findings)
        return Verb.SELECT
    if kind == "ExplainStmt":
        return _explain(node, findings)
    if kind not in STATEMENTS:
        findings.unknown = f"it is a statement that is not understood ({kind or 'unnamed'})"
        return Verb.UNKNOWN
    verb, risks = STATEMENTS[kind]
    findings.risks |= risks
    if kind == "VariableShowStmt" and node.get("name") not in lists.SETTINGS:
        findings.risks.add(Risk.CATALOG)
    if kind == "VariableSetStmt" and node.get("name") in {"role", "session_authorization"}:
        findings.risks.add(Risk.PRIVILEGE)
    if kind == "CopyStmt" and (node.get("is_program") or node.get("filename")):
        findings.risks.add(Risk.CODE_EXECUTION)
    _mentioned(kind, node, findings)
    return verb


def _explain(node: Json, findings: Findings) -> Verb:
    """EXPLAIN plans and does not run: of a read it is its own verb, of anything else that thing."""
    kind, query = unwrap(node.get("query", {}))
    before = set(findings.verbs)
    findings.verbs.clear()
    inner = _statement(kind, query, findings)
    verb = max({inner, *findings.verbs}, key=SEVERITY.index)
    findings.verbs |= before
    if any(_is_analyze(unwrap(option)[1]) for option in node.get("options", [])):
        findings.risks.add(Risk.EXPLAIN_ANALYZE)
        return verb
    return Verb.EXPLAIN if verb is Verb.SELECT else verb


def _is_analyze(option: Json) -> bool:
    """Whether an option of EXPLAIN is ANALYZE and is not plainly off."""
    if option.get("defname") != "analyze":
        return False
    kind, value = unwrap(option.get("arg", {}))
    if kind == "Integer":
        return bool(value.get("ival", 0))
    if kind == "Boolean":
        return bool(value.get("boolval", False))
    return str(value.get("sval", "true")).lower() not in _OFF


def _mentioned(kind: str, node: Json, findings: Findings) -> None:
    """The relations and queries that a statement other than a query names.

    A query inside (COPY, PREPARE, DECLARE, CREATE TABLE AS, CREATE VIEW) is walked like any other.
    """
    if kind == "DropStmt":
        for item in node.get("objects", []):
            parts = names_of(unwrap(item)[1].get("items"))
            findings.relations_written.add(identifier([part for part in parts if part]))
    reads = kind == "CopyStmt" and not node.get("is_from")
    relations = findings.relations_read if reads else findings.relations_written
    stack = [(kind, node)]
    while stack:
        kind, node = stack.pop()
        for _, child_kind, child in children(kind, node):
            if child_kind in _QUERIES:
                walk(child_kind, child, findings)
            elif child_kind == "RangeVar":
                named = [child.get("schemaname"), child.get("relname")]
                relations.add(identifier([part for part in named if part]))
            else:
                stack.append((child_kind, child))
