"""The rooms, wired together: what every request has at hand."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, Engine
from starlette.types import ASGIApp

from jupyter_zt.approvals import ApprovalStore
from jupyter_zt.errors import ConflictError, InvalidInputError, ZTError
from jupyter_zt.gateway.budgets import Budgets, Foreseen, Meter, constant_digests
from jupyter_zt.gateway.changes import Changes
from jupyter_zt.gateway.config import Configuration
from jupyter_zt.gateway.consent import Consent
from jupyter_zt.gateway.leases import Leases
from jupyter_zt.gateway.live_policies import LivePolicies
from jupyter_zt.gateway.records import Records, principal_fields
from jupyter_zt.gateway.sessions import LiveSession, SessionBook
from jupyter_zt.gateway.sockets import SessionSocket, prepare_runtime, socket_folder
from jupyter_zt.gateway.targets import Target
from jupyter_zt.identity import TokenVerifier
from jupyter_zt.model import (
    Action,
    Agent,
    Approval,
    Decision,
    Facts,
    Record,
    RecordDraft,
    RecordKind,
    Verdict,
)
from jupyter_zt.policy import within_ceiling
from jupyter_zt.recording import Also, Log, seal

logger = logging.getLogger(__name__)


def now_utc() -> datetime:
    """The gateway's clock."""
    return datetime.now(tz=UTC)


@dataclass(slots=True, eq=False)
class Rooms:
    """Everything that a request walks through.

    Attributes:
        agents: Those that are registered, by name.
        socket_app: Makes the app that a session's socket serves.
        stopping: The process is ending: what is held stays held.
        watching: Looks after the policies' files.
    """

    config: Configuration
    engine: Engine
    log: Log
    records: Records
    policies: LivePolicies
    verifier: TokenVerifier
    targets: Mapping[str, Target]
    sessions: SessionBook
    approvals: ApprovalStore
    changes: Changes
    consent: Consent
    leases: Leases
    budgets: Budgets
    agents: Mapping[str, Agent] = field(default_factory=dict)
    clock: Callable[[], datetime] = now_utc
    stopping: bool = False
    watching: asyncio.Task[None] | None = None

    def decide(
        self, session: LiveSession, action: Action, target: Target | None, facts: Facts
    ) -> Decision:
        """Policy's word on the action. An unknown connection is refused here."""
        if target is None:
            return Decision(
                verdict=Verdict.DENY,
                policy_digest=self.policies.current.digest,
                code="unknown_connection",
                message=facts.unknown,
                hint="%zt lists what you may use.",
            )
        principal = session.principal(action.agent)
        decision = self.policies.current.decide(principal, action, target.kind, facts)
        return within_ceiling(self.agents, action.agent, target.name, facts, decision)

    def agent(self, name: str | None) -> Agent | None:
        """A registered agent; None for none.

        Raises:
            InvalidInputError: `unknown_agent`.
        """
        if name is None:
            return None
        if name not in self.agents:
            raise InvalidInputError(
                "This agent is not registered.",
                code="unknown_agent",
                hint=f"There are: {', '.join(sorted(self.agents)) or 'none'}. An administrator "
                "registers agents in gateway.yaml.",
            )
        return self.agents[name]

    async def close_execution(
        self,
        draft: RecordDraft,
        executing: Approval | None,
        *,
        outcome_known: bool,
        meter: Meter | None = None,
    ) -> Record:
        """Appends an outcome; with it a held action's approval closes, and what it used counts."""
        drafts = [draft]
        changes: list[Callable[[Connection], object]] = []
        if executing is not None:
            closing, after = self.consent.finishing(executing, outcome_known=outcome_known)
            now = self.clock()
            drafts.append(closing)
            changes.append(lambda at: self.approvals.change(at, executing, after, now))
        if meter is not None and meter.unstored:
            changes.append(meter.write)
        records = await self.records.append(drafts, also=together(changes))
        if meter is not None:
            meter.stored()
        if executing is not None:
            self.changes.notify()
        return records[0]

    def foresee(
        self, session: LiveSession, action: Action, target: Target, *, held: bool
    ) -> Foreseen:
        """What budgets need to know of an action before it runs."""
        constants: frozenset[str] = frozenset()
        if self.budgets.count_constants:
            constants = constant_digests(target.constants(action))
        waiting = self.approvals.waiting() if held else []
        return Foreseen(
            constants=constants,
            held=held,
            pending={
                "session": sum(one.approval.session == session.id for one in waiting),
                "human": sum(one.approval.requester.key == session.human.key for one in waiting),
                "agent": sum(
                    one.agent == action.agent and one.approval.requester.key == session.human.key
                    for one in waiting
                ),
                "connection": sum(one.action.connection == action.connection for one in waiting),
            },
        )

    async def open_session(self, session: LiveSession, app: ASGIApp) -> None:
        """Records, keeps and serves a new session."""
        await self.records.append(
            [
                RecordDraft(
                    RecordKind.SESSION_OPEN,
                    session.id,
                    fields={
                        "principal": principal_fields(session, session.agent),
                        "notebook": session.notebook,
                        "kernel": session.kernel,
                        "sandbox": {
                            "state": session.sandbox_state,
                            "detail": session.sandbox_detail,
                        },
                        "connections": sorted(self.targets),
                    },
                )
            ],
            also=lambda connection, _: self.sessions.write(connection, session),
        )
        await self.serve(session, app)
        self.sessions.keep(session)

    async def serve(self, session: LiveSession, app: ASGIApp) -> None:
        """Opens the session's socket."""
        folder = socket_folder(self.config.runtime, session.id)
        session.socket = SessionSocket(app, session, folder)
        await session.socket.open()

    async def suspend_session(self, session: LiveSession) -> None:
        """Its human has logged out: nothing is done in their name until they log in again.

        The session stays open: what the kernel does without the gateway is still recorded.
        """
        self.sessions.suspend(session)
        await self._stop_actions(session, "login_expired")

    async def end_session(self, session: LiveSession, cells_seen: int) -> None:
        """Cancels what runs or waits, drops leases, closes the socket, seals the recording."""
        session.state = "sealed"
        await self._stop_actions(session, "session_over")
        if session.socket is not None:
            await session.socket.close(remove=True)

        def closed(connection: Connection, session_id: str) -> None:
            self.consent.seal(connection, session_id)
            self.sessions.mark_sealed(connection, session_id)

        async with session.sealing:
            if self.sessions.unsealed(session):
                await seal(self.log, session.id, cells_seen, also=closed)
                self.sessions.forget(session)
        self.changes.notify()

    async def _stop_actions(self, session: LiveSession, why: str) -> None:
        """Cancels what runs or waits, and drops the leases. New actions are refused already."""
        running = list(session.running)
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running, timeout=5)
        for held in self.approvals.unfinished():
            if held.approval.session == session.id:
                with contextlib.suppress(ConflictError):  # a vote came just before
                    await self.consent.cancel(held, why)
        for target in self.targets.values():
            if target.leasing is None:
                continue
            for key in [key for key in session.leases if key[0] == target.name]:
                del session.leases[key]
            try:
                await target.leasing.drop_session(session.id)
            except ZTError as error:
                # The role expires by itself and is swept at the next start.
                logger.warning("lease of %s on %s not dropped: %s", session.id, target.name, error)

    async def start(self, app: ASGIApp) -> None:
        """Recovers what the last process left, prepares the targets, opens the sockets."""
        prepare_runtime(self.config.runtime)
        sessions = {session.id: session for session in self.sessions.load_open()}
        for held in self.approvals.unfinished():
            if held.agent and (session := sessions.get(held.approval.session)):
                session.acting[held.action.id] = held.agent
        await self.consent.restore()
        for target in self.targets.values():
            try:
                await target.prepare()
            except ZTError as error:
                # The others work; this one says why it does not, at each use.
                logger.error("connection %s is not ready: %s", target.name, error.diagnostics())  # noqa: TRY400
        for session in sessions.values():
            await self.serve(session, app)
        self.watching = asyncio.ensure_future(self.policies.watch(self.records))

    async def stop(self) -> None:
        """Closes sockets and targets. What is held stays held."""
        self.stopping = True
        if self.watching is not None:
            self.watching.cancel()
        for session in self.sessions.live():
            for task in session.running:
                task.cancel()
            if session.socket is not None:
                await session.socket.close(remove=False)
        for target in self.targets.values():
            await target.close()
        self.log.close()
        self.engine.dispose()


def together(changes: Sequence[Callable[[Connection], object]]) -> Also | None:
    """Several changes as the one that goes with records; None for none."""
    if not changes:
        return None

    def change(connection: Connection, _records: Sequence[Record]) -> None:
        for one in changes:
            one(connection)

    return change


def closed_since(now: datetime) -> datetime:
    """Closed approvals stay in the list for an hour."""
    return now - timedelta(hours=1)
