"""A client's token at the gateway: exchanged when it is needed, proven with each request, renewed.

One `httpx.Auth` for the broker, the command line and the tests. It asks the token endpoint within
the first request that needs a token, and again shortly before it expires, when the subject's token
has changed, or when the gateway says that it is not good any more.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Generator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Protocol

import httpx

from jupyter_zt.errors import (
    AuthenticationError,
    UnavailableError,
    ZTError,
    error_from_problem,
)
from jupyter_zt.identity.exchange import (
    ACCESS_TOKEN,
    AGENT,
    CLIENT_CREDENTIALS,
    ID_TOKEN,
    SESSION_RESOURCE,
    TOKEN_EXCHANGE,
)
from jupyter_zt.identity.proof_key import ProofKey

TOKEN_PATH = "/v1/token"  # noqa: S105 (a path)
REVOCATION_PATH = "/v1/revoke"
_MARGIN_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class TokenClient:
    """Who asks for tokens, and where.

    Attributes:
        gateway: Base address.
        id: As the gateway knows this client.
        secret: "" for a public client.
        key: Proves each request.
    """

    gateway: str
    id: str
    secret: str = field(repr=False)
    key: ProofKey = field(default_factory=ProofKey, repr=False)

    def credentials(self) -> dict[str, str]:
        """Parameters by which the client is authenticated (RFC 6749, section 2.3.1)."""
        return {"client_id": self.id} | ({"client_secret": self.secret} if self.secret else {})


class Asker(Protocol):
    """Who asks for tokens: a `TokenClient`, or a `ServiceClient`."""

    @property
    def gateway(self) -> str:
        """Base address."""

    @property
    def key(self) -> ProofKey:
        """Proves each request."""

    def credentials(self) -> dict[str, str]:
        """Parameters of one request for a token, which say who asks. Raises `ZTError`."""


class GatewayAuth(httpx.Auth):
    """Adds a token of the gateway, and a proof, to each request.

    Args:
        client: Who asks.
        scopes: What the token is to be good for.
        subject: Gives the person's own token, fresh; raises when there is no login. It is asked for
            each request: they may have left, or their groups have changed. None: the client asks
            for itself. A client of httpx that is not async needs a plain function.
        subject_type: Of that token.
        agent: Who acts for the person, if it is not they themselves.
        session: Id of the one session that the token is for.
        now: Wall clock, seconds since 1970.

    A request raises `ZTError` where the gateway gives no token, and what `subject` raises.
    """

    def __init__(
        self,
        client: Asker,
        scopes: Collection[str],
        subject: Callable[[], str | Awaitable[str]] | None = None,
        *,
        subject_type: str = ID_TOKEN,
        agent: str = "",
        session: str = "",
        now: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._subject = subject
        self._now = now
        self._fixed = _form(client, scopes, subject_type if subject else "", agent, session)
        self._token = ""
        self._renew_at = 0.0
        self._exchanged = ""
        self._one_at_a_time = threading.Lock()
        self._one_task_at_a_time = asyncio.Lock()

    @property
    def token(self) -> str:
        """The token as it is; "" before the first request."""
        return self._token

    @property
    def needs_renewal(self) -> bool:
        """Whether it is missing, or soon expires."""
        return not self._token or self._now() >= self._renew_at

    def prove(self, method: str, url: str) -> dict[str, str]:
        """Headers for one request with the token as it is.

        Args:
            method: Of the request.
            url: Of the request, without query and fragment.
        """
        return {
            "Authorization": f"DPoP {self._token}",
            "DPoP": self._client.key.prove(method, url, self._token),
        }

    def void(self) -> None:
        """The gateway does not take the token: there is to be another one."""
        self._token = ""

    async def renew(self, http: httpx.AsyncClient) -> None:
        """Gets another token if this one is missing, soon expires, or is of another login.

        Raises:
            ZTError: The gateway gives none, or `subject` raised.
            httpx.TransportError: The gateway can't be reached.
        """
        async with self._one_task_at_a_time:
            subject = await self._ask_subject()
            if self.needs_renewal or subject != self._exchanged:
                timeouts = {"timeout": http.timeout.as_dict()}
                self._take(await http.send(self._request(subject, timeouts)), subject)

    def sync_auth_flow(
        self, request: httpx.Request
    ) -> Generator[httpx.Request, httpx.Response, None]:
        """Within an `httpx.Client`."""
        for is_last_try in (False, True):
            with self._one_at_a_time:
                subject = self._subject() if self._subject else ""
                if not isinstance(subject, str):
                    raise TypeError("an httpx.Client needs a subject that is not awaited")
                if self.needs_renewal or subject != self._exchanged:
                    response = yield self._request(subject, request.extensions)
                    response.read()
                    self._take(response, subject)
            self._sign(request)
            response = yield request
            if is_last_try or not self._is_refused(response):
                return

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Within an `httpx.AsyncClient`."""
        for is_last_try in (False, True):
            async with self._one_task_at_a_time:
                subject = await self._ask_subject()
                if self.needs_renewal or subject != self._exchanged:
                    response = yield self._request(subject, request.extensions)
                    await response.aread()
                    self._take(response, subject)
            self._sign(request)
            response = yield request
            if is_last_try or not self._is_refused(response):
                return

    async def _ask_subject(self) -> str:
        if self._subject is None:
            return ""
        subject = self._subject()
        return subject if isinstance(subject, str) else await subject

    def _request(self, subject: str, timeouts: Mapping[str, object]) -> httpx.Request:
        url = self._client.gateway.rstrip("/") + TOKEN_PATH
        return httpx.Request(
            "POST",
            url,
            data=self._fixed
            | self._client.credentials()
            | ({"subject_token": subject} if subject else {}),
            headers={"DPoP": self._client.key.prove("POST", url)},
            extensions=dict(timeouts),
        )

    def _take(self, response: httpx.Response, subject: str) -> None:
        try:
            answer = response.json()
            if response.is_error:
                raise _refusal(response.status_code, answer)
            if answer["token_type"].lower() != "dpop":
                raise AuthenticationError("The token is bound to no key.", code="bad_token")
            lifetime, token = float(answer["expires_in"]), str(answer["access_token"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UnavailableError(
                f"The gateway's answer can't be understood ({response.status_code}).",
                code="bad_answer",
            ) from error
        self._token, self._exchanged = token, subject
        self._renew_at = self._now() + lifetime - min(_MARGIN_SECONDS, lifetime / 3)

    def _sign(self, request: httpx.Request) -> None:
        url = request.url.copy_with(query=None, fragment=None)
        request.headers.update(self.prove(request.method, str(url)))

    def _is_refused(self, response: httpx.Response) -> bool:
        """Whether the token, and not the request, is at fault: then nothing was done yet."""
        is_refused = (
            response.status_code == HTTPStatus.UNAUTHORIZED
            and 'error="invalid_token"' in response.headers.get("WWW-Authenticate", "")
        )
        if is_refused:
            self.void()
        return is_refused


def _refusal(status: int, answer: object) -> ZTError:
    """OAuth says 400 for what is the asker's fault: who is asking can't be established."""
    is_asker = status < HTTPStatus.INTERNAL_SERVER_ERROR
    return error_from_problem(HTTPStatus.UNAUTHORIZED if is_asker else status, answer)


def _form(
    client: Asker, scopes: Collection[str], subject_type: str, agent: str, session: str
) -> dict[str, str]:
    form = {"scope": " ".join(scopes), "grant_type": CLIENT_CREDENTIALS}
    if subject_type:
        form |= {
            "grant_type": TOKEN_EXCHANGE,
            "subject_token_type": subject_type,
            "requested_token_type": ACCESS_TOKEN,
            "audience": client.gateway.rstrip("/"),
        }
    if agent:
        form |= {"actor_token": agent, "actor_token_type": AGENT}
    if session:
        form["resource"] = SESSION_RESOURCE + session
    return form
