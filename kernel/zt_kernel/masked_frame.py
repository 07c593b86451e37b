"""The result of an action: a pandas DataFrame that knows where it comes from."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pandas as pd

from zt_kernel.actions import Outcome
from zt_kernel.rendering import render
from zt_kernel.tables import to_pandas


class MaskedFrame(pd.DataFrame):
    """A DataFrame as the gateway gave it, which shows what was masked and by which record.

    Whatever is derived from it (a filter, a join, a copy) is an ordinary DataFrame: the footer
    speaks of the gateway's result and would be wrong about anything else.
    """

    _outcome: Outcome | None = None
    _shape_as_given: tuple[int, tuple[Any, ...]] | None = None

    @property
    def _constructor(self) -> type[pd.DataFrame]:
        return pd.DataFrame

    @classmethod
    def of(cls, outcome: Outcome) -> MaskedFrame:
        """The frame of a completed action; without rows where the action has none."""
        if outcome.table is None:
            frame = cls()
        else:
            table, columns = outcome.table, outcome.columns
            frame = cls(to_pandas(table, columns))
        # Arrow's copy of the rows is not kept alive.
        bare = Outcome(command=outcome.command, result=outcome.result, columns=outcome.columns)
        object.__setattr__(frame, "_outcome", bare)
        object.__setattr__(frame, "_shape_as_given", _shape(frame))
        return frame

    def _repr_mimebundle_(
        self,
        include: Collection[str] | None = None,
        exclude: Collection[str] | None = None,
    ) -> dict[str, Any]:
        """Everything that a notebook or a console may show of it."""
        # A column added or rows dropped in place: then it is a DataFrame like any other.
        if self._outcome is None or _shape(self) != self._shape_as_given:
            return {}
        return render(self, self._outcome)

    def __repr__(self) -> str:
        bundle = self._repr_mimebundle_()
        return str(bundle["text/plain"]) if bundle else super().__repr__()


def _shape(frame: pd.DataFrame) -> tuple[int, tuple[Any, ...]]:
    return len(frame), tuple(frame.columns)
