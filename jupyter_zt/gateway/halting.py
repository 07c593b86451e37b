"""Stops what a session does: what runs, what waits, what it holds at the targets.

The one path for every end: a logout, a disabled account, a revocation, the end of the kernel.

1. (The caller has changed the session's state: no action begins any more.)
2. Actions under way are cancelled, and the target stops their statements.
3. Held requests are withdrawn: nobody consents to them any more.
4. Leases are dropped, at all targets at once. Where a target can't be reached the lease expires by
   itself, and the log says until when.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping

from jupyter_zt.approvals import ApprovalStore
from jupyter_zt.errors import ConflictError, ZTError
from jupyter_zt.gateway.consent import Consent
from jupyter_zt.gateway.records import Records
from jupyter_zt.gateway.sessions import LiveSession
from jupyter_zt.gateway.targets import Target
from jupyter_zt.model import Lease, RecordDraft, RecordKind

STOP_SECONDS = 5
"""How long actions may take to stop and to record how they ended."""

DROP_SECONDS = 5
"""How long a target may take to drop a session's leases before they count as left to expire."""

logger = logging.getLogger(__name__)


class Halting:
    """Stops sessions.

    Args:
        records: The log.
        consent: Withdraws what is held.
        approvals: Knows what is held.
        targets: Where leases are.
    """

    def __init__(
        self,
        records: Records,
        consent: Consent,
        approvals: ApprovalStore,
        targets: Mapping[str, Target],
    ) -> None:
        self._records = records
        self._consent = consent
        self._approvals = approvals
        self._targets = targets
        self._late: set[asyncio.Task[None]] = set()

    async def stop(self, session: LiveSession, why: str) -> None:
        """Cancels what runs or waits, and drops the leases.

        Args:
            session: Its state says already that nothing new may begin.
            why: A code, for the records of what was held.
        """
        running = list(session.running)
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running, timeout=STOP_SECONDS)
        for held in self._approvals.unfinished():
            if held.approval.session == session.id:
                with contextlib.suppress(ConflictError):  # a vote came just before
                    await self._consent.cancel(held, why)
        held_leases, session.leases = session.leases, {}
        await asyncio.gather(
            *(
                self._drop(session, target, [x for (n, *_), x in held_leases.items() if n == name])
                for name, target in self._targets.items()
            )
        )

    async def _drop(self, session: LiveSession, target: Target, leases: list[Lease]) -> None:
        if target.leasing is None:
            return
        dropping = asyncio.ensure_future(target.leasing.drop_session(session.id))
        self._late.add(dropping)
        dropping.add_done_callback(self._late.discard)
        done, _ = await asyncio.wait({dropping}, timeout=DROP_SECONDS)
        error = dropping.exception() if done else TimeoutError()
        if error is None:
            return
        logger.warning("leases of %s on %s not dropped: %s", session.id, target.name, error)
        if not done:
            dropping.add_done_callback(_heard)
        code = error.code if isinstance(error, ZTError) else "target_unreachable"
        await self._record_left(session, leases, code)

    async def _record_left(self, session: LiveSession, leases: list[Lease], code: str) -> None:
        """The target itself ends them, at the time that is written in them."""
        drafts = [
            RecordDraft(
                RecordKind.LEASE,
                session.id,
                fields={
                    "connection": lease.connection,
                    "role": lease.role,
                    "lease_kind": lease.kind.value,
                    "state": "left to expire",
                    "code": code,
                    "expires_at": lease.expires_at.isoformat(),
                },
            )
            for lease in leases
        ]
        if not drafts:
            return
        try:
            await self._records.append(drafts)
        except ZTError as unrecorded:
            logger.error("%s: leases left to expire, unrecorded: %s", session.id, unrecorded)  # noqa: TRY400


def _heard(task: asyncio.Task[None]) -> None:
    """It came too late to be told; so that asyncio does not complain."""
    if not task.cancelled() and task.exception() is not None:
        logger.warning("leases not dropped in the end: %s", task.exception())
