"""Steps of an approval, each durable together with its record, and known to whoever waits."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import datetime

from sqlalchemy import Connection

from jupyter_zt import approvals
from jupyter_zt.approvals import ApprovalStore, HeldAction
from jupyter_zt.errors import ConflictError
from jupyter_zt.gateway.changes import Changes
from jupyter_zt.gateway.records import Records
from jupyter_zt.model import Approval, ApprovalState, Human, RecordDraft, RecordKind

logger = logging.getLogger(__name__)


class Consent:
    """The approval state machine with the log, the database and the waiting cells around it."""

    def __init__(
        self,
        records: Records,
        store: ApprovalStore,
        changes: Changes,
        clock: Callable[[], datetime],
    ) -> None:
        self._records = records
        self._store = store
        self._changes = changes
        self._clock = clock

    def opened_draft(self, held: HeldAction) -> RecordDraft:
        """The record of a new approval, to be appended together with its intent."""
        return RecordDraft(
            kind=RecordKind.APPROVAL_OPENED,
            session=held.approval.session,
            fields={
                "action": held.action.id,
                "approval": held.approval.id,
                "digest": held.approval.digest,
                "nonce": held.nonce,
                "reviewer_role": held.approval.reviewer_role,
                "quorum": str(held.approval.quorum),
                "reasons": list(held.reasons),
                "expires_at": held.approval.expires_at.isoformat(),
            },
        )

    async def vote(
        self, held: HeldAction, human: Human, *, approve: bool, reason: str, digest: str
    ) -> None:
        """Counts one person's word. Raises what `approvals.vote` raises."""
        before = held.approval
        after = approvals.vote(
            before, human, approve=approve, reason=reason, digest=digest, now=self._clock()
        )
        drafts = [
            RecordDraft(
                kind=RecordKind.APPROVAL_VOTE,
                session=before.session,
                fields={
                    "action": before.action,
                    "approval": before.id,
                    "digest": digest,
                    "approve": approve,
                    "by": {"iss": human.issuer, "sub": human.subject, "name": human.name},
                },
                bodies={"reason": reason.encode()} if reason else {},
            )
        ]
        if after.state is ApprovalState.DENIED:
            drafts.append(_closed_draft(after, {}))
        await self._write(drafts, before, after)

    async def expire(self, held: HeldAction) -> None:
        """Its time is over: a denial."""
        after = approvals.expire(held.approval, self._clock())
        await self._write([_closed_draft(after, {})], held.approval, after)

    async def cancel(self, held: HeldAction, why: str) -> None:
        """The requester no longer waits. Nothing happens when it was closed already."""
        after = approvals.cancel(held.approval)
        if after is not held.approval:
            await self._write([_closed_draft(after, {"why": why})], held.approval, after)

    async def void(self, held: HeldAction, why: str) -> None:
        """What would run is no longer what was approved."""
        after = approvals.void(held.approval)
        if after is not held.approval:
            await self._write([_closed_draft(after, {"why": why})], held.approval, after)

    async def begin(self, held: HeldAction, digest: str) -> Approval:
        """The one way into execution: durable before any byte goes upstream.

        Raises:
            ConflictError: It is not approved any more, or `digest` differs.
        """
        after = approvals.begin(held.approval, digest=digest, now=self._clock())
        draft = RecordDraft(
            kind=RecordKind.EXECUTE_START,
            session=after.session,
            fields={"action": after.action, "approval": after.id, "digest": digest},
        )
        await self._write([draft], held.approval, after)
        return after

    def finishing(
        self, executing: Approval, *, outcome_known: bool
    ) -> tuple[RecordDraft, Approval]:
        """The record and the state that close an execution, to go with its result's record."""
        after = approvals.finish(executing, outcome_known=outcome_known)
        return _closed_draft(after, {}), after

    async def restore(self) -> None:
        """After a start: what was executing has an unknown outcome; what waits still waits."""
        for held in self._store.unfinished():
            after = approvals.restore(held.approval)
            if after is held.approval:
                continue
            try:
                await self._write([_closed_draft(after, {})], held.approval, after)
            except ConflictError as error:
                # One odd row must not keep the gateway from starting; it can't be executed.
                logger.error("approval %s is left as it is: %s", after.id, error)  # noqa: TRY400

    def seal(self, connection: Connection, session: str) -> None:
        """Closes what a session leaves behind, in the transaction of its `seal` record.

        That transaction also gives each action without an outcome its ``unknown_outcome``.
        """
        now = self._clock()
        for held in self._store.unfinished(connection):
            if held.approval.session == session:
                after = approvals.cancel(approvals.restore(held.approval))
                self._store.change(connection, held.approval, after, now)

    async def _write(self, drafts: list[RecordDraft], before: Approval, after: Approval) -> None:
        now = self._clock()
        await self._records.append(
            drafts,
            also=lambda connection, _records: self._store.change(connection, before, after, now),
        )
        self._changes.notify()


def _closed_draft(after: Approval, extra: Mapping[str, str]) -> RecordDraft:
    return RecordDraft(
        kind=RecordKind.APPROVAL_CLOSED,
        session=after.session,
        fields={
            "action": after.action,
            "approval": after.id,
            "state": after.state.value,
            **extra,
        },
    )
