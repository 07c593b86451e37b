"""Allow-lists for PostgreSQL, read once from the package's data files.

Functions and operators are generated from a real PostgreSQL by
``scripts/generate_postgres_lists.py``; the catalogs are curated by hand. What is not listed is
not harmless: a function that is added to PostgreSQL tomorrow is refused until somebody looked.
"""

from __future__ import annotations

from importlib import resources

__all__ = [
    "ATTRIBUTE_DENIED",
    "ATTRIBUTE_ROW",
    "FUNCTIONS",
    "OPERATORS",
    "SAMPLING_METHODS",
    "SETTINGS",
    "SHIPPED",
    "VOLATILE",
    "holds_data",
    "is_system",
]


def _lines(name: str) -> list[str]:
    text = resources.files(__package__).joinpath("data", name).read_text(encoding="utf-8")
    lines = text.split("\n")
    return [line for line in lines if line and not line.startswith("# ")]


_FUNCTION_ROWS = [line.split("\t") for line in _lines("postgres_functions.tsv")]

FUNCTIONS = frozenset(name for name, verdict, _ in _FUNCTION_ROWS if verdict == "allow")
"""Built-in functions that only compute a value from their arguments or from definitions."""

SHIPPED = frozenset(name for name, _, _ in _FUNCTION_ROWS)
"""All built-in functions that SQL text can call."""

VOLATILE = frozenset(
    name for name, verdict, flags in _FUNCTION_ROWS if verdict == "allow" and "v" in flags
)
"""Of these, the ones that may give another value each time (``pg_proc.provolatile``)."""

# PostgreSQL reads `(x).f` and `t.f` as `f(x)` and `f(t)` where no such column exists (its manual,
# section 8.16.5): `(0.1::float8).pg_sleep` sleeps.
ATTRIBUTE_DENIED = frozenset(
    name for name, verdict, flags in _FUNCTION_ROWS if verdict == "deny" and "1" in flags
)
"""Built-in functions outside the list that attribute notation can call."""

ATTRIBUTE_ROW = frozenset(name for name, _, flags in _FUNCTION_ROWS if "r" in flags)
"""Built-in functions that attribute notation can hand a whole row (``t.to_jsonb``)."""

OPERATORS = frozenset(_lines("postgres_operators.txt"))
"""Names of the built-in operators."""

SAMPLING_METHODS = frozenset({"bernoulli", "system"})
"""TABLESAMPLE methods that ship with PostgreSQL."""

SETTINGS = frozenset(
    {
        "client_encoding", "datestyle", "default_transaction_read_only", "extra_float_digits",
        "intervalstyle", "lc_collate", "lc_ctype", "max_identifier_length", "search_path",
        "server_encoding", "server_version", "server_version_num", "standard_conforming_strings",
        "statement_timeout", "timezone", "transaction_isolation", "transaction_read_only",
    }
)  # fmt: skip
"""Settings whose value tells how results are to be read, and no secret."""

_HARMLESS_CATALOGS = frozenset(_lines("postgres_catalogs.txt"))


def holds_data(schema: str, name: str) -> bool:
    """Whether a relation is a system one that is not known to hold definitions only.

    Args:
        schema: As written, or "".
        name: As PostgreSQL's parser folded it.
    """
    schema = _schema(schema, name)
    return is_system(schema, name) and f"{schema}.{name}" not in _HARMLESS_CATALOGS


def is_system(schema: str, name: str) -> bool:
    """Whether a relation belongs to PostgreSQL itself, or to another session (``pg_temp_3``)."""
    schema = _schema(schema, name)
    return schema == "information_schema" or schema.startswith("pg_")


def _schema(schema: str, name: str) -> str:
    """Unqualified, ``pg_catalog`` comes first in every search path, and all its names say so."""
    return schema or ("pg_catalog" if name.startswith("pg_") else "")
