"""The control API of revocation: who may end which sessions, and the kill switch."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Header

from jupyter_zt.errors import NotFoundError, PermissionDeniedError
from jupyter_zt.gateway import wire
from jupyter_zt.gateway.rooms import Rooms
from jupyter_zt.model import ADMIN, Human

Bearer = Annotated[str, Header(alias="Authorization")]


class SessionControl:
    """Handlers.

    Args:
        rooms: What they act on.
        authenticate: The human whose token this is, and until when it is valid.
    """

    def __init__(
        self, rooms: Rooms, authenticate: Callable[[str], Awaitable[tuple[Human, datetime]]]
    ) -> None:
        self._rooms = rooms
        self._authenticate = authenticate

    async def revoke(
        self, session_id: str, body: wire.RevokeRequest, authorization: Bearer = ""
    ) -> None:
        """One's own session; an administrator, anybody's. Revoking twice is fine."""
        human, _ = await self._authenticate(authorization)
        session = self._rooms.sessions.get(session_id)
        if session.human.key != human.key and ADMIN not in human.roles:
            raise NotFoundError("There is no such session.", code="unknown_session")
        await self._rooms.revoking.revoke(session, human, body.reason)

    async def stopped(self, authorization: Bearer = "") -> wire.Stopped:
        """Whether new sessions are stopped, and by whom."""
        await self._authenticate(authorization)
        stopped = self._rooms.revoking.stopped
        if stopped is None:
            return wire.Stopped(stopped=None)
        return wire.Stopped(stopped=wire.Stop(by=stopped.by, at=stopped.at, reason=stopped.reason))

    async def stop(
        self, body: wire.RevokeRequest, authorization: Bearer = ""
    ) -> wire.RevokedSessions:
        """The kill switch: an administrator revokes every session, and no new one opens."""
        human = await self._administrator(authorization)
        count, unrecorded = await self._rooms.revoking.revoke_all(human, body.reason)
        return wire.RevokedSessions(revoked=str(count), unrecorded=unrecorded)

    async def resume(self, authorization: Bearer = "") -> None:
        """An administrator lets new sessions open again."""
        await self._rooms.revoking.resume(await self._administrator(authorization))

    async def _administrator(self, authorization: str) -> Human:
        human, _ = await self._authenticate(authorization)
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
