"""`zt.sql`: one action through the gateway, from Python or from a tool cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, overload

from zt_kernel import actions, results
from zt_kernel import parameters as binding
from zt_kernel.cell import cell_id
from zt_kernel.errors import ZTRefused
from zt_kernel.gateway import session_gateway
from zt_kernel.held import HeldNotice
from zt_kernel.masked_frame import MaskedFrame
from zt_kernel.sql_line import Form

if TYPE_CHECKING:
    from zt_kernel.parquet import SavedResult
    from zt_kernel.scalars import Scalar

Parameters = Sequence[object] | Mapping[str, object]


@overload
def sql(
    connection: str,
    command: str,
    *,
    parameters: Parameters = (),
    limit: int | None = None,
    as_: Literal["pandas"] = "pandas",
) -> MaskedFrame: ...


@overload
def sql(
    connection: str,
    command: str,
    *,
    parameters: Parameters = (),
    limit: int | None = None,
    to: str,
    overwrite: bool = False,
) -> SavedResult: ...


@overload
def sql(
    connection: str,
    command: str,
    *,
    parameters: Parameters = (),
    limit: int | None = None,
    as_: Literal["polars", "arrow"],
) -> Any: ...


def sql(
    connection: str,
    command: str,
    *,
    parameters: Parameters = (),
    limit: int | None = None,
    to: str = "",
    overwrite: bool = False,
    as_: Form = "pandas",
) -> Any:
    """Runs one SQL command on a connection.

    Args:
        connection: Its name; `%zt` lists them.
        command: One statement.
        parameters: A sequence for ``$1``, ``$2`` and so on, or a mapping for ``:name``: never
            paste values into the text.
        limit: Rows after which the result ends.
        to: A Parquet file in the notebook's folder that the rows go to instead.
        overwrite: Whether that file may be there already.
        as_: ``pandas``, or ``polars`` and ``arrow`` (a `pyarrow.Table`) where installed.

    Returns:
        A pandas DataFrame of masked values, which shows where it comes from; or what was asked for.

    Raises:
        ZTRefused: The gateway said no; `code`, `hint` and `who` say why and what helps.
        ZTError: Anything else that went wrong.
    """
    bound = bind(command, parameters)
    return fetch(
        connection,
        bound.text,
        parameters=bound.values,
        limit=limit,
        to=to,
        overwrite=overwrite,
        form=as_,
    )[1]


def bind(command: str, parameters: Parameters) -> binding.Bound:
    """The command with its values: by name from a mapping, else by place.

    Raises:
        ZTRefused: As `zt_kernel.parameters.bind`.
    """
    if isinstance(parameters, Mapping):
        return binding.bind(command, parameters, "parameter")
    return binding.Bound(command, binding.positional(parameters))


def fetch(
    connection: str,
    command: str,
    *,
    parameters: Sequence[Scalar] = (),
    limit: int | None = None,
    to: str = "",
    overwrite: bool = False,
    form: Form = "pandas",
) -> tuple[actions.Outcome, Any]:
    """As `sql`, with how it ended (without the rows)."""
    if limit is not None and limit < 1:
        raise ZTRefused(
            "A limit is a number of rows from 1.", code="bad_options", hint="Leave it out for all."
        )
    if to:
        from zt_kernel.parquet import ParquetFile  # noqa: PLC0415 - megabytes, for few cells

        file = ParquetFile(to, overwrite=overwrite)
        try:
            outcome = run(
                connection, command, parameters=parameters, max_rows=limit, receive=file.receive
            )
            return outcome, file.publish(outcome)
        finally:
            file.discard()
    results.check(form)
    outcome = results.limited(run(connection, command, parameters=parameters, max_rows=limit))
    return replace(outcome, table=None), results.of(outcome, form)


def run(
    connection: str,
    command: str,
    *,
    parameters: Sequence[Scalar] = (),
    cause: str = "",
    agent: str = "",
    max_rows: int | None = None,
    receive: actions.Receive | None = None,
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
        max_rows=max_rows,
    )
    return actions.run(session_gateway(), asked, HeldNotice(connection), receive)
