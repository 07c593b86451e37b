"""Where the identity provider tells that a login has ended (Back-Channel Logout 1.0).

Nobody is logged in on this path and no cookie counts: the logout token itself is the proof, and its
checks (`jupyter_zt.identity.logout_tokens`) are all that stands before it. So this handler

1. reads a small form and nothing else, in the body and not in the address;
2. has the token verified;
3. ends the logins that it means: their web sockets close, and the sessions of their kernels are
   suspended at the gateway once it was a person's last login;
4. answers, and only then revokes the refresh tokens, which are of no use any more.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any, Final, cast
from urllib.parse import parse_qs

from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.base.handlers import JupyterHandler
from tornado.http1connection import HTTP1Connection
from tornado.web import stream_request_body

from jupyter_zt.errors import InvalidInputError, ZTError

__all__ = ["PATH", "BackChannelLogoutHandler"]

PATH: Final = "/zt/backchannel-logout"
MAX_BODY_BYTES: Final = 32 * 1024
_FORM: Final = "application/x-www-form-urlencoded"


@stream_request_body
class BackChannelLogoutHandler(JupyterHandler):
    """``POST /zt/backchannel-logout``, by the provider."""

    auth_resource = "login"

    async def prepare(self) -> None:  # type: ignore[override]  # as JupyterHandler's own
        """Before the body is read: not more of it than a logout token takes."""
        self._body = bytearray()
        connection = cast("HTTP1Connection", self.request.connection)
        connection.set_max_body_size(MAX_BODY_BYTES)
        await super().prepare()

    def data_received(self, chunk: bytes) -> None:
        """A part of the body."""
        self._body += chunk

    def check_xsrf_cookie(self) -> None:
        """No cookie gives any right here, so that none can be abused."""

    @allow_unauthenticated
    async def post(self) -> None:
        """200, or 400 with OAuth's ``error`` and ``error_description`` (section 2.8)."""
        self.set_header("Cache-Control", "no-store")
        people: Any = self.identity_provider
        try:
            logout = await people.relying_party.logouts.accept(self._logout_token())
        except ZTError as error:
            self.log.warning("A logout by the provider is refused: %s [%s]", error, error.code)
            self.set_status(HTTPStatus.BAD_REQUEST)
            self.set_header("Content-Type", "application/json")
            answer = {"error": "invalid_request", "error_description": error.message}
            await self.finish(json.dumps({**answer, "code": error.code}))
            return
        ended = people.logins.end_by_provider(logout)
        await self.finish()
        for login in ended:
            self.log.info("Logged out by the identity provider: %s", login.human.key)
            try:
                await people.relying_party.revoke(login.tokens)
            except ZTError as error:
                self.log.warning("Its refresh token is not revoked: %s", error)

    def _logout_token(self) -> str:
        form = self.request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        try:
            fields = parse_qs(self._body.decode("ascii"), strict_parsing=True, max_num_fields=16)
        except ValueError:
            fields = {}
        match fields.get("logout_token"):
            case [str(token)] if form == _FORM and "logout_token" not in self.request.arguments:
                return token
        msg = "A logout is one logout_token in a form."
        raise InvalidInputError(msg)
