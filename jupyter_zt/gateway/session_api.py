"""The session API: what the runtime may ask on its own socket. No header, no token."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime

from fastapi import FastAPI, Request, Response
from starlette.types import Receive, Scope, Send

from jupyter_zt._version import __version__
from jupyter_zt.errors import NotFoundError, ZTError
from jupyter_zt.gateway import pipeline, wire
from jupyter_zt.gateway.frames import MEDIA_TYPE
from jupyter_zt.gateway.problems import install_problem_handlers, problem
from jupyter_zt.gateway.rooms import Rooms
from jupyter_zt.gateway.sessions import LiveSession
from jupyter_zt.gateway.shown_tables import shown_tables
from jupyter_zt.gateway.stream import AnswerStream
from jupyter_zt.model import Human

logger = logging.getLogger(__name__)

Work = Callable[[AnswerStream], Awaitable[None]]


class FrameResponse(Response):
    """Streams one action's frames. When the kernel hangs up, the action is cancelled."""

    media_type = MEDIA_TYPE

    def __init__(self, session: LiveSession, work: Work, clock: Callable[[], datetime]) -> None:
        super().__init__()
        self._session = session
        self._work = work
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Runs the action as a task of the session and answers with what it writes."""

        async def hang_up() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass

        stream = AnswerStream(_Reply(send).write)
        work = asyncio.ensure_future(self._work(stream))
        gone = asyncio.ensure_future(hang_up())
        self._session.running.add(work)
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                work.cancel()
                await asyncio.wait({work})
                return
        finally:
            gone.cancel()
            self._session.running.discard(work)
        if work.cancelled():
            # From outside: the session or the login ended, or the action was cancelled by its id.
            _tell(stream, self._why_cancelled(), "cancelled")
        elif (error := work.exception()) is not None:
            if not isinstance(error, ZTError):
                logger.error("an action failed inside the gateway", exc_info=error)
                error = ZTError("The gateway failed.", hint="Its log has the details.")
            if stream.unused():
                await problem(error)(scope, receive, send)
                return
            _tell(stream, error, "failed")
        await stream.close()

    def _why_cancelled(self) -> ZTError:
        try:
            self._session.check_alive(self._clock())
        except ZTError as error:
            return error
        return ZTError("This action was cancelled.", code="cancelled")


class _Reply:
    """The HTTP answer. One that is there as a whole says its length, and needs no chunks."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._begun = False

    async def write(self, data: bytes, last: bool) -> None:  # noqa: FBT001 (`AnswerStream` calls)
        if not self._begun:
            self._begun = True
            headers = [(b"content-type", MEDIA_TYPE.encode())]
            if last:
                headers.append((b"content-length", str(len(data)).encode()))
            await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        await self._send({"type": "http.response.body", "body": data, "more_body": not last})


def _tell(stream: AnswerStream, error: ZTError, status: str) -> None:
    stream.event(
        "error",
        status=status,
        code=error.code,
        message=error.message,
        hint=error.hint,
        who="The administrator of Jupyter ZT" if status == "failed" else "",
        record="",
        position=0,
    )


def create_session_app(rooms: Rooms) -> FastAPI:
    """The app that each session's socket serves; the socket puts the session in the scope."""
    app = FastAPI(
        title="Jupyter ZT session API", version=__version__, docs_url=None, redoc_url=None
    )
    install_problem_handlers(app)

    def session_of(request: Request) -> LiveSession:
        session: LiveSession = request.scope["zt.session"]
        return session

    @app.get("/v1/session")
    async def session(request: Request) -> wire.SessionSelf:
        live = session_of(request)
        live.check_alive(rooms.clock())
        return wire.SessionSelf(
            id=live.id,
            human=wire.SessionHuman(
                name=live.human.name,
                roles=sorted(live.human.roles),
                service=live.human.is_service,
            ),
            agent=live.agent,
            agents=_agents(rooms, live),
            notebook=live.notebook,
            expires_at=live.expires_at.isoformat(),
            sandbox=wire.Sandbox(state=live.sandbox_state, detail=live.sandbox_detail),
            connections=connection_list(rooms, live.human, live.agent),
            gateway_version=__version__,
        )

    @app.get("/v1/connections/{name}/tables")
    async def tables(request: Request, name: str) -> wire.ShownTables:
        live = session_of(request)
        live.check_alive(rooms.clock())
        return await shown_tables(rooms, live, name)

    @app.post("/v1/actions", response_class=FrameResponse)
    async def run(request: Request, action: wire.ActionRequest) -> Response:
        live = session_of(request)
        return FrameResponse(
            live, lambda stream: pipeline.run(rooms, live, action, stream), rooms.clock
        )

    @app.get("/v1/actions/{action_id}/stream", response_class=FrameResponse)
    async def resume(request: Request, action_id: str) -> Response:
        live = session_of(request)
        return FrameResponse(
            live, lambda stream: pipeline.resume(rooms, live, action_id, stream), rooms.clock
        )

    @app.post("/v1/actions/{action_id}/cancel", status_code=204)
    async def cancel(request: Request, action_id: str) -> None:
        for task in session_of(request).running:
            if task.get_name() == action_id:
                task.cancel()
                return
        raise NotFoundError("No such action is running.", code="unknown_action")

    return app


def _agents(rooms: Rooms, session: LiveSession) -> list[wire.AgentInfo]:
    """The session's own agent, or those that its runtime may narrow itself to."""
    return [
        wire.AgentInfo(
            name=agent.name,
            connections=sorted(agent.connections),
            actions=sorted(verb.value for verb in agent.verbs),
            may_ask_for_approval=agent.may_ask,
            max_rows=str(agent.max_rows or ""),
        )
        for agent in rooms.agents.values()
        if session.agent in {None, agent.name}
    ]


def connection_list(
    rooms: Rooms, human: Human, agent: str | None = None
) -> list[wire.ConnectionInfo]:
    """Every connection of this gateway; of a service or an agent, those that it may use."""
    usable = frozenset(rooms.targets)
    if human.is_service:
        service = rooms.services.get(human.subject)
        usable &= service.connections if service else frozenset[str]()
    if agent is not None:
        known = rooms.agents.get(agent)
        usable &= known.connections if known else frozenset[str]()
    return [
        wire.ConnectionInfo(name=target.name, kind=target.kind, description=target.description)
        for target in rooms.targets.values()
        if target.name in usable
    ]
