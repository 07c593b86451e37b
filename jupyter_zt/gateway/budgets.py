"""Budgets: how much a session, a person, an agent or everybody may take of the targets.

1. Before an action, what can be foreseen is checked against every budget that covers it: one more
   call, the constants that it compares leaky columns with, one more approval to wait for, and
   whether anything of the others is left. A spent budget denies.
2. A call and its constants are counted with the intent, in the same transaction.
3. Rows and bytes are counted batch by batch, before they are released; where a budget ends, the
   result is cut, and says so. They are stored with the result's record, and every half second
   before.
4. Model tokens are known afterwards only: the call that goes over is the last one.

Counts outlive kernels and gateways. They are kept in memory by the one process that serves, and
stored in its database; a count that could not be stored stays counted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, Engine, delete, insert, select, true

from jupyter_zt.gateway.budget_settings import Budget
from jupyter_zt.gateway.sessions import LiveSession
from jupyter_zt.model import Action, Decision, Verdict
from jupyter_zt.storage import write_transaction
from jupyter_zt.storage.gateway_tables import budget_constants, budget_usage

_FOREVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True, eq=False)
class Usage:
    """What one subject has used of one budget in one window."""

    budget: Budget
    subject: str
    since: datetime
    calls: int = 0
    rows: int = 0
    bytes: int = 0
    model_tokens: int = 0
    constants: set[str] = field(default_factory=set)
    unstored: set[str] = field(default_factory=set)

    def left(self, what: str) -> int | None:
        """How much of a limit is left, or None where there is no such limit."""
        limit: int | None = getattr(self.budget, what)
        return None if limit is None else max(0, limit - getattr(self, what))


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What is known of an action before it runs.

    Attributes:
        constants: What it compares leaky columns with; empty where it reads none.
        pending: Approvals that already wait, by the same measure as the budget: per what -> count.
    """

    constants: frozenset[str] = frozenset()
    held: bool = False
    pending: Mapping[str, int] = field(default_factory=dict)


class Meter:
    """Counts one action's answer against its budgets, while it is delivered."""

    def __init__(self, usages: Sequence[Usage]) -> None:
        self.usages = usages
        self.cut: dict[str, str] | None = None
        """Which budget cut the result ({"limit", "value", "hint"}), or None."""
        self.unstored = False
        """Whether something was counted since `stored`."""

    @property
    def counts(self) -> bool:
        """Whether any budget covers this action."""
        return bool(self.usages)

    def take(self, rows: int, size_bytes: int) -> int:
        """Counts a batch; returns how many of its rows may be released, all or its beginning."""
        granted = rows
        for usage in self.usages:
            for what, wanted in (("rows", rows), ("bytes", size_bytes)):
                left = usage.left(what)
                if left is None or left >= wanted:
                    continue
                share = left if what == "rows" else rows * left // max(1, wanted)
                if share < granted or self.cut is None:
                    granted = min(granted, share)
                    self.cut = _cut(usage, what)
        self.unstored = self.counts
        for usage in self.usages:
            usage.rows += granted
            usage.bytes += size_bytes * granted // max(1, rows)
        return granted

    def model_tokens(self, tokens: int) -> None:
        """Counts a model's answer."""
        self.unstored = self.counts
        for usage in self.usages:
            usage.model_tokens += tokens

    def write(self, connection: Connection) -> None:
        """Stores the counts, inside somebody's transaction; then call `stored`."""
        for usage in self.usages:
            _store(connection, usage)

    def stored(self) -> None:
        """That transaction is durable."""
        self.unstored = False
        for usage in self.usages:
            usage.unstored.clear()


class Budgets:
    """All budgets of this gateway, and what was used of them.

    Args:
        configured: From `gateway.yaml`.
        engine: Where counts are stored.
        clock: Aware time of now.
    """

    def __init__(
        self, configured: Sequence[Budget], engine: Engine, clock: Callable[[], datetime]
    ) -> None:
        self._configured = tuple(configured)
        self._engine = engine
        self._clock = clock
        self._usages: dict[tuple[str, str], Usage] = {}

    def meter(self, session: LiveSession, action: Action) -> Meter:
        """Counts what an action of this session uses."""
        found = []
        for budget in self._configured:
            subject = _subject(budget, session, action)
            if subject is not None:
                found.append(self._usage(budget, subject))
        return Meter(found)

    @property
    def count_constants(self) -> bool:
        """Whether any budget counts what leaky columns are compared with."""
        return any(budget.constants is not None for budget in self._configured)

    def charge(self, meter: Meter, decision: Decision, foreseen: Foreseen) -> Decision:
        """Counts the call and its constants, or denies because a budget is spent.

        Args:
            meter: `Meter.write` stores the counts with the intent.
            decision: Allow or hold; it is never loosened.
            foreseen: Of this action.
        """
        for usage in meter.usages:
            what = _spent(usage, foreseen)
            if what:
                return _denial(decision, usage, what, self._clock())
        meter.unstored = True
        for usage in meter.usages:
            usage.calls += 1
            if usage.budget.constants is not None:
                usage.unstored |= foreseen.constants - usage.constants
                usage.constants |= foreseen.constants
        return decision

    def store(self, meter: Meter) -> None:
        """Stores counts by themselves, where no record is made."""
        with write_transaction(self._engine) as connection:
            meter.write(connection)
        meter.stored()

    def _usage(self, budget: Budget, subject: str) -> Usage:
        since = _window(budget, self._clock())
        known = self._usages.get((budget.name, subject))
        if known is None or known.since != since:
            known = self._load(budget, subject, since)
            self._usages[budget.name, subject] = known
        return known

    def _load(self, budget: Budget, subject: str, since: datetime) -> Usage:
        usage = Usage(budget, subject, since)
        with self._engine.connect() as connection:
            row = connection.execute(
                select(budget_usage).where(
                    budget_usage.c.budget == budget.name,
                    budget_usage.c.subject == subject,
                    budget_usage.c.since == since.isoformat(),
                )
            ).one_or_none()
            if row is not None:
                usage.calls, usage.rows = row.calls, row.rows
                usage.bytes, usage.model_tokens = row.bytes, row.model_tokens
            usage.constants.update(
                connection.execute(
                    select(budget_constants.c.constant).where(
                        budget_constants.c.budget == budget.name,
                        budget_constants.c.subject == subject,
                        budget_constants.c.since == since.isoformat(),
                    )
                ).scalars()
            )
        return usage


def constant_digests(constants: frozenset[str]) -> frozenset[str]:
    """What is kept of constants: enough to count them once, not what they say."""
    return frozenset(hashlib.sha256(text.encode()).hexdigest() for text in constants)


def _subject(budget: Budget, session: LiveSession, action: Action) -> str | None:
    """Whose count it is, or None where the budget does not cover this action."""
    if budget.connection and budget.connection != action.connection:
        return None
    match budget.per:
        case "session":
            return session.id
        case "human":
            return session.human.key
        case "agent":
            return action.agent and f"{action.agent} for {session.human.key}"
        case "connection":
            return action.connection


def _window(budget: Budget, now: datetime) -> datetime:
    """Since when is counted: windows follow each other from midnight UTC, 1 January 1970."""
    if budget.window_seconds is None:
        return _FOREVER
    return now - (now - _FOREVER) % timedelta(seconds=budget.window_seconds)


def _spent(usage: Usage, foreseen: Foreseen) -> str:
    """Which limit this action would go over, or ""."""
    budget = usage.budget
    new = foreseen.constants - usage.constants  # what asks for nothing new is free
    if budget.constants is not None and new and len(usage.constants) + len(new) > budget.constants:
        return "constants"
    waiting = foreseen.pending.get(budget.per, 0)
    if budget.pending is not None and foreseen.held and waiting >= budget.pending:
        return "pending"
    return next(
        (what for what in ("calls", "rows", "bytes", "model_tokens") if usage.left(what) == 0), ""
    )


_WHAT = {
    "calls": "calls",
    "rows": "rows",
    "bytes": "bytes",
    "model_tokens": "model tokens",
    "constants": "different values to compare partly masked columns with",
    "pending": "requests that wait for approval at once",
}
_PER = {
    "session": "this session",
    "human": "you",
    "agent": "this agent for you",
    "connection": "everybody on this connection",
}


def _denial(decision: Decision, usage: Usage, what: str, now: datetime) -> Decision:
    budget = usage.budget
    limit = f"{getattr(budget, what):,} {_WHAT[what]}"
    return replace(
        decision,
        verdict=Verdict.DENY,
        code="budget_spent",
        message=f"The budget {budget.name} gives {_PER[budget.per]} {limit}"
        f"{_within(budget)}, and this would be more.",
        hint=_when(usage, what, now),
        reasons=(f"budget {budget.name}",),
    )


def _within(budget: Budget) -> str:
    if budget.window_seconds is None:
        return ""
    return f" in {timedelta(seconds=budget.window_seconds)} (hours:minutes:seconds)"


def _when(usage: Usage, what: str, now: datetime) -> str:
    if what == "pending":
        return "Wait for a decision on one of them, or stop it."
    if usage.budget.window_seconds is None:
        return "Ask an administrator: budgets stand in gateway.yaml."
    until = _window(usage.budget, now) + timedelta(seconds=usage.budget.window_seconds)
    return f"It begins anew at {until:%Y-%m-%d %H:%M} UTC."


def _cut(usage: Usage, what: str) -> dict[str, str]:
    return {
        "limit": f"budget_{what}",
        "value": str(getattr(usage.budget, what)),
        "hint": f"The budget {usage.budget.name} is spent. Aggregate, or select fewer columns.",
    }


def _store(connection: Connection, usage: Usage) -> None:
    key = {
        "budget": usage.budget.name,
        "subject": usage.subject,
        "since": usage.since.isoformat(),
    }
    for table in (budget_usage, budget_constants):
        past = table.c.since != key["since"] if table is budget_constants else true()
        connection.execute(
            delete(table).where(
                table.c.budget == key["budget"], table.c.subject == key["subject"], past
            )
        )
    connection.execute(
        insert(budget_usage).values(
            **key, calls=usage.calls, rows=usage.rows, bytes=usage.bytes,
            model_tokens=usage.model_tokens,
        )
    )  # fmt: skip
    if usage.unstored:
        connection.execute(
            insert(budget_constants), [{**key, "constant": one} for one in sorted(usage.unstored)]
        )
