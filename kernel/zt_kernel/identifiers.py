"""Names of tables and columns as PostgreSQL wants them written."""

from __future__ import annotations

import re

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")
# PostgreSQL 18, appendix C: reserved, with or without exceptions.
_WORDS = (
    "all analyse analyze and any array as asc asymmetric authorization binary both case cast check"
    " collate collation column concurrently constraint create cross current_catalog current_date"
    " current_role current_schema current_time current_timestamp current_user default deferrable"
    " desc distinct do else end except false fetch for foreign freeze from full grant group having"
    " ilike in initially inner intersect into is isnull join lateral leading left like limit"
    " localtime localtimestamp natural not notnull null offset on only or order outer overlaps"
    " placing primary references returning right select session_user similar some symmetric"
    " system_user table tablesample then to trailing true union unique user using variadic verbose"
    " when where window with"
)
_RESERVED = frozenset(_WORDS.split())


def written(name: str) -> str:
    """The name, quoted where it has to be."""
    if _PLAIN.fullmatch(name) and name not in _RESERVED:
        return name
    return quoted(name)


def quoted(name: str) -> str:
    """The name in quotes."""
    return '"' + name.replace('"', '""') + '"'
