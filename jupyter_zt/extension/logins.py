"""Who is logged in: server-side logins, kept in memory, named by an opaque random cookie.

Rules:

1. The browser holds a random secret and nothing else; the server keeps only its hash.
2. A login is renewed before its ID token expires, and after `renew_seconds` whatever its ID token
   says; each renewal reads name and groups again.
3. A renewal that the provider refuses ends the login at once; a provider that can't be reached ends
   it when the ID token expires.
4. The provider's logout token ends the logins it means, and those that it overtakes.
5. The end of a login closes its web sockets, and is told to whoever watches.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
import weakref
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Protocol

from jupyter_zt.errors import AuthenticationError, UnavailableError, ZTError
from jupyter_zt.identity import Logout, RoleMap, Tokens, human_from_claims
from jupyter_zt.model import Human

__all__ = ["CLOSED_BY_LOGOUT", "Login", "Logins", "WebSocket", "current", "login_ended"]

RENEW_SECONDS = 600.0
RETRY_SECONDS = 5.0
OVERTAKEN_SECONDS = 600.0
"""So long a login can be under way when its logout comes (`login_attempts.ATTEMPT_SECONDS`)."""
CLOSED_BY_LOGOUT = 4401


class WebSocket(Protocol):
    """The part of tornado's WebSocketHandler that the end of a login needs."""

    def close(self, code: int | None = None, reason: str | None = None) -> None:
        """Close the connection."""


class Login:
    """One browser's login.

    Args:
        tokens: What the provider gave.
        renew: Gets new tokens for old ones.
        roles: Role -> who has it.
        ends_at: When it ends whatever the provider says; seconds since 1970.
        renew_seconds: Longest time between two renewals.
        now: Wall clock, seconds since 1970.
        told: Called once, when it has ended.
    """

    def __init__(
        self,
        tokens: Tokens,
        *,
        renew: Callable[[Tokens], Awaitable[Tokens]],
        roles: RoleMap,
        ends_at: float,
        renew_seconds: float = RENEW_SECONDS,
        now: Callable[[], float] = time.time,
        told: Callable[[Login], None] | None = None,
    ) -> None:
        self._renew = renew
        self._roles = roles
        self._ends_at = ends_at
        self._renew_seconds = renew_seconds
        self._now = now
        self._told = told
        self._renewed_at = now()
        self._tried_at = float("-inf")
        self._renewal: asyncio.Task[None] | None = None
        self._sockets: weakref.WeakSet[Any] = weakref.WeakSet()
        self.tokens = tokens
        self.human: Human = human_from_claims(tokens.claims, roles)
        self.ended = False

    @property
    def seconds_to_renewal(self) -> float:
        """Seconds until the next renewal is due."""
        due = self._must_renew_at
        if self.tokens.refresh_token:
            due = min(due, self._renewed_at + self._renew_seconds)
        return max(0.0, due - self._now())

    async def fresh_id_token(self) -> str:
        """An ID token that is good for a while. Concurrent callers share one renewal.

        Raises:
            AuthenticationError: `login_expired`: the login has ended.
            UnavailableError: `identity_provider_unreachable`, and the ID token has expired.
        """
        if not self.ended and self.seconds_to_renewal <= 0:
            self._start_renewal()
            if self._renewal is not None and self._now() >= self._must_renew_at:
                # A caller that goes away must not lose the rotated refresh token.
                await asyncio.shield(self._renewal)
        if self.ended:
            raise login_ended()
        return self.tokens.id_token

    @property
    def _must_renew_at(self) -> float:
        """From then on nobody is given the ID token before it was tried to renew it."""
        return min(self.tokens.renew_at, self._ends_at)

    @property
    def _has_expired(self) -> bool:
        return self._now() >= self.tokens.claims.expires_at.timestamp()

    def _start_renewal(self) -> None:
        if self._renewal is not None and not self._renewal.done():
            return
        # A provider that is down is not asked by every request, unless nothing else is left.
        over = self._has_expired or self._now() >= self._ends_at
        if over or self._now() >= self._tried_at + RETRY_SECONDS:
            self._tried_at = self._now()
            self._renewal = asyncio.create_task(self._renew_once())
            # Nobody may wait for it: then its error is told by the login's end, or not at all.
            self._renewal.add_done_callback(lambda done: done.cancelled() or done.exception())

    def attach(self, socket: WebSocket) -> None:
        """This web socket lives no longer than the login."""
        self._sockets.add(socket)

    def end(self) -> None:
        """Log out here: from now on nothing is done in this person's name."""
        if self.ended:
            return
        self.ended = True
        for socket in list(self._sockets):
            socket.close(CLOSED_BY_LOGOUT, "login_expired")
        if self._told is not None:
            self._told(self)

    async def _renew_once(self) -> None:
        expired = self._has_expired
        if self._now() >= self._ends_at or (expired and not self.tokens.refresh_token):
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
        self._renewed_at = self._now()
        self.human = human_from_claims(tokens.claims, self._roles)


class Logins:
    """Every login of this server.

    Args:
        renew: Gets new tokens for old ones (`RelyingParty.refresh`).
        roles: Role -> who has it.
        max_seconds: Longest life of a login.
        renew_seconds: Longest time between two renewals.
        now: Wall clock, seconds since 1970.
        randomness: Makes a URL-safe text of that many random bytes.
    """

    def __init__(
        self,
        renew: Callable[[Tokens], Awaitable[Tokens]],
        roles: RoleMap,
        *,
        max_seconds: float,
        renew_seconds: float = RENEW_SECONDS,
        now: Callable[[], float] = time.time,
        randomness: Callable[[int], str] = secrets.token_urlsafe,
    ) -> None:
        self._renew = renew
        self._roles = roles
        self._max_seconds = max_seconds
        self._renew_seconds = renew_seconds
        self._now = now
        self._randomness = randomness
        self._logins: dict[bytes, Login] = {}
        self._watching: set[asyncio.Task[None]] = set()
        self._listeners: list[Callable[[str], None]] = []
        self._logouts: list[Logout] = []

    def watch(self, listener: Callable[[str], None]) -> None:
        """Tell it whose login (`Human.key`) has started or ended, each time."""
        self._listeners.append(listener)

    def start(self, tokens: Tokens) -> tuple[str, Login]:
        """A new login, and the secret for its browser's cookie. Always a new one: none is fixed.

        Raises:
            AuthenticationError: `login_expired`: the provider has ended it while it was under way.
        """
        if any(logout.precedes(tokens.claims) for logout in self._logouts):
            raise login_ended()
        secret = self._randomness(32)
        login = Login(
            tokens,
            renew=self._renew,
            roles=self._roles,
            ends_at=self._now() + self._max_seconds,
            renew_seconds=self._renew_seconds,
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

    def end_by_provider(self, logout: Logout) -> list[Login]:
        """End every login that the provider has ended, now and while it is still under way.

        Returns:
            Those that lived.
        """
        recent = self._now() - OVERTAKEN_SECONDS
        self._logouts = [one for one in self._logouts if one.issued_at >= recent] + [logout]
        meant = [
            login
            for login in self._logins.values()
            if not login.ended and logout.ends(login.tokens.claims)
        ]
        for login in meant:
            login.end()
        return meant

    async def id_token(self, human_key: str) -> str:
        """A fresh ID token of a person, for work that no request waits for.

        Raises:
            AuthenticationError: `login_expired`: the person is not logged in.
            UnavailableError: `identity_provider_unreachable`.
        """
        problem: ZTError = login_ended()
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
        raise login_ended()
    return login


def _digest(secret: str) -> bytes:
    # Looked up by its hash, a secret can't be found out by timing.
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def login_ended() -> AuthenticationError:
    """What is said to whoever's login has ended."""
    return AuthenticationError(
        "Your login has ended.", code="login_expired", hint="Log in again in JupyterLab."
    )
