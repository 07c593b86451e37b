"""What analysis found in an action."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from jupyter_zt.model.http import HttpFacts
from jupyter_zt.model.kubernetes import KubernetesFacts


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
    HTTP_GET = "http_get"
    HTTP_HEAD = "http_head"
    HTTP_OPTIONS = "http_options"
    HTTP_POST = "http_post"
    HTTP_PUT = "http_put"
    HTTP_PATCH = "http_patch"
    HTTP_DELETE = "http_delete"
    KUBERNETES_GET = "kubernetes_get"
    KUBERNETES_LIST = "kubernetes_list"
    KUBERNETES_WATCH = "kubernetes_watch"
    KUBERNETES_CREATE = "kubernetes_create"
    KUBERNETES_UPDATE = "kubernetes_update"
    KUBERNETES_PATCH = "kubernetes_patch"
    KUBERNETES_APPLY = "kubernetes_apply"
    KUBERNETES_DELETE = "kubernetes_delete"
    KUBERNETES_DELETE_COLLECTION = "kubernetes_delete_collection"
    KUBERNETES_CONNECT = "kubernetes_connect"
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
    SECRETS = "secrets"


READING_VERBS = frozenset(
    {
        Verb.SELECT, Verb.EXPLAIN, Verb.SHOW, Verb.HTTP_GET, Verb.HTTP_HEAD, Verb.HTTP_OPTIONS,
        Verb.KUBERNETES_GET, Verb.KUBERNETES_LIST, Verb.KUBERNETES_WATCH,
    }
)  # fmt: skip
"""Verbs that change nothing by themselves."""


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
        volatile_functions: Those of `functions` that are listed and still give another value each
            time (``random``).
        row_limit: A LIMIT of the whole query that is a number; None without one.
        estimated_rows: How many rows the target expects, where it was asked; None where not.
        tags: What the touched columns hold, by the connection's classification (``email``).
        patterns: Names of the administrator's patterns that the command's text matches.
        http: For a connection of kind http.
        kubernetes: For a connection of kind kubernetes.
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
    volatile_functions: frozenset[str] = frozenset()
    row_limit: int | None = None
    estimated_rows: int | None = None
    tags: frozenset[str] = frozenset()
    patterns: frozenset[str] = frozenset()
    http: HttpFacts | None = None
    kubernetes: KubernetesFacts | None = None

    @property
    def plain_read(self) -> bool:
        """Whether this is one understood read without any risk: the read class."""
        understood = self.statements == 1 and not self.unknown
        return understood and self.verb in READING_VERBS and not self.risks

    @property
    def writes(self) -> bool:
        """Whether it changes rows."""
        return self.verb in {Verb.INSERT, Verb.UPDATE, Verb.DELETE, Verb.MERGE}

    def to_json(self) -> dict[str, object]:
        """Plain JSON: sets as sorted lists, numbers as strings (they go into records).

        What was first recorded stands in every one; later facts only where there is something.
        """
        plain: dict[str, object] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in _LATER_FACTS and (value is None or value == frozenset()):
                continue
            if isinstance(value, frozenset):
                plain[field.name] = sorted(str(item) for item in value)
            elif isinstance(value, HttpFacts | KubernetesFacts):
                plain[field.name] = value.to_json()
            else:
                plain[field.name] = value if isinstance(value, bool) else str(value)
        return plain

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Facts:
        """The facts that `to_json` wrote, perhaps by an earlier version.

        Raises:
            ValueError: They are none.
        """
        try:
            values: dict[str, Any] = {}
            for field in fields(cls):
                if field.name not in plain:
                    continue
                value = plain[field.name]
                if field.name == "risks":
                    values[field.name] = frozenset(Risk(item) for item in value)
                elif isinstance(value, list):
                    values[field.name] = frozenset(str(item) for item in value)
                elif field.name in _NUMBERS:
                    values[field.name] = int(value)
                else:
                    values[field.name] = value
            values["verb"] = Verb(values["verb"])
            if "http" in values:
                values["http"] = HttpFacts.from_json(values["http"])
            if "kubernetes" in values:
                values["kubernetes"] = KubernetesFacts.from_json(values["kubernetes"])
            return cls(**values)
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError("these are no facts") from error


_NUMBERS = frozenset({"statements", "position", "row_limit", "estimated_rows"})
_LATER_FACTS = frozenset(
    {
        "volatile_functions", "row_limit", "estimated_rows", "tags", "patterns", "http",
        "kubernetes",
    }
)  # fmt: skip
