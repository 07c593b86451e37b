"""`zt.sql`: one action through the gateway, from Python or from a tool cell."""

from __future__ import annotations

from collections.abc import Sequence

from zt_kernel import actions
from zt_kernel.cell import cell_id
from zt_kernel.errors import ZTRefused
from zt_kernel.gateway import session_gateway
from zt_kernel.held import HeldNotice
from zt_kernel.masked_frame import MaskedFrame


def sql(connection: str, command: str, *, parameters: Sequence[actions.Scalar] = ()) -> MaskedFrame:
    """Runs one SQL command on a connection.

    Args:
        connection: Its name; `%zt` lists them.
        command: One statement, sent exactly as written.
        parameters: Values for ``$1``, ``$2`` and so on: never paste them into the text.

    Returns:
        A pandas DataFrame of masked values, which shows where it comes from.

    Raises:
        ZTRefused: The gateway said no; `code`, `hint` and `who` say why and what helps.
        ZTError: Anything else that went wrong.
    """
    return MaskedFrame.of(run(connection, command, parameters=parameters))


def run(
    connection: str,
    command: str,
    *,
    parameters: Sequence[actions.Scalar] = (),
    cause: str = "",
    agent: str = "",
) -> actions.Outcome:
    """Runs one action and shows it while it is held. Raises as `sql` does."""
    if not command.strip():
        raise ZTRefused(
            "There is no command.",
            code="empty_command",
            hint="Write one SQL statement below the line with the connection's name.",
        )
    asked = actions.Command(
        connection=connection,
        text=command,
        parameters=tuple(parameters),
        cell=cell_id(),
        cause=cause,
        agent=agent,
    )
    return actions.run(session_gateway(), asked, HeldNotice(connection))
