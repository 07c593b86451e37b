"""How the line of a tool cell is read.

::

    %%sql warehouse                  %%sql warehouse orders <<       %%sql warehouse
    select * from orders             select * from orders           orders << select * from orders

    %sql warehouse select 1          %sql warehouse one << select 1
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from zt_kernel.errors import ZTRefused

_CONNECTION = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_.-]*)(?=\s|$)[^\S\n]*")
_NAME = re.compile(r"\s*([^\W\d]\w*)\s*<<[^\S\n]*\n?")


@dataclass(frozen=True, slots=True)
class SqlCell:
    """A tool cell, taken apart.

    Attributes:
        command: Exactly what the person wrote, without the connection and the assignment.
        name: Variable that the result is assigned to; "" shows it instead.
    """

    connection: str
    command: str
    name: str = ""


def read(line: str, body: str | None) -> SqlCell:
    """Takes a tool cell apart.

    Args:
        line: What follows `%%sql` or `%sql` on its line.
        body: The lines below, or None for the line form.

    Raises:
        ZTRefused: ``no_connection``.
    """
    found = _CONNECTION.match(line)
    if found is None:
        raise ZTRefused(
            "The name of a connection is missing.",
            code="no_connection",
            hint="Write `%%sql warehouse`, with a name that %zt lists.",
        )
    rest = line[found.end() :]
    if body is not None:
        rest = f"{rest}\n{body}" if rest.strip() else body
    name = _NAME.match(rest)
    command = rest[name.end() :] if name else rest
    return SqlCell(connection=found[1], command=command.rstrip("\n"), name=name[1] if name else "")
