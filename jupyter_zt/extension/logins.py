"""Who is logged in: server-side logins, kept in memory, named by an opaque random cookie.

Rules:

1. The browser holds a random secret and nothing else; the server keeps only its hash.
2. A login is as fresh as its ID token. It is renewed before that expires, and each renewal reads
   name and groups again.
3. A renewal that the provider refuses ends the login at once; a provider that can't be reached ends
   it when the ID token expires.
4. The end of a login closes its web sockets, and is told to whoever watches.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
import weakref
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from jupyter_zt.errors import AuthenticationError, UnavailableError, ZTError
from jupyter_zt.identity import Tokens, human_from_claims
from jupyter_zt.model import Human

__all__ = ["Login", "Logins", "current"]

RENEW_MARGIN_SECONDS = 60.0
RETRY_SECONDS = 5.0
_CLOSED_BY_LOGOUT = 4401


class WebSocket(Protocol):
    """The part of tornado's WebSocketHandler that the end of a login needs."""

    def close(self, code: int | None = None, reason: str | None = None) -> None:
        """Close the connection."""


class Login:
    """One browser's login.

    Args:
        tokens: What the provider gave.
        renew: Gets new tokens for old ones.
        roles: Role -> groups.
        ends_at: When it ends whatever the provider says; seconds since 1970.
        now: Wall clock, seconds since 1970.
        told: Called once, when it has ended.
    """

    def __init__(
        self,
        tokens: Tokens,
        *,
        renew: Callable[[Tokens], Awaitable[Tokens]],
        roles: Mapping[str, Sequence[str]],
        ends_at: float,
        now: Callable[[], float] = time.time,
        told: Callable[[Login], None] | None = None,
    ) -> None:
        self._renew = renew
        self._roles = roles
        self._ends_at = ends_at
        self._now = now
        self._told = told
        self._renewal: asyncio.Task[None] | None = None
        self._sockets: weakref.WeakSet[Any] = weakref.WeakSet()
        self.tokens = tokens
        self.human: Human = human_from_claims(tokens.claims, roles)
        self.ended = False

    @property
    def id_token(self) -> str:
        """The ID token as it is; `fresh_id_token` renews it."""
        return self.tokens.id_token

    @property
    def seconds_to_renewal(self) -> float:
        """Seconds until the next renewal is due."""
        claims = self.tokens.claims
        lifetime = (claims.expires_at - claims.issued_at).total_seconds()
        margin = min(RENEW_MARGIN_SECONDS, lifetime / 3)
        due = min(claims.expires_at.timestamp() - margin, self._ends_at)
        return max(0.0, due - self._now())

    async def fresh_id_token(self) -> str:
        """An ID token that is good for a while. Concurrent callers share one renewal.

        Raises:
            AuthenticationError: `login_expired`: the login has ended.
            UnavailableError: `identity_provider_unreachable`, and the ID token has expired.
        """
        if not self.ended and self.seconds_to_renewal <= 0:
            if self._renewal is None or self._renewal.done():
                self._renewal = asyncio.create_task(self._renew_once())
            # A caller that goes away must not lose the rotated refresh token.
            await asyncio.shield(self._renewal)
        if self.ended:
            raise _ended()
        return self.tokens.id_token

    def attach(self, socket: WebSocket) -> None:
        """This web socket lives no longer than the login."""
        self._sockets.add(socket)

    def end(self) -> None:
        """Log out here: from now on nothing is done in this person's name."""
        if self.ended:
            return
        self.ended = True
        for socket in list(self._sockets):
            socket.close(_CLOSED_BY_LOGOUT, "login_expired")
        if self._told is not None:
            self._told(self)

    async def _renew_once(self) -> None:
        now = self._now()
        expired = now >= self.tokens.claims.expires_at.timestamp()
        if now >= self._ends_at or (expired and not self.tokens.refresh_token):
            self.end()
            return
        if not self.tokens.refresh_token:
            return
        try:
            tokens = await self._renew(self.tokens)
        except UnavailableError:
            if expired:
                self.end()
                raise
            return
        except AuthenticationError:
            self.end()
            return
        if self.ended:
            return
        self.tokens = tokens
        self.human = human_from_claims(tokens.claims, self._roles)


class Logins:
    """Every login of this server.

    Args:
        renew: Gets new tokens for old ones (`RelyingParty.refresh`).
        roles: Role -> groups.
        max_seconds: Longest life of a login.
        now: Wall clock, seconds since 1970.
        randomness: Makes a URL-safe text of that many random bytes.
    """

    def __init__(
        self,
        renew: Callable[[Tokens], Awaitable[Tokens]],
        roles: Mapping[str, Sequence[str]],
        *,
        max_seconds: float,
        now: Callable[[], float] = time.time,
        randomness: Callable[[int], str] = secrets.token_urlsafe,
    ) -> None:
        self._renew = renew
        self._roles = roles
        self._max_seconds = max_seconds
        self._now = now
        self._randomness = randomness
        self._logins: dict[bytes, Login] = {}
        self._watching: set[asyncio.Task[None]] = set()
        self._listeners: list[Callable[[str], None]] = []

    def watch(self, listener: Callable[[str], None]) -> None:
        """Tell it whose login (`Human.key`) has started or ended, each time."""
        self._listeners.append(listener)

    def start(self, tokens: Tokens) -> tuple[str, Login]:
        """A new login, and the secret for its browser's cookie. Always a new one: none is fixed."""
        secret = self._randomness(32)
        login = Login(
            tokens,
            renew=self._renew,
            roles=self._roles,
            ends_at=self._now() + self._max_seconds,
            now=self._now,
            told=self._tell,
        )
        digest = _digest(secret)
        self._logins[digest] = login
        self._tell(login)
        task = asyncio.create_task(self._keep_fresh(digest, login))
        self._watching.add(task)
        task.add_done_callback(self._watching.discard)
        return secret, login

    def find(self, secret: str | None) -> Login | None:
        """The login that this cookie value names, if it lives."""
        login = self._logins.get(_digest(secret)) if secret else None
        return login if login is not None and not login.ended else None

    def of_person(self, human_key: str) -> Iterator[Login]:
        """The living logins of a person (`Human.key`), latest first."""
        for login in reversed(list(self._logins.values())):
            if not login.ended and login.human.key == human_key:
                yield login

    async def id_token(self, human_key: str) -> str:
        """A fresh ID token of a person, for work that no request waits for.

        Raises:
            AuthenticationError: `login_expired`: the person is not logged in.
            UnavailableError: `identity_provider_unreachable`.
        """
        problem: ZTError = _ended()
        for login in self.of_person(human_key):
            try:
                return await login.fresh_id_token()
            except ZTError as error:
                problem = error
        raise problem

    def _tell(self, login: Login) -> None:
        for listener in self._listeners:
            listener(login.human.key)

    async def _keep_fresh(self, digest: bytes, login: Login) -> None:
        """Renew in time, so that work in the background and roles don't lag behind the provider."""
        try:
            while not login.ended:
                await asyncio.sleep(login.seconds_to_renewal or RETRY_SECONDS)
                try:
                    await login.fresh_id_token()
                except ZTError:
                    continue
        finally:
            self._logins.pop(digest, None)


def current(handler: Any) -> Login:
    """The login of a request.

    Raises:
        AuthenticationError: `login_expired`.
    """
    login: Login | None = handler.identity_provider.login_of(handler)
    if login is None:
        raise _ended()
    return login


def _digest(secret: str) -> bytes:
    # Looked up by its hash, a secret can't be found out by timing.
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def _ended() -> AuthenticationError:
    return AuthenticationError(
        "Your login has ended.", code="login_expired", hint="Log in again in JupyterLab."
    )
