"""The control API: people and brokers, each request with the person's own verified token."""

from __future__ import annotations

import asyncio
import hmac
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, FastAPI, Header, Query, Response
from fastapi.responses import PlainTextResponse

from jupyter_zt._version import __version__
from jupyter_zt.access.secrets import read_secret
from jupyter_zt.approvals import HeldAction, may_decide
from jupyter_zt.errors import AuthenticationError, NotFoundError, PermissionDeniedError
from jupyter_zt.gateway import wire
from jupyter_zt.gateway.cells import record_cell
from jupyter_zt.gateway.rooms import Rooms, closed_since
from jupyter_zt.gateway.session_api import connection_list, create_session_app
from jupyter_zt.gateway.session_control import SessionControl
from jupyter_zt.gateway.sessions import LiveSession
from jupyter_zt.identity import human_from_claims
from jupyter_zt.model import AUDITOR, ApprovalState, Human, RecordDraft, RecordKind
from jupyter_zt.recording import build_recording

MAX_WAIT_SECONDS = 30
ABANDONED_AFTER = timedelta(hours=1)
"""A command line's session whose login ended so long ago is sealed: its process is gone."""

NOTEBOOK_MEDIA_TYPE = "application/x-ipynb+json"

Bearer = Annotated[str, Header(alias="Authorization")]
BrokerSecret = Annotated[str, Header(alias="ZT-Broker")]
Attestation = Annotated[str, Header(alias="ZT-Attestation")]


class Control:
    """Handlers of the control API."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self._session_app = create_session_app(rooms)

    @property
    def session_app(self) -> FastAPI:
        """The app that session sockets serve."""
        return self._session_app

    async def _authenticate(self, authorization: str) -> tuple[Human, datetime]:
        """The human whose token this is, and until when it is valid."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise AuthenticationError(
                "This needs a login.", hint="Send Authorization: Bearer with your ID token."
            )
        claims = await self._rooms.verifier.verify(token.strip())
        roles = self._rooms.config.values.identity.roles
        human = human_from_claims(claims, {str(role): groups for role, groups in roles.items()})
        return human, claims.expires_at

    def _check_broker(self, secret: str) -> None:
        config = self._rooms.config
        expected = read_secret(config.secret(config.values.broker.secret))
        if not hmac.compare_digest(secret.encode(), expected.encode()):
            raise PermissionDeniedError(
                "Only a registered broker may do this.", code="not_a_broker"
            )

    async def _steered(self, session_id: str, attestation: str, authorization: str) -> LiveSession:
        """The session, for the broker that opened it; a command line's, for its own person."""
        session = self._rooms.sessions.get(session_id)
        if session.by_broker:
            return self._rooms.sessions.attested(session_id, attestation)
        human, _ = await self._authenticate(authorization)
        if session.human.key != human.key:
            raise NotFoundError("There is no such session.", code="unknown_session")
        return session

    async def login(self) -> wire.LoginSettings:
        """Where and as which client a command line logs its person in. No login needed."""
        identity = self._rooms.config.values.identity
        if not identity.cli_client_id:
            raise NotFoundError(
                "Nobody logs in at this gateway from a command line.",
                code="no_command_line_login",
                hint="An administrator can set identity.cli_client_id in gateway.yaml.",
            )
        return wire.LoginSettings(
            issuer=identity.issuer,
            client_id=identity.cli_client_id,
            scopes=identity.cli_scopes,
            algorithms=list(identity.algorithms),
        )

    async def me(self, authorization: Bearer = "") -> wire.Me:
        """Who is asking."""
        human, _ = await self._authenticate(authorization)
        return wire.Me(
            issuer=human.issuer, subject=human.subject, name=human.name, roles=sorted(human.roles)
        )

    async def connections(self, authorization: Bearer = "") -> list[wire.ConnectionInfo]:
        """Every connection."""
        await self._authenticate(authorization)
        return connection_list(self._rooms)

    async def open_session(
        self,
        body: wire.OpenHeadless | wire.OpenSession | wire.OpenCommandLine,
        authorization: Bearer = "",
        zt_broker: BrokerSecret = "",
    ) -> wire.OpenedSession:
        """A broker opens a session for a kernel of its person; a command line, its own (`{}`).

        And a person's own process for a headless kernel.
        """
        headless = isinstance(body, wire.OpenHeadless)
        if zt_broker or (isinstance(body, wire.OpenSession) and not headless):
            self._check_broker(zt_broker)
        human, expires_at = await self._authenticate(authorization)
        sessions = self._rooms.sessions
        if not zt_broker:
            await self._seal_abandoned()
        self._rooms.agent(body.agent)
        if isinstance(body, wire.OpenSession):
            session, attestation = sessions.new(
                human,
                agent=body.agent,
                notebook=body.notebook,
                kernel=body.kernel,
                sandbox=(body.sandbox.state, body.sandbox.detail),
                expires_at=expires_at,
                reporter="kernel" if headless else "broker",
            )
        else:
            session, attestation = sessions.new_command_line(human, body.agent, expires_at), ""
        await self._rooms.open_session(session, self._session_app)
        return wire.OpenedSession(
            id=session.id,
            socket=str(session.socket.path) if session.socket else "",
            attestation=attestation,
            expires_at=session.expires_at.isoformat(),
        )

    async def _seal_abandoned(self) -> None:
        latest = self._rooms.clock() - ABANDONED_AFTER
        for session in self._rooms.sessions.live():
            if session.reporter != "broker" and session.expires_at < latest:
                await self._rooms.end_session(session, cells_seen=0)

    async def sessions(self, authorization: Bearer = "") -> list[wire.SessionInfo]:
        """One's own open sessions; an administrator sees all."""
        human, _ = await self._authenticate(authorization)
        return [
            _session_info(session, connection_list(self._rooms, session.agent))
            for session in self._rooms.sessions.visible_to(human)
        ]

    async def renew(
        self, session_id: str, authorization: Bearer = "", zt_attestation: Attestation = ""
    ) -> wire.Renewed:
        """The broker, or the command line, shows that its person is still logged in."""
        session = await self._steered(session_id, zt_attestation, authorization)
        human, expires_at = await self._authenticate(authorization)
        await self._rooms.renew_session(session, human, expires_at)
        return wire.Renewed(expires_at=expires_at.isoformat())

    async def suspend(self, session_id: str, zt_attestation: Attestation = "") -> None:
        """The broker's person has logged out: nothing more is done until it renews the session."""
        session = self._rooms.sessions.attested(session_id, zt_attestation)
        await self._rooms.suspend_session(session)

    async def cell(
        self, session_id: str, body: wire.CellReport, zt_attestation: Attestation = ""
    ) -> wire.Recorded:
        """The broker reports a cell that ran."""
        session = self._rooms.sessions.attested(session_id, zt_attestation)
        record = await record_cell(self._rooms.records, session, body)
        return wire.Recorded(leaf=str(record.leaf))

    async def recording(
        self,
        session_id: str,
        authorization: Bearer = "",
        zt_attestation: Attestation = "",
        previous: Annotated[int, Query(ge=0)] = 0,
    ) -> Response:
        """The session's recording, for its broker, its person, or an auditor (recorded).

        With `previous`, the size of a checkpoint that an auditor kept, it also carries the proof
        that the log continues that one.
        """
        if zt_attestation:
            self._rooms.sessions.attested(session_id, zt_attestation)
        else:
            human, _ = await self._authenticate(authorization)
            session = self._rooms.sessions.get(session_id)
            if session.human.key != human.key:
                if AUDITOR not in human.roles:
                    raise NotFoundError("There is no such session.", code="unknown_session")
                await self._rooms.records.append(
                    [
                        RecordDraft(
                            RecordKind.ACCESS,
                            "",
                            fields={
                                "recording": session_id,
                                "by": {"iss": human.issuer, "sub": human.subject},
                            },
                        )
                    ]
                )
        return await self._built(session_id, previous)

    async def seal(
        self,
        session_id: str,
        body: wire.SealRequest,
        authorization: Bearer = "",
        zt_attestation: Attestation = "",
    ) -> Response:
        """The kernel, or the command line, is gone: the session ends, its recording is sealed."""
        session = await self._steered(session_id, zt_attestation, authorization)
        if self._rooms.sessions.unsealed(session):
            await self._rooms.end_session(session, int(body.cells_seen))
        return await self._built(session_id)

    async def _built(self, session_id: str, previous: int = 0) -> Response:
        notebook = await asyncio.to_thread(build_recording, self._rooms.log, session_id, previous)
        return Response(notebook, media_type=NOTEBOOK_MEDIA_TYPE)

    async def approvals(
        self,
        authorization: Bearer = "",
        after: Annotated[str, Query(pattern=r"^[0-9]{0,20}$")] = "",
        wait_seconds: Annotated[float, Query(ge=0, le=MAX_WAIT_SECONDS)] = 0,
    ) -> wire.ApprovalList:
        """Requests that this person made or may decide. Waits while nothing has changed."""
        human, _ = await self._authenticate(authorization)
        changes = self._rooms.changes
        if after and int(after) == changes.revision:
            await changes.wait(int(after), wait_seconds)
        revision = changes.revision
        now = self._rooms.clock()
        found = self._rooms.approvals.visible_to(human, closed_since=closed_since(now))
        return wire.ApprovalList(
            revision=str(revision), approvals=[self._approval_info(held, human) for held in found]
        )

    async def approval(self, approval_id: str, authorization: Bearer = "") -> wire.ApprovalInfo:
        """One request, for its requester and those who may decide it."""
        human, _ = await self._authenticate(authorization)
        return self._approval_info(self._visible(approval_id, human), human)

    async def vote(
        self, approval_id: str, body: wire.VoteRequest, authorization: Bearer = ""
    ) -> wire.ApprovalInfo:
        """One person's word. Who votes comes from the token alone."""
        human, _ = await self._authenticate(authorization)
        held = self._visible(approval_id, human)
        await self._rooms.consent.vote(
            held, human, approve=body.approve, reason=body.reason, digest=body.digest
        )
        return self._approval_info(self._rooms.approvals.get(approval_id), human)

    async def checkpoint(self) -> PlainTextResponse:
        """The log's latest signed tree head (C2SP signed note)."""
        return PlainTextResponse(self._rooms.log.checkpoint())

    def _visible(self, approval_id: str, human: Human) -> HeldAction:
        held = self._rooms.approvals.get(approval_id)
        mine = held.approval.requester.key == human.key
        if not mine and held.approval.reviewer_role not in human.roles:
            raise PermissionDeniedError(
                f"Only people with the role {held.approval.reviewer_role} see this.",
                code="not_a_reviewer",
            )
        return held

    def _approval_info(self, held: HeldAction, human: Human) -> wire.ApprovalInfo:
        approval = held.approval
        late = approval.state is ApprovalState.OPEN and self._rooms.clock() >= approval.expires_at
        state = ApprovalState.EXPIRED if late else approval.state
        return wire.ApprovalInfo(
            id=approval.id,
            action=approval.action,
            state=state.value,
            digest=approval.digest,
            command=held.action.command,
            parameters=list(held.action.parameters),
            connection=held.action.connection,
            requester=wire.Requester(
                subject=approval.requester.subject, name=approval.requester.name
            ),
            agent=held.agent,
            notebook=self._rooms.sessions.get(approval.session).notebook,
            reasons=list(held.reasons),
            facts=held.facts,
            reviewer_role=approval.reviewer_role,
            quorum=str(approval.quorum),
            votes=[
                wire.VoteInfo(
                    name=vote.human.name,
                    approve=vote.approve,
                    reason=vote.reason,
                    at=vote.at.isoformat(),
                )
                for vote in approval.votes
            ],
            opened_at=approval.opened_at.isoformat(),
            expires_at=approval.expires_at.isoformat(),
            mine=approval.requester.key == human.key,
            may_decide=state is ApprovalState.OPEN and may_decide(approval, human),
        )

    def router(self) -> APIRouter:
        """The routes of the control API."""
        router = APIRouter(prefix="/v1", responses={"4XX": {"model": wire.Problem}})
        add = router.add_api_route
        add("/login", self.login, methods=["GET"])
        add("/me", self.me, methods=["GET"])
        add("/connections", self.connections, methods=["GET"])
        add("/sessions", self.open_session, methods=["POST"], status_code=201)
        add("/sessions", self.sessions, methods=["GET"])
        add("/sessions/{session_id}/renew", self.renew, methods=["POST"])
        add("/sessions/{session_id}/suspend", self.suspend, methods=["POST"], status_code=204)
        add("/sessions/{session_id}/cells", self.cell, methods=["POST"], status_code=201)
        add("/sessions/{session_id}/recording", self.recording, methods=["GET"])
        add("/sessions/{session_id}/seal", self.seal, methods=["POST"])
        SessionControl(self._rooms, self._authenticate).add_to(router)
        add("/approvals", self.approvals, methods=["GET"])
        add("/approvals/{approval_id}", self.approval, methods=["GET"])
        add("/approvals/{approval_id}/votes", self.vote, methods=["POST"])
        add("/log/checkpoint", self.checkpoint, methods=["GET"])
        return router


async def health() -> wire.Health:
    """Whether the gateway answers."""
    return wire.Health(status="ok", version=__version__)


def _session_info(session: LiveSession, connections: list[wire.ConnectionInfo]) -> wire.SessionInfo:
    return wire.SessionInfo(
        id=session.id,
        human=session.human.name,
        agent=session.agent,
        notebook=session.notebook,
        kernel=session.kernel,
        sandbox=wire.Sandbox(state=session.sandbox_state, detail=session.sandbox_detail),
        opened_at=session.opened_at.astimezone(UTC).isoformat(),
        expires_at=session.expires_at.astimezone(UTC).isoformat(),
        state=session.state,
        connections=connections,
    )
