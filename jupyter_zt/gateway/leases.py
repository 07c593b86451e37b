"""Which lease an action runs on: the session's for reads, one of its own for an approved write."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from jupyter_zt.errors import ZTError
from jupyter_zt.gateway.records import Records, principal_fields
from jupyter_zt.gateway.sessions import LiveSession
from jupyter_zt.gateway.targets import Target
from jupyter_zt.gateway.unbroken import conclusive
from jupyter_zt.model import Ceiling, Facts, Lease, LeaseKind, LeastMasks, RecordDraft, RecordKind

READ_TTL_SECONDS = 3600
WRITE_TTL_SECONDS = 300
REPLACE_BEFORE = timedelta(seconds=300)
"""A read lease that ends sooner than this is replaced before its next use."""

logger = logging.getLogger(__name__)


class Leases:
    """Takes leases from the targets, and gives them back."""

    def __init__(self, records: Records, clock: Callable[[], datetime]) -> None:
        self._records = records
        self._clock = clock

    async def take(
        self,
        session: LiveSession,
        target: Target,
        facts: Facts,
        ceilings: Sequence[Ceiling],
        agent: str | None,
        masks: LeastMasks = (),
    ) -> Lease | None:
        """The lease to run on, or None where the target needs none. A new one is recorded.

        An agent's leases are its own: the target's log shows them apart, and holds them to its
        ceiling, and to that of the service whose session it is. What sees less by `masks` is a
        lease of its own too.

        Raises:
            TargetError: The target does not give one.
        """
        leasing = target.leasing
        if leasing is None:
            return None
        limits = [one.statement_seconds for one in ceilings if one.statement_seconds]
        seconds = min(limits, default=None)
        if facts.writes:
            lease = await leasing.lease_write(session.id, facts, WRITE_TTL_SECONDS, seconds, masks)
            return await self._recorded(lease, target, principal_fields(session, agent))
        # One session may run several cells at once (threads, tabs): they share one lease.
        async with session.lease_lock:
            known = session.leases.get((target.name, agent, masks))
            if known is not None and known.expires_at - self._clock() > REPLACE_BEFORE:
                return known
            lease = await leasing.lease_read(session.id, READ_TTL_SECONDS, seconds, masks)
            await self._recorded(lease, target, principal_fields(session, agent))
            session.leases[target.name, agent, masks] = lease
            return lease

    def forget(self, session: LiveSession, target: Target, agent: str | None) -> None:
        """The target no longer takes these read leases: the next read gets a new one."""
        gone = [name for name in session.leases if name[:2] == (target.name, agent)]
        for name in gone:
            del session.leases[name]

    async def give_back(self, target: Target, lease: Lease | None) -> None:
        """A write's lease ends with the write; a read's with its session.

        Where the target can't be reached, the lease is dropped with its session, or expires: what
        the write came to is known all the same.
        """
        if lease is not None and lease.kind is LeaseKind.WRITE:
            await self._drop(lease, target)

    async def _drop(self, lease: Lease, target: Target) -> None:
        if target.leasing is None:
            return
        try:
            await target.leasing.drop(lease)
        except ZTError as error:
            logger.warning("lease %s on %s not dropped: %s", lease.role, target.name, error)

    async def _recorded(self, lease: Lease, target: Target, principal: dict[str, object]) -> Lease:
        """The lease, once it is recorded; one that can't be is dropped."""
        try:
            await self._record(lease, principal)
        except BaseException:
            await conclusive(self._drop(lease, target))
            raise
        return lease

    async def _record(self, lease: Lease, principal: dict[str, object]) -> None:
        await self._records.append(
            [
                RecordDraft(
                    RecordKind.LEASE,
                    lease.session,
                    fields={
                        "principal": principal,
                        "connection": lease.connection,
                        "role": lease.role,
                        "lease_kind": lease.kind.value,
                        "privileges": list(lease.privileges),
                        "expires_at": lease.expires_at.isoformat(),
                    },
                )
            ]
        )
