"""The control API of revocation: who may end which sessions, and the kill switch."""

from __future__ import annotations

from fastapi import APIRouter, Request

from jupyter_zt.errors import NotFoundError, PermissionDeniedError
from jupyter_zt.gateway import wire
from jupyter_zt.gateway.callers import human_of
from jupyter_zt.gateway.rooms import Rooms
from jupyter_zt.identity.gateway_tokens import READ, REVOKE
from jupyter_zt.model import ADMIN, Human


class SessionControl:
    """Handlers.

    Args:
        rooms: What they act on.
    """

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    async def revoke(self, request: Request, session_id: str, body: wire.RevokeRequest) -> None:
        """One's own session; an administrator, anybody's. Revoking twice is fine."""
        human = self._person(request, REVOKE)
        session = self._rooms.sessions.get(session_id)
        if session.human.key != human.key and ADMIN not in human.roles:
            raise NotFoundError("There is no such session.", code="unknown_session")
        await self._rooms.revoking.revoke(session, human, body.reason)

    async def stopped(self, request: Request) -> wire.Stopped:
        """Whether new sessions are stopped, and by whom."""
        self._person(request, READ)
        stopped = self._rooms.revoking.stopped
        if stopped is None:
            return wire.Stopped(stopped=None)
        return wire.Stopped(stopped=wire.Stop(by=stopped.by, at=stopped.at, reason=stopped.reason))

    async def stop(self, request: Request, body: wire.RevokeRequest) -> wire.RevokedSessions:
        """The kill switch: an administrator revokes every session, and no new one opens."""
        human = self._administrator(request)
        count, unrecorded = await self._rooms.revoking.revoke_all(human, body.reason)
        return wire.RevokedSessions(revoked=str(count), unrecorded=unrecorded)

    async def resume(self, request: Request) -> None:
        """An administrator lets new sessions open again."""
        await self._rooms.revoking.resume(self._administrator(request))

    def _person(self, request: Request, scope: str) -> Human:
        return human_of(self._rooms.callers.authenticate(request, scope))

    def _administrator(self, request: Request) -> Human:
        human = self._person(request, REVOKE)
        if ADMIN not in human.roles:
            raise PermissionDeniedError(
                f"Only people with the role {ADMIN} may do this.", code="not_an_administrator"
            )
        return human

    def add_to(self, router: APIRouter) -> None:
        """Adds the routes."""
        add = router.add_api_route
        add("/sessions/stop", self.stopped, methods=["GET"])
        add("/sessions/stop", self.stop, methods=["POST"])
        add("/sessions/resume", self.resume, methods=["POST"], status_code=204)
        add("/sessions/{session_id}/revoke", self.revoke, methods=["POST"], status_code=204)
