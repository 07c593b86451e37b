"""What analysis found in an action."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum


class Verb(StrEnum):
    """What a statement does. `UNKNOWN` is denied."""

    SELECT = "select"
    EXPLAIN = "explain"
    SHOW = "show"
    INSERT = "insert"
    UPDATE = "update"
    DELETE = "delete"
    MERGE = "merge"
    TRUNCATE = "truncate"
    DDL = "ddl"
    GRANT = "grant"
    CALL = "call"
    COPY = "copy"
    SET = "set"
    TRANSACTION = "transaction"
    UTILITY = "utility"
    MODEL_CALL = "model_call"
    UNKNOWN = "unknown"


class Risk(StrEnum):
    """Risk classes."""

    DESTRUCTIVE = "destructive"
    UNBOUNDED = "unbounded"
    PRIVILEGE = "privilege"
    EXFILTRATION = "exfiltration"
    CODE_EXECUTION = "code_execution"
    SIDE_EFFECT = "side_effect"
    CATALOG = "data_bearing_catalog"
    LOCK = "lock"
    MULTIPLE = "multiple_statements"
    EXPLAIN_ANALYZE = "explain_analyze"
    UNLISTED_FUNCTION = "unlisted_function"


@dataclass(frozen=True, slots=True)
class Facts:
    """What analysis found in an action. Advisory: the target enforces, the parser explains.

    Attributes:
        verb: Of the one statement.
        statements: How many statements the command holds.
        relations_read: Relations in FROM and the like, as written (``customers``, ``s.orders``),
            without names of common table expressions.
        relations_written: Relations that a write changes.
        columns_read: Column names referenced anywhere, unqualified; ``*`` where all are asked for.
        columns_written: Columns that INSERT or UPDATE set; empty for an INSERT without a list.
        functions: Functions called, lower case, schema-qualified as written.
        restricts: Whether a write's WHERE really restricts (not always true). True for reads.
        risks: Risk classes.
        unknown: Why the command can't be understood; "" when it is. Anything unknown is denied.
        position: 1-based character position of a syntax error, 0 when there is none.
        unlisted_functions: Those of `functions` that the analyzer's list of harmless ones lacks.
    """

    verb: Verb
    statements: int = 1
    relations_read: frozenset[str] = frozenset()
    relations_written: frozenset[str] = frozenset()
    columns_read: frozenset[str] = frozenset()
    columns_written: frozenset[str] = frozenset()
    functions: frozenset[str] = frozenset()
    restricts: bool = True
    risks: frozenset[Risk] = frozenset()
    unknown: str = ""
    position: int = 0
    unlisted_functions: frozenset[str] = frozenset()

    @property
    def writes(self) -> bool:
        """Whether it changes rows."""
        return self.verb in {Verb.INSERT, Verb.UPDATE, Verb.DELETE, Verb.MERGE}

    def to_json(self) -> dict[str, object]:
        """Plain JSON: sets as sorted lists, numbers as strings (they go into records)."""
        plain: dict[str, object] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, frozenset):
                plain[field.name] = sorted(str(item) for item in value)
            elif isinstance(value, bool):
                plain[field.name] = value
            else:
                plain[field.name] = str(value)
        return plain
