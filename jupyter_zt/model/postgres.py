"""Words about a PostgreSQL target: where it is, its columns, how its SQL is quoted. No IO."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from jupyter_zt.model.masks import ColumnMask


@dataclass(frozen=True, slots=True)
class PostgresEndpoint:
    """Where a PostgreSQL database is, without any credential.

    Attributes:
        host: Name, address, or the folder of a Unix socket.
        sslmode: As libpq's ``sslmode``; ``verify-full`` wherever the network is not trusted.
        sslrootcert: PEM file of the certificate authority; "" for libpq's default.
    """

    host: str
    port: int
    database: str
    sslmode: str = "prefer"
    sslrootcert: str = ""


class TypeFamily(StrEnum):
    """What masking needs to know of a column's type."""

    TEXT = "text"
    INTEGER = "integer"
    NUMERIC = "numeric"
    FLOAT = "float"
    DATE = "date"
    TIMESTAMP = "timestamp"
    TIMESTAMPTZ = "timestamptz"
    PLAIN = "plain"
    """Any other type that a result can carry: boolean, uuid, json, time, arrays of these, ..."""
    EXOTIC = "exotic"
    """Any other type; it is shown as its text."""


@dataclass(frozen=True, slots=True)
class SourceColumn:
    """One column of a table or view at the target.

    Attributes:
        type: Its type as SQL text; a domain is replaced by what it is made of.
    """

    relation: str
    name: str
    type: str
    family: TypeFamily


@dataclass(frozen=True, slots=True)
class MaskedColumn:
    """How one column stands in a masked view.

    Attributes:
        expression: SQL over the alias ``t`` of the base relation.
        reads: Whether the expression reads the column at all (a hidden one does not).
        mask: What is applied, after everything that doubts has become `hide`.
        note: Why it is stricter than the classification asks, or "".
    """

    expression: str
    reads: bool
    mask: ColumnMask
    note: str = ""


def quote_identifier(name: str) -> str:
    """The name as a quoted SQL identifier, whatever it holds.

    Raises:
        ValueError: For an empty name or one with a zero byte, which PostgreSQL has no way to hold.
    """
    if not name or "\0" in name:
        raise ValueError("not an identifier")
    return '"' + name.replace('"', '""') + '"'


def quote_literal(text: str) -> str:
    """The text as an SQL string constant, for a server with ``standard_conforming_strings = on``.

    Raises:
        ValueError: For a zero byte, which PostgreSQL has no way to hold.
    """
    if "\0" in text:
        raise ValueError("not a text that PostgreSQL can hold")
    return "'" + text.replace("'", "''") + "'"
