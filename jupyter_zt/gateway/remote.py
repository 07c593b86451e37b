"""A session's API for whoever is on another host: the same app that its socket would serve.

A broker's relay, and a person's command line, speak to `/v1/sessions/{id}/runtime` and what is
below it, with a token for actions in that one session.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fastapi import Request

from jupyter_zt.errors import LimitError, NotFoundError, PermissionDeniedError, ZTError
from jupyter_zt.gateway.bounds import (
    MAX_SESSION_BODY_BYTES,
    MAX_SESSION_CONNECTIONS,
    BodyLimit,
)
from jupyter_zt.gateway.problems import problem
from jupyter_zt.identity.gateway_tokens import ACTIONS

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from jupyter_zt.gateway.rooms import Rooms
    from jupyter_zt.gateway.sessions import LiveSession

_RUNTIME = re.compile(r"/v1/sessions/(?P<session>s_[0-9a-f]{1,64})/runtime(?P<rest>/.*)")


class RemoteSessions:
    """An ASGI app in front of the control API.

    Args:
        app: The control API.
        session_app: The session API; it finds the session in its scope as ``zt.session``.
        rooms: Know who sends a request, and the sessions.
    """

    def __init__(self, app: ASGIApp, session_app: ASGIApp, rooms: Rooms) -> None:
        self._app = app
        self._session_app = BodyLimit(session_app, MAX_SESSION_BODY_BYTES)
        self._rooms = rooms

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        found = _RUNTIME.fullmatch(scope["path"]) if scope["type"] == "http" else None
        if found is None:
            await self._app(scope, receive, send)
            return
        try:
            session = self._session(Request(scope), found["session"])
        except ZTError as error:
            await problem(error)(scope, receive, send)
            return
        inner = {**scope, "path": found["rest"], "zt.session": session}
        await self._session_app(inner, receive, send)

    def _session(self, request: Request, session_id: str) -> LiveSession:
        # (1) Who sends it: a token for actions, bound to a key, with a proof for this request.
        token = self._rooms.callers.authenticate(request, ACTIONS)

        # (2) For this one session, of this human and agent, by the key that opened it.
        session = self._rooms.sessions.get(session_id) if token.session == session_id else None
        if session is None or token.human is None or session.human.key != token.human.key:
            raise NotFoundError("There is no such session.", code="unknown_session")
        if session.key != token.key or session.agent != token.agent:
            raise PermissionDeniedError("This session was opened by somebody else.")

        # (3) Which has no socket on this host: there is one way in, and it was chosen at the start.
        if not session.remote:
            raise PermissionDeniedError(
                "This session is reached on its socket only.", code="session_has_a_socket"
            )

        # (4) Within its bounds. Whether it is alive, its app asks.
        if len(session.running) >= MAX_SESSION_CONNECTIONS:
            raise LimitError("This session does too much at once.", code="too_many_requests")
        return session
