"""One command for one connection."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Action:
    """One command for one connection, from one tool cell or one call in a cell.

    Attributes:
        id: Chosen by the gateway (``a_`` + 128 random bits in hex), never by the client.
        connection: Name of the target, as configured.
        command: Exact text as the user wrote it.
        parameters: Positional bind parameters (``$1`` first), JSON scalars.
        cell: Message id of the execute request that it came from, as the runtime says; "" if none.
        cause: Leaf of the record that led to it (a model call), as the runtime says; "" if none.
        agent: As which agent it is done: the session's, or one that the runtime narrows itself to.
        max_rows: Rows after which the result is cut, as the runtime asks; None for the limits of
            policy, agent and connection alone. It only narrows those, so no consent is bound to it.
    """

    id: str
    session: str
    connection: str
    command: str
    parameters: tuple[str | int | float | bool | None, ...] = ()
    cell: str = ""
    cause: str = ""
    agent: str | None = None
    max_rows: int | None = None

    @property
    def command_sha256(self) -> str:
        """Hex SHA-256 of the command's exact UTF-8 bytes."""
        return hashlib.sha256(self.command.encode("utf-8", "surrogatepass")).hexdigest()
