"""Logins at JupyterHub, as far as this server has seen them.

Rules:

1. A login is a token that the Hub gave this server for one browser. The browser's cookie holds it;
   the page's scripts don't get it.
2. The Hub is asked about each login again and again. When it does not know one any more (a logout,
   a person who was deleted, a server that was stopped), the login ends here: its web sockets close,
   and whoever watches is told.
3. Logging out on this server ends the login here at once; the same token never comes back.
4. A Hub that can't be reached ends no login: the gateway, which asks by itself, does nothing in the
   person's name meanwhile.
"""

from __future__ import annotations

import asyncio
import hashlib
import weakref
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from tornado.web import HTTPError

from jupyter_zt.errors import AuthenticationError, ZTError
from jupyter_zt.extension.logins import CLOSED_BY_LOGOUT, WebSocket, login_ended
from jupyter_zt.model import Human

__all__ = ["HubLogin", "HubLogins"]


class HubLogin:
    """One browser's login.

    Attributes:
        token: The Hub's token for it.
        human: The person, with the roles that the Hub's groups gave when it was last asked.
        has_ended: From now on nothing is done in this person's name.
    """

    def __init__(self, token: str, human: Human) -> None:
        self.token = token
        self.human = human
        self.has_ended = False
        self._sockets: weakref.WeakSet[Any] = weakref.WeakSet()

    def attach(self, socket: WebSocket) -> None:
        """This web socket lives no longer than the login."""
        self._sockets.add(socket)

    def end(self) -> bool:
        """Close what is open; whether it had not ended before."""
        if self.has_ended:
            return False
        self.has_ended = True
        for socket in list(self._sockets):
            socket.close(CLOSED_BY_LOGOUT, "login_expired")
        return True


class HubLogins:
    """Every login that this server has seen.

    Args:
        ask: The Hub's model of a token's owner, not from any cache; None when it knows no such
            token. Raises `HTTPError` when it can't be asked.
        human_of: The person of such a model. Raises `AuthenticationError`.
        check_seconds: How often the Hub is asked about each.
    """

    def __init__(
        self,
        ask: Callable[[str], Awaitable[Mapping[str, Any] | None]],
        human_of: Callable[[Mapping[str, Any]], Human],
        *,
        check_seconds: float,
    ) -> None:
        self._ask = ask
        self._human_of = human_of
        self._check_seconds = check_seconds
        self._logins: dict[bytes, HubLogin] = {}
        self._checking: set[asyncio.Task[None]] = set()
        self._listeners: list[Callable[[str], None]] = []

    def watch(self, listener: Callable[[str], None]) -> None:
        """Tell it whose login (`Human.key`) has started or ended, each time."""
        self._listeners.append(listener)

    def seen(self, token: str, model: Mapping[str, Any]) -> HubLogin | None:
        """The login of a request; None when it has ended.

        Args:
            token: What the browser's cookie holds.
            model: What the Hub says of it.

        Raises:
            AuthenticationError: It is no login of a person.
        """
        human = self._human_of(model)
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        login = self._logins.get(digest)
        if login is None:
            login = self._logins[digest] = HubLogin(token, human)
            self._tell(login)
            task = asyncio.create_task(self._keep_checking(digest, login))
            self._checking.add(task)
            task.add_done_callback(self._checking.discard)
        return None if login.has_ended else login

    def end(self, login: HubLogin) -> None:
        """Log out here."""
        if login.end():
            self._tell(login)

    def token(self, human_key: str) -> str:
        """The token of a person's latest login.

        Raises:
            AuthenticationError: `login_expired`: the person is not logged in.
        """
        for login in reversed(list(self._logins.values())):
            if not login.has_ended and login.human.key == human_key:
                return login.token
        raise login_ended()

    async def _keep_checking(self, digest: bytes, login: HubLogin) -> None:
        """Until the Hub does not know it any more. One that has ended here is kept till then."""
        try:
            while True:
                await asyncio.sleep(self._check_seconds)
                try:
                    model = await self._ask(login.token)
                    if model is None:
                        return
                    login.human = self._human_of(model)
                except AuthenticationError:
                    return
                except (HTTPError, ZTError):
                    continue
        finally:
            self.end(login)
            del self._logins[digest]

    def _tell(self, login: HubLogin) -> None:
        for listener in self._listeners:
            listener(login.human.key)
