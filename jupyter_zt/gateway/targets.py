"""What the pipeline asks of a target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from jupyter_zt.gateway.answers import Answer
from jupyter_zt.model import Action, ColumnMask, Facts, Lease, LeastMasks, Obligation, Verb

Column = dict[str, object]


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A column of a masked view; `type` is the target's name for what the view shows."""

    name: str
    type: str
    mask: ColumnMask


Tables = Mapping[str, tuple[TableColumn, ...]]
"""Masked view -> its columns, in order."""


class Leasing(Protocol):
    """A target that gives short-lived identities."""

    async def check(self, facts: Facts, masks: LeastMasks) -> None:
        """Raises a `ZTError` when no lease could ever allow this: nobody is asked then."""
        ...

    async def lease_read(
        self, session: str, ttl_seconds: int, statement_seconds: float | None, masks: LeastMasks
    ) -> Lease:
        """A lease for a session's reads; the target itself stops statements that take longer.

        It sees at most what `masks` leave, besides the classification.
        """
        ...

    async def lease_write(
        self,
        session: str,
        facts: Facts,
        ttl_seconds: int,
        statement_seconds: float | None,
        masks: LeastMasks,
    ) -> Lease:
        """A lease for one write."""
        ...

    async def drop(self, lease: Lease) -> None:
        """Ends a lease and what runs on it."""
        ...

    async def drop_session(self, session: str) -> None:
        """Ends every lease of a session, and what runs on them."""
        ...


class Target(Protocol):
    """One connection, as the pipeline sees it.

    Attributes:
        leasing: None where commands need no identity at the target.
        carries: Obligations of a decision that are carried out here. Others are denied.
    """

    name: str
    kind: str
    description: str
    leasing: Leasing | None
    carries: frozenset[Obligation]

    def analyze(self, action: Action) -> Facts:
        """Command to facts. Never raises."""
        ...

    def constants(self, action: Action) -> frozenset[str]:
        """What it compares columns with whose masks leak a part; empty where it reads none."""
        ...

    def untrusted(self, facts: Facts) -> bool:
        """Whether strangers may have written what this reads."""
        ...

    def privileges(self, facts: Facts) -> tuple[str, ...]:
        """What the lease for these facts is made from, for an approval to be bound to."""
        ...

    async def estimate(self, lease: Lease | None, action: Action, comment: str) -> int | None:
        """How many rows the target expects the action to touch; None where it has no rows.

        Raises:
            ZTError: The target does not say.
        """
        ...

    def execute(
        self, lease: Lease | None, action: Action, comment: str, max_rows: int | None
    ) -> AbstractAsyncContextManager[Answer]:
        """Runs the action as the lease; `max_rows` narrows the connection's own limit."""
        ...

    def columns(self, facts: Facts, schema: pa.Schema, masks: LeastMasks) -> list[Column]:
        """Name, type and mask of each result column."""
        ...

    async def tables(self) -> Tables:
        """What leases can read, before policy is asked; a few seconds old at most."""
        ...

    async def prepare(self) -> None:
        """Makes the target ready."""
        ...

    async def close(self) -> None:
        """Drops leases and closes connections."""
        ...


def unknown_connection(name: str, known: Sequence[str]) -> Facts:
    """The facts of an action on a connection that there is not."""
    shown = name[:64]
    return Facts(
        verb=Verb.UNKNOWN,
        unknown=f"There is no connection {shown!r}; there are: {', '.join(known)}.",
    )
