"""What may follow in a `%%sql` cell: connections, tables, columns, variables for `:name`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from zt_kernel.catalog import Kept, Table
from zt_kernel.identifiers import written

_CELL = re.compile(r"\s*%%sql[^\S\n]+")
_LINE = re.compile(r"(?:^|\n)[^\n]*?%sql[^\S\n]+(?=[^\n]*$)")
_CONNECTION = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_WORD = re.compile(r"(?:(\w+|\"[^\"\n]+\")\.)?(:?\"?\w*)$")
_WANTS_TABLE = re.compile(r"(?i)\b(?:from|join|update|into|table|only)\s+\S*$")
_NAMED = re.compile(
    r"(?i)\b(?:from|join|update|into|,)\s+(\w+|\"[^\"]+\")(?:\s+(?:as\s+)?(\w+))?"
    r"|,\s*(\w+|\"[^\"]+\")(?:\s+(?:as\s+)?(\w+))?"
)
_OPTIONS = ("--as", "--limit", "--overwrite", "--to")


@dataclass(frozen=True, slots=True)
class Offer:
    """What could stand from `start` up to the cursor: (text, what it is)."""

    start: int
    matches: tuple[tuple[str, str], ...]


def complete(code: str, cursor: int, kept: Kept, names: Mapping[str, object]) -> Offer | None:
    """What could follow.

    Args:
        code: The cell.
        cursor: Place in it.
        kept: What the gateway has told.
        names: The notebook's variables.

    Returns:
        None where this is no SQL, which is Python's to complete.
    """
    before = code[:cursor]
    found = _CELL.match(before) or _LINE.search(before)
    if found is None:
        return None
    line = before[found.end() :]
    name = _CONNECTION.match(line)
    if name is None or name.end() == len(line):
        offers = ((one, "connection") for one in kept.connections())
        return _offer(cursor, line, offers)
    if _in_quotes(line):
        return Offer(cursor, ())
    option = re.search(r"(?:^|\s)(--\w*)$", line)
    if option is not None and "\n" not in line:
        return _offer(cursor, option[1], ((one, "option") for one in _OPTIONS))
    word = _WORD.search(line)
    assert word is not None  # noqa: S101 - it matches nothing, too
    owner, prefix = word[1], word[2]
    if prefix.startswith(":"):
        own = sorted(one for one in names if not one.startswith("_"))
        return _offer(cursor, prefix, ((f":{one}", "variable") for one in own))
    tables = kept.tables(name[0])
    statement = code[found.end() + name.end() :]
    if found.re is _LINE:
        statement = statement.partition("\n")[0]
    if owner is not None:
        return _offer(cursor, prefix, _columns(_of_owner(tables, statement, owner)))
    everything = [(written(one.name), "table") for one in tables]
    if not _WANTS_TABLE.search(line):
        mentioned = [table for table in tables if table.name in _mentioned(statement).values()]
        everything = [*_columns(mentioned or tables), *everything]
    return _offer(cursor, prefix, everything)


def _offer(cursor: int, prefix: str, offers: Iterable[tuple[str, str]]) -> Offer:
    small = prefix.lower().lstrip('"')
    matches = dict.fromkeys(
        (text, kind) for text, kind in offers if text.lower().lstrip('"').startswith(small)
    )
    return Offer(cursor - len(prefix), tuple(matches))


def _columns(tables: Iterable[Table]) -> list[tuple[str, str]]:
    return [
        (written(column.name), f"column {column.type}")
        for table in tables
        for column in table.columns
    ]


def _of_owner(tables: Iterable[Table], statement: str, owner: str) -> list[Table]:
    """The table that a name or an alias before a point stands for."""
    plain = _unquoted(owner)
    meant = {_mentioned(statement).get(plain, plain), plain}
    return [table for table in tables if table.name in meant]


def _mentioned(statement: str) -> dict[str, str]:
    """Alias, or name, of what stands after FROM, JOIN and so on -> name."""
    found: dict[str, str] = {}
    for match in _NAMED.finditer(statement):
        name = _unquoted(match[1] or match[3])
        found[name] = name
        if alias := match[2] or match[4]:
            found[alias.lower()] = name
    return found


def _unquoted(name: str) -> str:
    return name[1:-1] if name.startswith('"') else name.lower()


def _in_quotes(text: str) -> bool:
    return text.count("'") % 2 == 1
