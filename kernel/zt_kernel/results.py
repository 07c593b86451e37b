"""What a result becomes: pandas, polars or Arrow."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from zt_kernel.actions import Outcome
from zt_kernel.errors import ZTRefused
from zt_kernel.masked_frame import MaskedFrame
from zt_kernel.rendering import footer
from zt_kernel.sql_line import FORMS, Form


def check(form: Form) -> None:
    """Whether a result can become that here, before anything is asked for.

    Raises:
        ZTRefused: ``unknown_form``, ``not_installed``.
    """
    if form not in FORMS:
        raise ZTRefused(
            f"A result can't become {form!r}.",
            code="unknown_form",
            hint=f"There are: {', '.join(FORMS)}.",
        )
    if form == "polars" and find_spec("polars") is None:
        raise ZTRefused(
            "polars is not installed where this kernel runs.",
            code="not_installed",
            hint="Leave --as out for pandas, or use --as arrow.",
            who="whoever runs this JupyterLab can add it to the kernel's environment",
        )


def of(outcome: Outcome, form: Form) -> Any:
    """The result, in that form. The outcome's table must not be used afterwards."""
    if form == "pandas":
        return MaskedFrame.of(outcome)
    table = outcome.table
    if table is None or form == "arrow":
        return table
    return import_module("polars").from_arrow(table)


def limited(outcome: Outcome) -> Outcome:
    """No more rows than were asked for, also where a restarted gateway has forgotten the limit."""
    limit = outcome.command.max_rows
    if limit is None or outcome.table is None or outcome.table.num_rows <= limit:
        return outcome
    return replace(outcome, table=outcome.table.slice(0, limit))


def assigned(name: str, outcome: Outcome) -> str:
    """What a cell shows that assigned its result instead of showing it."""
    first, *others = footer(outcome)
    return "\n".join([f"{name}: {first}", *others])
