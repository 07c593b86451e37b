"""What a session may read on a connection: names and types of tables and columns, no row.

1. The connection is one of the session's, or of its agent's.
2. What leases can read at all: the masked views, in step with the target's schema.
3. What policy denies this principal is left out: the whole table, or single columns.

Nothing is leased or run. The names are the masked views', which any lease can read too, so it is
no action and has no record, as the session's own description has none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from jupyter_zt.errors import NotFoundError
from jupyter_zt.gateway.rooms import Rooms
from jupyter_zt.gateway.sessions import LiveSession
from jupyter_zt.gateway.targets import TableColumn, Tables, Target
from jupyter_zt.gateway.wire import ShownColumn, ShownMask, ShownTable, ShownTables
from jupyter_zt.model import Action, MaskKind, Verdict, quote_identifier
from jupyter_zt.model.masks import strictest


async def shown_tables(rooms: Rooms, session: LiveSession, connection: str) -> ShownTables:
    """The tables of one connection, as this session may read them.

    Raises:
        NotFoundError: `unknown_connection`.
        ZTError: The target can't be asked.
    """
    # (1) As an action would be told: an agent's or a service's session knows its own only.
    ceilings = rooms.ceilings(session, session.agent)
    target = rooms.targets.get(connection)
    if target is None or any(connection not in one.connections for one in ceilings):
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
    rooms: Rooms, session: LiveSession, target: Target, tables: Tables
) -> list[ShownTable]:
    found = []
    for name, columns in tables.items():
        shown = _shown(rooms, session, target, name, columns)
        if not shown:
            single = (_shown(rooms, session, target, name, (column,)) for column in columns)
            shown = [column for one in single for column in one]
        if shown:
            found.append(ShownTable(name=name, columns=shown))
    return found


def _shown(
    rooms: Rooms,
    session: LiveSession,
    target: Target,
    table: str,
    columns: tuple[TableColumn, ...],
) -> list[ShownColumn]:
    """These columns, if policy lets them be read together, with the masks that it asks for."""
    names = ", ".join(quote_identifier(column.name) for column in columns)
    command = f"SELECT {names} FROM {quote_identifier(table)} LIMIT 1"  # noqa: S608 - only analyzed
    action = Action("", session.id, target.name, command, agent=session.agent)
    decision = rooms.decide(session, action, target, rooms.analyze(action, target))
    if decision.verdict is Verdict.DENY:
        return []
    least = dict(decision.obligations.masks)
    return [
        ShownColumn(name=column.name, type=column.type, mask=_mask(column, least))
        for column in columns
    ]


def _mask(column: TableColumn, least: Mapping[str, MaskKind]) -> ShownMask | None:
    tag = column.mask.tag
    kind = strictest(column.mask.kind, least.get(tag, column.mask.kind))
    return None if kind is MaskKind.CLEAR else ShownMask(kind=kind.value, tag=tag)
