"""The broker's HTTP API: what the panel in JupyterLab reads, and the votes it sends.

Each request is made by a logged-in person, is allowed by name of action and resource, and is
forwarded in that person's own name, so that the gateway decides who may see and do what. Writes
need the XSRF token (the base class checks it) and a JSON body, which a cross-site form can't send.
Errors are ``{"code", "message", "hint"}``.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, Final, Protocol, TypeVar

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from tornado import web

from jupyter_zt.errors import InvalidInputError, NotFoundError, UnavailableError, ZTError
from jupyter_zt.extension.gateway_client import GatewayClient
from jupyter_zt.model import Human

__all__ = ["Broker", "api_handlers"]

_T = TypeVar("_T")
_APPROVAL: Final = r"(?P<approval>p_[0-9a-f]{8,64})"
_CODE: Final = re.compile(r"[a-z_]{1,60}\Z")
_MAX_VOTE_BYTES: Final = 16 * 1024


class Broker(Protocol):
    """What the handlers need of the extension."""

    gateway: GatewayClient

    async def is_unsandboxed(self) -> bool:
        """Whether kernels run without a sandbox here."""

    def person(self, handler: APIHandler) -> Human:
        """The person of a request."""

    def recording(self, session: str, owner: str) -> dict[str, str]:
        """How the recording of one of their sessions stands. Raises `NotFoundError`."""


class BrokerHandler(APIHandler):
    """Base: forwards to the gateway as the current person."""

    auth_resource = "zt"
    _forwarding: asyncio.Task[Any] | None = None

    def initialize(self, broker: Broker) -> None:
        """Take the broker from the handler's registration."""
        self.broker = broker

    async def forward(self, call: Callable[[str], Awaitable[_T]]) -> _T:
        """Call the gateway for the person (`Human.key`); given up when the browser goes.

        Raises:
            ZTError: There is no valid login, or the gateway's answer is an error.
        """
        person = self.broker.person(self).key
        self._forwarding = asyncio.ensure_future(call(person))
        result: _T = await self._forwarding
        return result

    async def answer(self, body: Callable[[], Awaitable[object]]) -> None:
        """Finish with the JSON that `body` makes, or with its error."""
        try:
            result = await body()
        except ZTError as error:
            self.set_status(error.status)
            result = {"code": error.code, "message": error.message, "hint": error.hint}
        except asyncio.CancelledError:
            return
        self.set_header("Content-Type", "application/json")
        self.set_header("Cache-Control", "no-store")
        self.finish(json.dumps(result))

    def on_connection_close(self) -> None:
        """The browser has gone: nobody waits for the gateway's answer."""
        if self._forwarding is not None:
            self._forwarding.cancel()
        super().on_connection_close()

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Errors of the server itself, in the same form."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        message = getattr(error, "log_message", None) or HTTPStatus(status_code).phrase
        self.set_header("Content-Type", "application/json")
        reason = getattr(error, "reason", None) or ""
        code = reason if _CODE.match(reason) else f"http_{status_code}"
        self.finish(json.dumps({"code": code, "message": message, "hint": ""}))


class MeHandler(BrokerHandler):
    """Who the person is, and how broker and gateway stand."""

    @web.authenticated
    @authorized(action="read", resource="zt")
    async def get(self) -> None:
        """The gateway's word on the person; the broker's own while the gateway is away."""
        await self.answer(self._me)

    async def _me(self) -> dict[str, object]:
        person = self.broker.person(self)
        state = "ok"
        try:
            me = await self.forward(self.broker.gateway.me)
        except UnavailableError:
            state = "unreachable"
            me = {
                "issuer": person.issuer,
                "subject": person.subject,
                "name": person.name,
                "roles": sorted(person.roles),
            }
        unsandboxed = await self.broker.is_unsandboxed()
        return {**me, "unsandboxed": unsandboxed, "gateway": {"state": state}}


class SessionsHandler(BrokerHandler):
    """The person's sessions on this server."""

    @web.authenticated
    @authorized(action="read", resource="zt")
    async def get(self) -> None:
        """Each with how its recording stands. An administrator, too, sees only their own here."""
        await self.answer(self._sessions)

    async def _sessions(self) -> list[dict[str, object]]:
        owner = self.broker.person(self).key
        mine: list[dict[str, object]] = []
        for session in await self.forward(self.broker.gateway.sessions):
            try:
                recording = self.broker.recording(session["id"], owner)
            except NotFoundError:
                continue
            mine.append({**session, **recording})
        return mine


class ConnectionsHandler(BrokerHandler):
    """The connections that the person may name."""

    @web.authenticated
    @authorized(action="read", resource="zt")
    async def get(self) -> None:
        """As the gateway lists them."""
        await self.answer(lambda: self.forward(self.broker.gateway.connections))


class ApprovalsHandler(BrokerHandler):
    """Approvals that the person may decide or has asked for."""

    @web.authenticated
    @authorized(action="read", resource="zt")
    async def get(self) -> None:
        """Long poll: ``after`` is the revision known, ``wait_seconds`` at most 25."""
        await self.answer(self._approvals)

    async def _approvals(self) -> dict[str, object]:
        after = self.get_query_argument("after", "")
        wait = self.get_query_argument("wait_seconds", "0")
        if not (after.isdecimal() or not after) or not wait.isdecimal() or len(after + wait) > 40:
            msg = "after and wait_seconds are whole numbers."
            raise InvalidInputError(msg)
        return await self.forward(
            lambda person: self.broker.gateway.approvals(person, after, int(wait))
        )


class ApprovalHandler(BrokerHandler):
    """One approval."""

    @web.authenticated
    @authorized(action="read", resource="zt")
    async def get(self, approval: str) -> None:
        """As the gateway shows it to this person."""
        await self.answer(
            lambda: self.forward(lambda person: self.broker.gateway.approval(person, approval))
        )


class VotesHandler(BrokerHandler):
    """The person's word on an approval."""

    @web.authenticated
    @authorized(action="write", resource="zt")
    async def post(self, approval: str) -> None:
        """Forwarded as it is; who votes is the token's to say."""
        await self.answer(lambda: self._vote(approval))

    async def _vote(self, approval: str) -> dict[str, object]:
        if not self.request.headers.get("Content-Type", "").startswith("application/json"):
            msg = "A vote is sent as application/json."
            raise InvalidInputError(msg)
        vote = _vote_from(self.request.body)
        return await self.forward(lambda person: self.broker.gateway.vote(person, approval, vote))


def _vote_from(body: bytes) -> dict[str, object]:
    """The three fields of a vote, and nothing else that a page may have added.

    Raises:
        InvalidInputError: It is not a vote.
    """
    try:
        vote = json.loads(body) if len(body) <= _MAX_VOTE_BYTES else None
    except ValueError:
        vote = None
    match vote:
        case {"approve": bool(approve), "reason": str(reason), "digest": str(digest)}:
            return {"approve": approve, "reason": reason, "digest": digest}
    msg = 'A vote is {"approve": true or false, "reason": "...", "digest": "..."}.'
    raise InvalidInputError(msg)


def api_handlers(broker: Broker) -> list[tuple[str, type[BrokerHandler], dict[str, Broker]]]:
    """The routes, below the server's base URL."""
    handlers: list[tuple[str, type[BrokerHandler]]] = [
        ("/zt/api/me", MeHandler),
        ("/zt/api/sessions", SessionsHandler),
        ("/zt/api/connections", ConnectionsHandler),
        ("/zt/api/approvals", ApprovalsHandler),
        (f"/zt/api/approvals/{_APPROVAL}", ApprovalHandler),
        (f"/zt/api/approvals/{_APPROVAL}/votes", VotesHandler),
    ]
    return [(pattern, handler, {"broker": broker}) for pattern, handler in handlers]
