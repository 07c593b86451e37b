"""The control API: people and brokers, each request with a token of the gateway and a proof."""

from __future__ import annotations

import asyncio
from datetime import UTC, timedelta
from typing import Annotated

from fastapi import APIRouter, FastAPI, Query, Request, Response
from fastapi.responses import PlainTextResponse

from jupyter_zt._version import __version__
from jupyter_zt.approvals import HeldAction, may_decide
from jupyter_zt.errors import NotFoundError, PermissionDeniedError
from jupyter_zt.gateway import wire
from jupyter_zt.gateway.callers import human_of
from jupyter_zt.gateway.cells import record_cell
from jupyter_zt.gateway.clients import BROKER
from jupyter_zt.gateway.hub_settings import HubIdentity
from jupyter_zt.gateway.rooms import Rooms, closed_since
from jupyter_zt.gateway.session_api import connection_list, create_session_app
from jupyter_zt.gateway.session_control import SessionControl
from jupyter_zt.gateway.sessions import LiveSession
from jupyter_zt.identity import GatewayToken
from jupyter_zt.identity.gateway_tokens import APPROVE, ATTEST, READ, SESSION
from jupyter_zt.model import AUDITOR, ApprovalState, Human, RecordDraft, RecordKind
from jupyter_zt.recording import build_recording

MAX_WAIT_SECONDS = 30
ABANDONED_AFTER = timedelta(hours=1)
"""A command line's session whose login ended so long ago is sealed: its process is gone."""

NOTEBOOK_MEDIA_TYPE = "application/x-ipynb+json"


class Control:
    """Handlers of the control API."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self._session_app = create_session_app(rooms)

    @property
    def session_app(self) -> FastAPI:
        """The app that session sockets serve."""
        return self._session_app

    def _caller(self, request: Request, *scopes: str) -> GatewayToken:
        return self._rooms.callers.authenticate(request, *scopes)

    def _person(self, request: Request, scope: str) -> Human:
        """The human in whose name a request is made."""
        return human_of(self._caller(request, scope))

    def _attested(self, request: Request, session_id: str) -> LiveSession:
        """The session of a kernel, for whoever opened it.

        A broker comes in nobody's name, as the session's person may be gone; a process that runs a
        headless kernel, in its person's.
        """
        token = self._caller(request, ATTEST, SESSION)
        session = self._rooms.sessions.attested(session_id, token.key)
        if not session.by_broker:
            return self._own(token, session_id)
        if ATTEST not in token.scopes:
            raise PermissionDeniedError(
                f"This token is not good for that: it lacks the scope {ATTEST}.",
                code="insufficient_scope",
            )
        return session

    def _own(self, token: GatewayToken, session_id: str) -> LiveSession:
        """The session, for its own person."""
        session = self._rooms.sessions.get(session_id)
        if session.human.key != human_of(token).key:
            raise NotFoundError("There is no such session.", code="unknown_session")
        return session

    async def login(self) -> wire.LoginSettings:
        """Where and as which client a command line logs its person in. No login needed."""
        identity = self._rooms.config.values.identity
        if isinstance(identity, HubIdentity) or not identity.cli_client_id:
            raise NotFoundError(
                "Nobody logs in at this gateway from a command line.",
                code="no_command_line_login",
                hint="Where people log in at an OpenID provider an administrator can set "
                "identity.cli_client_id in gateway.yaml.",
            )
        return wire.LoginSettings(
            issuer=identity.issuer,
            client_id=identity.cli_client_id,
            scopes=identity.cli_scopes,
            algorithms=list(identity.algorithms),
        )

    async def me(self, request: Request) -> wire.Me:
        """Who is asking."""
        human = self._person(request, READ)
        return wire.Me(
            issuer=human.issuer,
            subject=human.subject,
            name=human.name,
            roles=sorted(human.roles),
            service=human.is_service,
        )

    async def connections(self, request: Request) -> list[wire.ConnectionInfo]:
        """Every connection."""
        return connection_list(self._rooms, self._person(request, READ))

    async def open_session(
        self,
        request: Request,
        body: wire.OpenHeadless | wire.OpenSession | wire.OpenCommandLine,
    ) -> wire.OpenedSession:
        """A broker opens a session for a kernel of its person; a command line, its own (`{}`).

        And a person's own process for a headless kernel.
        """
        token = self._caller(request, SESSION)
        human = human_of(token)
        sessions = self._rooms.sessions
        self._rooms.agent(token.agent)
        if token.client != BROKER:
            await self._seal_abandoned()
        if isinstance(body, wire.OpenSession):
            if (token.client == BROKER) is isinstance(body, wire.OpenHeadless):
                raise PermissionDeniedError(
                    "Only a registered broker may do this.", code="not_a_broker"
                )
            session = sessions.new(
                token,
                human,
                notebook=body.notebook,
                kernel=body.kernel,
                sandbox=(body.sandbox.state, body.sandbox.detail),
                remote=body.remote,
            )
        else:
            session = sessions.new_command_line(token, human, remote=body.remote)
        await self._rooms.open_session(session, self._session_app)
        return wire.OpenedSession(
            id=session.id,
            socket=str(session.socket.path) if session.socket else "",
            expires_at=session.expires_at.isoformat(),
        )

    async def _seal_abandoned(self) -> None:
        latest = self._rooms.clock() - ABANDONED_AFTER
        for session in self._rooms.sessions.live():
            if session.reporter != "broker" and session.expires_at < latest:
                await self._rooms.end_session(session, cells_seen=0)

    async def sessions(self, request: Request) -> list[wire.SessionInfo]:
        """One's own open sessions; an administrator sees all."""
        human = self._person(request, READ)
        return [
            _session_info(session, connection_list(self._rooms, session.human, session.agent))
            for session in self._rooms.sessions.visible_to(human)
        ]

    async def held(
        self,
        request: Request,
        after: Annotated[str, Query(pattern=r"^[0-9]{0,20}$")] = "",
        wait_seconds: Annotated[float, Query(ge=0, le=MAX_WAIT_SECONDS)] = 0,
    ) -> wire.HeldSessions:
        """The sessions of kernels that were opened with this key. Waits while nothing changes."""
        key = self._caller(request, ATTEST, SESSION).key
        revision = await self._rooms.changes.wait(int(after or "0"), wait_seconds)
        return wire.HeldSessions(
            revision=str(revision),
            sessions=[
                wire.HeldSession(id=one.id, revoked=_problem(one))
                for one in self._rooms.sessions.held_by(key)
            ],
        )

    async def renew(self, request: Request, session_id: str) -> wire.Renewed:
        """The broker, or the command line, shows that its person is still logged in."""
        token = self._caller(request, SESSION)
        session = self._own(token, session_id)
        if session.by_broker:
            self._rooms.sessions.attested(session_id, token.key)
        await self._rooms.renew_session(session, human_of(token), token)
        return wire.Renewed(expires_at=token.login_expires_at.isoformat())

    async def suspend(self, request: Request, session_id: str) -> None:
        """The broker's person has logged out: nothing more is done until it renews the session."""
        await self._rooms.suspend_session(self._attested(request, session_id))

    async def cell(self, request: Request, session_id: str, body: wire.CellReport) -> wire.Recorded:
        """The broker reports a cell that ran."""
        session = self._attested(request, session_id)
        record = await record_cell(self._rooms.records, session, body)
        return wire.Recorded(leaf=str(record.leaf))

    async def recording(
        self,
        request: Request,
        session_id: str,
        previous: Annotated[int, Query(ge=0)] = 0,
    ) -> Response:
        """The session's recording, for its broker, its person, or an auditor (recorded).

        With `previous`, the size of a checkpoint that an auditor kept, it also carries the proof
        that the log continues that one.
        """
        token = self._caller(request, READ, ATTEST)
        if token.human is None:
            self._rooms.sessions.attested(session_id, token.key)
        elif self._rooms.sessions.get(session_id).human.key != token.human.key:
            await self._record_access(session_id, token.human)
        return await self._built(session_id, previous)

    async def _record_access(self, session_id: str, human: Human) -> None:
        if AUDITOR not in human.roles:
            raise NotFoundError("There is no such session.", code="unknown_session")
        by = {"iss": human.issuer, "sub": human.subject}
        fields = {"recording": session_id, "by": by}
        await self._rooms.records.append([RecordDraft(RecordKind.ACCESS, "", fields=fields)])

    async def seal(self, request: Request, session_id: str, body: wire.SealRequest) -> Response:
        """The kernel, or the command line, is gone: the session ends, its recording is sealed."""
        token = self._caller(request, SESSION, ATTEST)
        session = self._own(token, session_id) if token.human else None
        if session is None or session.by_broker:
            session = self._rooms.sessions.attested(session_id, token.key)
        if self._rooms.sessions.unsealed(session):
            await self._rooms.end_session(session, int(body.cells_seen))
        return await self._built(session_id)

    async def _built(self, session_id: str, previous: int = 0) -> Response:
        notebook = await asyncio.to_thread(build_recording, self._rooms.log, session_id, previous)
        return Response(notebook, media_type=NOTEBOOK_MEDIA_TYPE)

    async def approvals(
        self,
        request: Request,
        after: Annotated[str, Query(pattern=r"^[0-9]{0,20}$")] = "",
        wait_seconds: Annotated[float, Query(ge=0, le=MAX_WAIT_SECONDS)] = 0,
    ) -> wire.ApprovalList:
        """Requests that this person made or may decide. Waits while nothing has changed."""
        human = self._person(request, READ)
        changes = self._rooms.changes
        if after and int(after) == changes.revision:
            await changes.wait(int(after), wait_seconds)
        revision = changes.revision
        now = self._rooms.clock()
        found = self._rooms.approvals.visible_to(human, closed_since=closed_since(now))
        return wire.ApprovalList(
            revision=str(revision), approvals=[self._approval_info(held, human) for held in found]
        )

    async def approval(self, request: Request, approval_id: str) -> wire.ApprovalInfo:
        """One request, for its requester and those who may decide it."""
        human = self._person(request, READ)
        return self._approval_info(self._visible(approval_id, human), human)

    async def vote(
        self, request: Request, approval_id: str, body: wire.VoteRequest
    ) -> wire.ApprovalInfo:
        """One person's word. Who votes comes from the token alone."""
        human = self._person(request, APPROVE)
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
                subject=approval.requester.subject,
                name=approval.requester.name,
                service=approval.requester.is_service,
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

    async def token(self, request: Request) -> Response:
        """A token of this gateway, for another one (RFC 8693)."""
        return await self._rooms.token_endpoint.token(request)

    async def revoke(self, request: Request) -> Response:
        """The client's person has left: what it holds for them is void (RFC 7009)."""
        return await self._rooms.token_endpoint.revoke(request)

    def router(self) -> APIRouter:
        """The routes of the control API."""
        router = APIRouter(prefix="/v1", responses={"4XX": {"model": wire.Problem}})
        add = router.add_api_route
        add("/token", self.token, methods=["POST"])
        add("/revoke", self.revoke, methods=["POST"])
        add("/login", self.login, methods=["GET"])
        add("/me", self.me, methods=["GET"])
        add("/connections", self.connections, methods=["GET"])
        add("/sessions", self.open_session, methods=["POST"], status_code=201)
        add("/sessions", self.sessions, methods=["GET"])
        add("/sessions/held", self.held, methods=["GET"])
        add("/sessions/{session_id}/renew", self.renew, methods=["POST"])
        add("/sessions/{session_id}/suspend", self.suspend, methods=["POST"], status_code=204)
        add("/sessions/{session_id}/cells", self.cell, methods=["POST"], status_code=201)
        add("/sessions/{session_id}/recording", self.recording, methods=["GET"])
        add("/sessions/{session_id}/seal", self.seal, methods=["POST"])
        SessionControl(self._rooms).add_to(router)
        add("/approvals", self.approvals, methods=["GET"])
        add("/approvals/{approval_id}", self.approval, methods=["GET"])
        add("/approvals/{approval_id}/votes", self.vote, methods=["POST"])
        add("/log/checkpoint", self.checkpoint, methods=["GET"])
        return router


async def health() -> wire.Health:
    """Whether the gateway answers."""
    return wire.Health(status="ok", version=__version__)


def _problem(session: LiveSession) -> wire.Problem | None:
    if session.revoked is None:
        return None
    error = session.revoked.error()
    return wire.Problem(code=error.code, message=error.message, hint=error.hint)


def _session_info(session: LiveSession, connections: list[wire.ConnectionInfo]) -> wire.SessionInfo:
    return wire.SessionInfo(
        id=session.id,
        human=session.human.name,
        service=session.human.is_service,
        agent=session.agent,
        notebook=session.notebook,
        kernel=session.kernel,
        sandbox=wire.Sandbox(state=session.sandbox_state, detail=session.sandbox_detail),
        opened_at=session.opened_at.astimezone(UTC).isoformat(),
        expires_at=session.expires_at.astimezone(UTC).isoformat(),
        state=session.state,
        connections=connections,
    )
