"""SQL of other databases to facts, by sqlglot: advisory.

sqlglot is no database's own parser: it accepts what they don't and the reverse. So everything here
is an allow-list: a statement, a part of one or a function that is not known is refused, and so is
text that servers read in more than one way. What holds in the end is what the target's role may
do. It comes with the extra ``jupyter-zt[mariadb]``.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from typing import Any

from jupyter_zt.model import Facts, Risk, Verb
from jupyter_zt.policy.postgres_tree import identifier
from jupyter_zt.policy.sql_words import FUNCTIONS, PARTS, STATEMENTS
from jupyter_zt.policy.unclear import UnclearError

__all__ = ["analyze_sql"]

MAX_COMMAND_BYTES = 64 * 1024
_MAX_PARTS = 20_000
_CACHED_COMMANDS = 512
_SYSTEM = frozenset({"mysql", "information_schema", "performance_schema", "sys"})
_HARMLESS_SYSTEM = frozenset({"information_schema.tables", "information_schema.columns"})

# Read differently by different servers or modes: executable comments (/*! and /*M!), a comment
# sign without a space behind it, backslashes (NO_BACKSLASH_ESCAPES), control characters.
_AMBIGUOUS = re.compile(r"/\*M?!|--(?![ \t\n])|\\|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def analyze_sql(command: str, dialect: str = "mysql") -> Facts:
    """What a command would do, as far as sqlglot can tell.

    Args:
        command: Exact text.
        dialect: sqlglot's name of the SQL: ``mysql`` for MariaDB and MySQL.

    Returns:
        Its facts; `Facts.unknown` for what is not understood.
    """
    return _cached(command, dialect)


@lru_cache(maxsize=_CACHED_COMMANDS)
def _cached(command: str, dialect: str) -> Facts:
    try:
        return _analyze(command, dialect)
    except UnclearError as error:
        return Facts(Verb.UNKNOWN, restricts=False, unknown=str(error))
    except ImportError:
        hint = "sqlglot is not installed (pip install jupyter-zt[mariadb])"
        return Facts(Verb.UNKNOWN, restricts=False, unknown=hint)
    except RecursionError:
        return Facts(Verb.UNKNOWN, restricts=False, unknown="it is nested too deeply")
    except Exception as error:  # noqa: BLE001 (whatever it is, it must end in a refusal)
        reason = f"its analysis failed ({type(error).__name__})"
        return Facts(Verb.UNKNOWN, restricts=False, unknown=reason)


def _analyze(command: str, dialect: str) -> Facts:
    import sqlglot  # noqa: PLC0415 (an extra)

    # It writes what it does not understand to its log, literals and all.
    logging.getLogger("sqlglot").setLevel(logging.CRITICAL)
    if len(command.encode("utf-8", "surrogatepass")) > MAX_COMMAND_BYTES:
        raise UnclearError(f"it is longer than {MAX_COMMAND_BYTES} bytes")
    if _AMBIGUOUS.search(command):
        raise UnclearError("it holds a comment or a character that servers read differently")
    try:
        parsed = sqlglot.parse(command, dialect=dialect)
    except sqlglot.errors.SqlglotError as error:
        raise UnclearError("it is not SQL as far as sqlglot can tell") from error
    statements = [statement for statement in parsed if statement is not None]
    if not statements:
        return Facts(Verb.UNKNOWN, statements=0, restricts=False, unknown="it is empty")
    if len(statements) > 1:
        return Facts(
            Verb.UNKNOWN,
            statements=len(statements),
            restricts=False,
            unknown="it holds several statements",
        )
    try:
        return _facts(statements[0])
    except (AttributeError, TypeError) as error:
        # sqlglot also accepts what no database does: DELETE ? has no relation to delete from.
        raise UnclearError("a part that belongs to it is missing") from error


@dataclass(slots=True)
class _Found:
    queries: frozenset[str]
    written: frozenset[str]
    functions: set[str] = field(default_factory=set)
    unlisted: set[str] = field(default_factory=set)
    columns: set[str] = field(default_factory=set)
    read: set[str] = field(default_factory=set)
    risks: set[Risk] = field(default_factory=set)


def _facts(root: Any) -> Facts:
    verb, risks = _statement(root)
    nodes = list(islice(root.walk(), _MAX_PARTS + 1))
    if len(nodes) > _MAX_PARTS:
        raise UnclearError("it is too large to be looked through")
    queries = frozenset(node.alias for node in nodes if type(node).__name__ == "CTE")
    found = _Found(queries, _written(root, verb), risks=set(risks))
    for node in nodes:
        if node is not root:
            _look(node, found)
        if node.args.get("into") is not None:
            raise UnclearError("it writes its result somewhere (INTO)")
    restricts = _is_bounded(root, verb)
    if found.unlisted:
        found.risks.add(Risk.UNLISTED_FUNCTION)
    if any(_is_system(name) for name in found.read | found.written):
        found.risks.add(Risk.CATALOG)
    if not restricts:
        found.risks.add(Risk.UNBOUNDED)
    if root.args.get("returning") is not None:
        found.risks.add(Risk.EXFILTRATION)
    return Facts(
        verb,
        relations_read=frozenset(found.read),
        relations_written=found.written,
        columns_read=frozenset(found.columns),
        columns_written=frozenset(_set_columns(root, verb)),
        functions=frozenset(found.functions),
        unlisted_functions=frozenset(found.unlisted),
        restricts=restricts,
        risks=frozenset(found.risks),
    )


def _statement(root: Any) -> tuple[Verb, frozenset[Risk]]:
    kind = type(root).__name__
    if kind not in STATEMENTS or (kind == "Describe" and type(root.this).__name__ != "Table"):
        raise UnclearError(f"it is a statement that is not understood ({kind})")
    return STATEMENTS[kind]


def _look(node: Any, found: _Found) -> None:
    """One part of a statement."""
    part = type(node).__name__
    _check_part(node, part, found)
    if part == "Table":
        name = _name(node)
        if name not in found.written | found.queries:
            found.read.add(name)
    elif part == "Column":
        found.columns.add(node.name)
    elif part == "Star":
        found.columns.add("*")
    elif part == "Lock":
        found.risks.add(Risk.LOCK)


def _check_part(node: Any, part: str, found: _Found) -> None:
    if _is_function(node):
        name = str(node.name if part.startswith("Anonymous") else node.sql_name()).lower()
        found.functions.add(name)
        if part not in FUNCTIONS:
            found.unlisted.add(name)
    elif part in STATEMENTS:
        if STATEMENTS[part][0] is not Verb.SELECT:
            raise UnclearError(f"it holds a statement inside another one ({part})")
    elif part not in PARTS:
        raise UnclearError(f"it holds a part that is not understood ({part})")


def _is_bounded(root: Any, verb: Verb) -> bool:
    if verb is Verb.INSERT:
        return type(root.expression).__name__ == "Values"
    return verb not in {Verb.UPDATE, Verb.DELETE} or _restricts(root.args.get("where"))


def _is_function(node: Any) -> bool:
    from sqlglot import exp  # noqa: PLC0415 (an extra)

    # sqlglot calls connectives and casts functions, too; those are in PARTS.
    return isinstance(node, exp.Func) and type(node).__name__ not in PARTS


def _name(table: Any) -> str:
    return identifier([part.name for part in table.parts])


def _written(root: Any, verb: Verb) -> frozenset[str]:
    if verb not in {Verb.INSERT, Verb.UPDATE, Verb.DELETE, Verb.TRUNCATE, Verb.DDL}:
        return frozenset()
    from sqlglot import exp  # noqa: PLC0415 (an extra)

    whole = verb in {Verb.DDL, Verb.TRUNCATE}
    found = list((root if whole else root.this).find_all(exp.Table))
    if not whole and (len(found) != 1 or root.args.get("tables")):
        raise UnclearError("it changes several relations at once")
    return frozenset(_name(table) for table in found)


def _set_columns(root: Any, verb: Verb) -> set[str]:
    if verb is Verb.UPDATE:
        return {assignment.this.name for assignment in root.expressions}
    if verb is Verb.INSERT and type(root.this).__name__ == "Schema":
        return {column.name for column in root.this.expressions}
    return set()


def _is_system(name: str) -> bool:
    schema = name.partition(".")[0].strip('"').lower() if "." in name else ""
    return schema in _SYSTEM and name.lower() not in _HARMLESS_SYSTEM


def _restricts(where: Any) -> bool:
    """Whether one of the conditions that AND joins compares a column with constants."""
    stack = [where.this] if where is not None else []
    while stack:
        node = stack.pop()
        kind = type(node).__name__
        if kind == "And":
            stack += [node.left, node.right]
        elif kind == "Paren":
            stack.append(node.this)
        elif kind == "EQ":
            sides = sorted(type(side).__name__ for side in (node.left, node.right))
            if sides in (["Column", "Literal"], ["Column", "Placeholder"]):
                return True
        elif kind == "In" and type(node.this).__name__ == "Column" and node.expressions:
            constants = {type(item).__name__ for item in node.expressions}
            if constants <= {"Literal", "Placeholder"}:
                return True
    return False
