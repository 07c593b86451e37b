"""Where approvals are kept.

Every write happens inside a transaction that the caller opens, so that a change of state and its
record are durable together or not at all.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, Row, and_, insert, or_, select, update

from jupyter_zt.errors import ConflictError, NotFoundError
from jupyter_zt.model import Action, Approval, ApprovalState, Human, Vote
from jupyter_zt.storage.gateway_tables import approvals, votes

MAX_CLOSED = 100
"""A session that asks and hangs up all day must not bury what waits."""

WAITING = (ApprovalState.OPEN, ApprovalState.APPROVED)


@dataclass(frozen=True, slots=True)
class HeldAction:
    """An approval with the action that it holds.

    Attributes:
        nonce: Hex, part of the digest.
        facts: `Facts.to_json()` when it was held, for showing.
        policy_digest: The policy set that held it.
    """

    approval: Approval
    action: Action
    agent: str | None
    nonce: str
    facts: dict[str, object]
    reasons: tuple[str, ...]
    policy_digest: str


class ApprovalStore:
    """Approvals in the gateway's database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, connection: Connection, held: HeldAction) -> None:
        """Inserts a new approval."""
        approval, action = held.approval, held.action
        connection.execute(
            insert(approvals).values(
                id=approval.id,
                action=action.id,
                session=approval.session,
                digest=approval.digest,
                nonce=held.nonce,
                requester_issuer=approval.requester.issuer,
                requester_subject=approval.requester.subject,
                requester_name=approval.requester.name,
                reviewer_role=approval.reviewer_role,
                quorum=approval.quorum,
                state=approval.state.value,
                opened_at=approval.opened_at.isoformat(),
                expires_at=approval.expires_at.isoformat(),
                agent=held.agent,
                connection=action.connection,
                command=action.command,
                parameters=json.dumps(action.parameters),
                cell=action.cell,
                cause=action.cause,
                facts=json.dumps(held.facts),
                reasons=json.dumps(held.reasons),
                policy_digest=held.policy_digest,
            )
        )

    def change(
        self, connection: Connection, before: Approval, after: Approval, now: datetime
    ) -> None:
        """Writes a step of the machine, if the stored state and votes are still `before`'s.

        Raises:
            ConflictError: Somebody else was first (one execution at most, whoever races).
        """
        closed_at = None if after.state in WAITING else now.isoformat()
        changed = connection.execute(
            update(approvals)
            .where(approvals.c.id == before.id, approvals.c.state == before.state.value)
            .values(state=after.state.value, closed_at=closed_at)
        )
        known = connection.execute(select(votes.c.subject).where(votes.c.approval == before.id))
        if changed.rowcount != 1 or len(known.all()) != len(before.votes):
            raise ConflictError("Somebody else was first.", code="state_changed", hint="Reload.")
        for vote in after.votes[len(before.votes) :]:
            connection.execute(
                insert(votes).values(
                    approval=after.id,
                    issuer=vote.human.issuer,
                    subject=vote.human.subject,
                    name=vote.human.name,
                    approve=vote.approve,
                    reason=vote.reason,
                    at=vote.at.isoformat(),
                )
            )

    def get(self, approval_id: str) -> HeldAction:
        """One approval. Raises `NotFoundError`."""
        return self._one(approvals.c.id == approval_id)

    def for_action(self, action_id: str) -> HeldAction:
        """The approval that holds this action. Raises `NotFoundError`."""
        return self._one(approvals.c.action == action_id)

    def _one(self, condition: Any) -> HeldAction:
        found = self._select(condition)
        if not found:
            raise NotFoundError("There is no such request.", code="unknown_approval")
        return found[0]

    def unfinished(self, connection: Connection | None = None) -> list[HeldAction]:
        """Everything open, approved or executing; within a transaction, when one is given."""
        states = [state.value for state in (*WAITING, ApprovalState.EXECUTING)]
        condition = approvals.c.state.in_(states)
        return self._select(condition) if connection is None else _read(connection, condition)

    def waiting(self) -> list[HeldAction]:
        """Everything open or approved: not begun, so a restart changes nothing for it."""
        return self._select(approvals.c.state.in_([state.value for state in WAITING]))

    def visible_to(self, human: Human, *, closed_since: datetime) -> list[HeldAction]:
        """What this person requested or may have a word on: waiting, or closed since then.

        Newest first; of the closed ones, the last `MAX_CLOSED`.
        """
        involved = or_(
            and_(
                approvals.c.requester_issuer == human.issuer,
                approvals.c.requester_subject == human.subject,
            ),
            approvals.c.reviewer_role.in_(sorted(human.roles)),
        )
        waiting = self._select(and_(involved, approvals.c.closed_at.is_(None)))
        recent = and_(involved, approvals.c.closed_at >= closed_since.isoformat())
        closed = self._select(recent, MAX_CLOSED)
        return sorted(waiting + closed, key=lambda held: held.approval.opened_at, reverse=True)

    def _select(self, condition: Any, limit: int | None = None) -> list[HeldAction]:
        with self._engine.connect() as connection:
            return _read(connection, condition, limit)


def _read(connection: Connection, condition: Any, limit: int | None = None) -> list[HeldAction]:
    rows = connection.execute(
        select(approvals).where(condition).order_by(approvals.c.opened_at.desc()).limit(limit)
    ).all()
    cast = connection.execute(
        select(votes).where(votes.c.approval.in_([row.id for row in rows])).order_by(votes.c.at)
    ).all()
    return [_held(row, [vote for vote in cast if vote.approval == row.id]) for row in rows]


def _held(row: Row[Any], cast: Sequence[Row[Any]]) -> HeldAction:
    approval = Approval(
        id=row.id,
        action=row.action,
        session=row.session,
        digest=row.digest,
        requester=Human(row.requester_issuer, row.requester_subject, row.requester_name),
        reviewer_role=row.reviewer_role,
        quorum=row.quorum,
        state=ApprovalState(row.state),
        opened_at=datetime.fromisoformat(row.opened_at),
        expires_at=datetime.fromisoformat(row.expires_at),
        votes=tuple(
            Vote(
                human=Human(vote.issuer, vote.subject, vote.name),
                approve=vote.approve,
                reason=vote.reason,
                at=datetime.fromisoformat(vote.at),
            )
            for vote in cast
        ),
    )
    action = Action(
        id=row.action,
        session=row.session,
        connection=row.connection,
        command=row.command,
        parameters=tuple(json.loads(row.parameters)),
        cell=row.cell,
        cause=row.cause,
        agent=row.agent,
    )
    return HeldAction(
        approval=approval,
        action=action,
        agent=row.agent,
        nonce=row.nonce,
        facts=json.loads(row.facts),
        reasons=tuple(json.loads(row.reasons)),
        policy_digest=row.policy_digest,
    )
