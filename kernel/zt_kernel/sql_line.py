"""How the line of a tool cell is read.

::

    %%sql warehouse                  %%sql warehouse orders <<       %%sql warehouse
    select * from orders             select * from orders           orders << select * from orders

    %sql warehouse select 1          %sql warehouse one << select 1

    %%sql warehouse --limit 100 --as arrow orders <<
    %%sql warehouse --to orders.parquet --overwrite
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

from zt_kernel.errors import ZTRefused

Form = Literal["pandas", "polars", "arrow"]
FORMS: tuple[Form, ...] = get_args(Form)
OPTIONS = "--limit N, --to FILE.parquet, --overwrite, --as pandas|polars|arrow"

_CONNECTION = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_.-]*)(?=\s|$)[^\S\n]*")
_NAME = re.compile(r"\s*([^\W\d]\w*)\s*<<[^\S\n]*\n?")
_OPTION = re.compile(r"[^\S\n]*--([A-Za-z][\w-]*)(?=\s|=|$)")
_VALUE = re.compile(r"(?:=|[^\S\n]+)(?:\"([^\"\n]+)\"|'([^'\n]+)'|([^\s\"'-]\S*))")


@dataclass(frozen=True, slots=True)
class SqlCell:
    """A tool cell, taken apart.

    Attributes:
        command: Exactly what the person wrote, without the connection, options and assignment.
        name: Variable that the result is assigned to; "" shows it instead.
        limit: Rows after which the result ends; None for the connection's own limit.
        to: File that the result is written to; "" for none.
        overwrite: Whether that file may be there already.
        form: What the result becomes.
    """

    connection: str
    command: str
    name: str = ""
    limit: int | None = None
    to: str = ""
    overwrite: bool = False
    form: Form = "pandas"


def read(line: str, body: str | None) -> SqlCell:
    """Takes a tool cell apart.

    Args:
        line: What follows `%%sql` or `%sql` on its line.
        body: The lines below, or None for the line form.

    Raises:
        ZTRefused: ``no_connection``, ``bad_options``.
    """
    found = _CONNECTION.match(line)
    if found is None:
        raise ZTRefused(
            "The name of a connection is missing.",
            code="no_connection",
            hint="Write `%%sql warehouse`, with a name that %zt lists.",
        )
    options: dict[str, str] = {}
    rest = _take_options(line[found.end() :], options)
    name = _NAME.match(rest)
    if name is not None:
        rest = _take_options(rest[name.end() :], options)
    if body is not None:
        rest = f"{rest}\n{body}" if rest.strip() else body
    if name is None:
        name = _NAME.match(rest)
        rest = rest[name.end() :] if name else rest
    cell = SqlCell(
        connection=found[1],
        command=rest.rstrip("\n"),
        name=name[1] if name else "",
        limit=_limit(options.get("limit")),
        to=options.get("to", ""),
        overwrite="overwrite" in options,
        form=_form(options.get("as", "pandas")),
    )
    if cell.to and (cell.name or "as" in options):
        raise _bad("--to writes a file: there is nothing to assign, and no other form")
    if cell.overwrite and not cell.to:
        raise _bad("--overwrite is about the file of --to")
    return cell


def _take_options(text: str, options: dict[str, str]) -> str:
    """Reads the options that the text begins with; returns what follows them."""
    while found := _OPTION.match(text):
        option, text = found[1], text[found.end() :]
        if option not in {"limit", "to", "overwrite", "as"}:
            raise _bad(f"there is no --{option}; an SQL comment has a space after its dashes")
        if option in options:
            raise _bad(f"--{option} stands there twice")
        options[option] = ""
        if option != "overwrite":
            value = _VALUE.match(text)
            if value is None:
                raise _bad(f"--{option} has no value")
            options[option] = value[1] or value[2] or value[3]
            text = text[value.end() :]
    return text


def _limit(text: str | None) -> int | None:
    if text is None:
        return None
    if not re.fullmatch(r"[1-9][0-9]{0,14}", text):
        raise _bad(f"--limit wants a number of rows from 1, not {text!r}")
    return int(text)


def _form(text: str) -> Form:
    for form in FORMS:
        if form == text:
            return form
    raise _bad(f"--as wants one of {', '.join(FORMS)}, not {text!r}")


def _bad(what: str) -> ZTRefused:
    return ZTRefused(
        f"The line of %%sql can't be read: {what}.",
        code="bad_options",
        hint=f"Options stand right after the connection: {OPTIONS}.",
    )
