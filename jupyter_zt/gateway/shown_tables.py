"""What a session may read on a connection: names and types of tables and columns, no row.

1. The connection is one of the session's, or of its agent's.
2. What leases can read at all: the masked views, in step with the target's schema.
3. What policy denies this principal is left out: the whole table, or single columns.

Nothing is leased or run. The names are the masked views', which any lease can read too, so it is
no action and has no record, as the session's own description has none.
"""

from __future__ import annotations

import asyncio

from jupyter_zt.errors import NotFoundError
from jupyter_zt.gateway.rooms import Rooms
from jupyter_zt.gateway.sessions import LiveSession
from jupyter_zt.gateway.targets import Target
from jupyter_zt.gateway.wire import ShownColumn, ShownTable, ShownTables
from jupyter_zt.model import Action, Verdict, quote_identifier


async def shown_tables(rooms: Rooms, session: LiveSession, connection: str) -> ShownTables:
    """The tables of one connection, as this session may read them.

    Raises:
        NotFoundError: `unknown_connection`.
        ZTError: The target can't be asked.
    """
    # (1) As an action would be told: an agent's session knows its agent's connections only.
    agent = rooms.agent(session.agent)
    target = rooms.targets.get(connection)
    if target is None or (agent is not None and connection not in agent.connections):
        raise NotFoundError(
            f"There is no connection {connection[:64]!r} in this session.",
            code="unknown_connection",
            hint="%zt lists what you may use.",
        )
    # (2) The target's word, a few seconds old at most.
    tables = await target.tables()
    # (3) In a thread: one decision takes about a millisecond, and there may be many tables.
    shown = await asyncio.to_thread(_permitted, rooms, session, target, tables)
    return ShownTables(connection=connection, tables=shown)


def _permitted(
    rooms: Rooms, session: LiveSession, target: Target, tables: list[ShownTable]
) -> list[ShownTable]:
    found = []
    for table in tables:
        columns = table.columns
        if not _may_read(rooms, session, target, table.name, columns):
            columns = [
                column
                for column in columns
                if _may_read(rooms, session, target, table.name, [column])
            ]
        if columns:
            found.append(ShownTable(name=table.name, columns=columns))
    return found


def _may_read(
    rooms: Rooms, session: LiveSession, target: Target, table: str, columns: list[ShownColumn]
) -> bool:
    names = ", ".join(quote_identifier(column.name) for column in columns)
    command = f"SELECT {names} FROM {quote_identifier(table)} LIMIT 1"  # noqa: S608 - only analyzed
    action = Action("", session.id, target.name, command, agent=session.agent)
    decision = rooms.decide(session, action, target, rooms.analyze(action, target))
    return decision.verdict is not Verdict.DENY
