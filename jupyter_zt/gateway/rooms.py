"""The rooms, wired together: what every request has at hand."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, Engine
from starlette.types import ASGIApp

from jupyter_zt.approvals import ApprovalStore
from jupyter_zt.errors import InvalidInputError, ZTError
from jupyter_zt.gateway.budgets import Budgets, Foreseen, Meter, constant_digests
from jupyter_zt.gateway.callers import Callers
from jupyter_zt.gateway.changes import Changes
from jupyter_zt.gateway.config import Configuration
from jupyter_zt.gateway.consent import Consent
from jupyter_zt.gateway.halting import Halting
from jupyter_zt.gateway.histories import restore_histories
from jupyter_zt.gateway.leases import Leases
from jupyter_zt.gateway.live_policies import LivePolicies
from jupyter_zt.gateway.records import Records, principal_fields
from jupyter_zt.gateway.revoking import Revoking
from jupyter_zt.gateway.sessions import OPEN, SEALED, SUSPENDED, LiveSession, SessionBook
from jupyter_zt.gateway.sockets import SessionSocket, prepare_runtime, remove_folder, socket_folder
from jupyter_zt.gateway.targets import Target
from jupyter_zt.gateway.token_api import TokenEndpoint
from jupyter_zt.identity import GatewayToken
from jupyter_zt.model import (
    Action,
    Agent,
    Approval,
    Ceiling,
    Decision,
    Facts,
    Human,
    Record,
    RecordDraft,
    RecordKind,
    Service,
    Verdict,
)
from jupyter_zt.policy import within_ceiling, within_service
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
        services: Those that are registered, by name.
        socket_app: Makes the app that a session's socket serves.
        stopping: The process is ending: what is held stays held.
        watching: Looks after the policies' files.
    """

    config: Configuration
    engine: Engine
    log: Log
    records: Records
    policies: LivePolicies
    token_endpoint: TokenEndpoint
    callers: Callers
    targets: Mapping[str, Target]
    sessions: SessionBook
    approvals: ApprovalStore
    changes: Changes
    consent: Consent
    leases: Leases
    budgets: Budgets
    halting: Halting
    revoking: Revoking
    agents: Mapping[str, Agent] = field(default_factory=dict)
    services: Mapping[str, Service] = field(default_factory=dict)
    clock: Callable[[], datetime] = now_utc
    stopping: bool = False
    watching: asyncio.Task[None] | None = None

    def analyze(self, action: Action, target: Target) -> Facts:
        """What the action would do, with the tags and patterns that policies may ask for."""
        return self.policies.current.noticed(action, target.analyze(action))

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
        decision = self.policies.current.decide(
            principal, action, target.kind, facts, session.history, carries=target.carries
        )
        decision = within_service(self.services, session.human, target.name, facts, decision)
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

    def ceilings(self, session: LiveSession, agent: str | None) -> list[Ceiling]:
        """Under which an action runs: of the agent that acts, of the service whose session it is.

        Raises:
            InvalidInputError: `unknown_agent`.
        """
        acting = self.agent(agent)
        service = self.services.get(session.human.subject) if session.human.is_service else None
        return [one for one in (acting, service) if one is not None]

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
        """Records, keeps and serves a new session.

        Raises:
            UnavailableError: `sessions_stopped`.
            LogUnavailableError: It can't be recorded.
        """
        self.revoking.check_open()
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
                        "reporter": session.reporter,
                    },
                )
            ],
            also=lambda connection, _: self.sessions.write(connection, session),
        )
        # From here on the kill switch finds it.
        self.sessions.keep(session)
        await self.serve(session, app)
        if session.revoked is not None and session.socket is not None:
            await session.socket.close(remove=True)
        self.revoking.check_open()

    async def serve(self, session: LiveSession, app: ASGIApp) -> None:
        """Opens the session's socket. A remote one has none on this host."""
        if session.remote:
            return
        folder = socket_folder(self.config.runtime, session.id)
        session.socket = SessionSocket(app, session, folder)
        await session.socket.open()

    async def suspend_session(self, session: LiveSession, why: str = "logged_out") -> None:
        """Its human is not logged in any more: nothing is done in their name until they are again.

        The session stays: what the kernel does without the gateway is still recorded.

        Args:
            session: Of that human.
            why: A code, for its record.
        """
        if session.state != OPEN:
            return
        session.state = SUSPENDED
        draft = RecordDraft(RecordKind.SUSPEND, session.id, fields={"why": why})
        try:
            await self.records.append(
                [draft],
                also=lambda connection, _: self.sessions.mark(
                    connection, session, [OPEN], SUSPENDED
                ),
            )
        finally:
            await self.halting.stop(session, "login_expired")

    async def renew_session(self, session: LiveSession, human: Human, token: GatewayToken) -> None:
        """Its human is logged in, perhaps again.

        Raises:
            PermissionDeniedError: It is somebody else's, or was revoked.
        """
        self.sessions.renew(session, human, token)
        if session.state != SUSPENDED:
            return
        await self.records.append(
            [RecordDraft(RecordKind.RESUME, session.id)],
            also=lambda connection, _: self.sessions.mark(connection, session, [SUSPENDED], OPEN),
        )
        if session.revoked is None:
            session.state = OPEN

    async def end_session(self, session: LiveSession, cells_seen: int) -> None:
        """Cancels what runs or waits, drops leases, closes the socket, seals the recording."""
        session.state = SEALED
        await self.halting.stop(session, "session_over")
        if session.socket is not None:
            await session.socket.close(remove=True)
        remove_folder(socket_folder(self.config.runtime, session.id))

        def closed(connection: Connection, session_id: str) -> None:
            self.consent.seal(connection, session_id)
            self.sessions.mark_sealed(connection, session_id)

        async with session.sealing:
            if self.sessions.unsealed(session):
                await seal(self.log, session.id, cells_seen, also=closed)
                self.sessions.forget(session)
        self.changes.notify()

    async def start(self, app: ASGIApp) -> None:
        """Recovers what the last process left, prepares the targets, opens the sockets."""
        prepare_runtime(self.config.runtime)
        sessions = {session.id: session for session in self.sessions.load_unsealed()}
        restore_histories(self.engine, sessions)
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
            if session.revoked is None:
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
