"""Listings that show a person their own kernels and notebook sessions only.

The stock server has one session per notebook path for everybody: the second person to open a
notebook would get the first one's kernel. Here each person has their own.
"""

# mypy: disable-error-code="no-untyped-call, no-any-return"
# (jupyter_server's managers are partly untyped.)

from __future__ import annotations

from typing import Any

from jupyter_core.utils import ensure_async
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from jupyter_server.services.sessions.sessionmanager import SessionManager
from tornado.web import HTTPError

from jupyter_zt.extension import ownership

__all__ = ["OwnKernels", "ZTSessionManager"]


class OwnKernels(AsyncMappingKernelManager):
    """Lists the kernels of the person whose request this is."""

    def list_kernels(self) -> list[dict[str, Any]]:
        """Models of their kernels."""
        kernels: list[dict[str, Any]] = super().list_kernels()
        return [kernel for kernel in kernels if ownership.may_see(kernel["id"])]


class ZTSessionManager(SessionManager):
    """Notebook sessions, apart for each person. Set as ``c.ServerApp.session_manager_class``."""

    async def list_sessions(self) -> list[dict[str, Any]]:
        """Models of the person's sessions."""
        sessions: list[dict[str, Any]] = await super().list_sessions()
        return [session for session in sessions if ownership.may_see(session["kernel"]["id"])]

    async def session_exists(self, path: str) -> bool:
        """Whether the person has a session on this notebook."""
        return any(session["path"] == path for session in await self.list_sessions())

    async def get_session(self, **column: Any) -> dict[str, Any]:
        """The person's session with this value in one column.

        Raises:
            HTTPError: 404 when there is none, or it is another person's.
        """
        if set(column) == {"path"}:
            for session in await self.list_sessions():
                if session["path"] == column["path"]:
                    return session
            raise HTTPError(404, "Session not found")
        session = await super().get_session(**column)
        if not ownership.may_see(session["kernel"]["id"]):
            raise HTTPError(404, "Session not found")
        return session

    async def create_session(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """A session on a new kernel, or on a kernel of the person's own."""
        self._check(kwargs.get("kernel_id"))
        return await super().create_session(*args, **kwargs)

    async def update_session(self, session_id: str, **columns: Any) -> None:
        """Rename the person's session, or give it another kernel of their own."""
        self._check(columns.get("kernel_id"))
        await ensure_async(super().update_session(session_id, **columns))

    def _check(self, kernel_id: str | None) -> None:
        """Ending a session ends its kernel, so nobody puts another's kernel into a session."""
        if kernel_id in self.kernel_manager and not ownership.may_see(str(kernel_id)):
            raise HTTPError(404, f"Kernel does not exist: {kernel_id}")
