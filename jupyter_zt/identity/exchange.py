"""What the token endpoint gives tokens for: token exchange (RFC 8693), and a client for itself.

One request in this order: `jupyter_zt.gateway.token_api` reads the form, authenticates the client
and verifies the DPoP proof; the grant that the form names says who the token is for; then
`GatewayTokens` signs it.

To believe another kind of subject (a JupyterHub token, say): write a `SubjectVerifier` and register
it under its token type in `TokenExchange.subjects`. It gives a `Subject`: the human with their
roles, until when its word is good, and since when.

To add another grant: write a `Grant` and register it under its `grant_type` in the `Grants` that
`jupyter_zt.gateway.server` builds. It gets a `TokenRequest`, whose client is authenticated and
whose key is proven, and gives an `Award`. A new kind of client is a `Client` of the registry
(`jupyter_zt.gateway.clients`), with the scopes that it can have at most. Services are an example:
`jupyter_zt.identity.service_assertions`.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from jupyter_zt.errors import AuthenticationError, TokenRequestError
from jupyter_zt.identity.claims import Claims
from jupyter_zt.identity.gateway_tokens import ACTIONS, ATTEST, READ, SESSION
from jupyter_zt.identity.roles import RoleMap, human_from_claims
from jupyter_zt.identity.verifier import TokenVerifier
from jupyter_zt.model import Human, Service

TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105 (a name)
CLIENT_CREDENTIALS = "client_credentials"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 (a name)
ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"  # noqa: S105 (a name)
AGENT = "urn:jupyter-zt:token-type:agent"
"""Type of an `actor_token` that is an agent's name: the client which is authenticated says so."""
SESSION_RESOURCE = "urn:jupyter-zt:session:"
"""With a session's id, the `resource` (RFC 8707) that a token is narrowed to."""

AGENT_SCOPES = frozenset({SESSION, ACTIONS})
"""What a token can be good for when an agent acts. It sees no requests, and decides none."""

_SESSION_ID = re.compile(r"s_[0-9a-f]{8,64}\Z")


@dataclass(frozen=True, slots=True)
class Client:
    """Who may ask for tokens.

    Attributes:
        scopes: What its tokens can be good for, at most.
        audiences: Whose ID tokens it may exchange: those that were issued to it.
        service: The registered service that it is; None where it acts for people.
    """

    id: str
    scopes: frozenset[str]
    audiences: frozenset[str] = frozenset()
    service: Service | None = None


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """A request at the token endpoint.

    Attributes:
        form: Its parameters, each once.
        client: Authenticated.
        key: Thumbprint of the key that made its proof.
    """

    form: Mapping[str, str] = field(repr=False)
    client: Client
    key: str


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom a verifier vouches for.

    Attributes:
        since: When its word was given. UTC.
        until: Until when it is good. UTC.
        authenticated_at: When the human last showed who they are (`auth_time`); None where nobody
            says. UTC.
    """

    human: Human
    since: datetime
    until: datetime
    authenticated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Award:
    """What a token will say.

    Attributes:
        human: In whose name; None for the client itself.
        subject: Where it came from; None for the client itself.
    """

    scopes: frozenset[str]
    subject: Subject | None = None
    agent: str | None = None
    session: str = ""
    issued_token_type: str = ""


class SubjectVerifier(Protocol):
    """Believes one type of `subject_token`."""

    async def __call__(self, token: str, client: Client) -> Subject:
        """The human of this token, for this client. Raises `AuthenticationError`."""


Grant = Callable[[TokenRequest], Awaitable[Award]]
"""Raises `TokenRequestError`, `AuthenticationError` or `UnavailableError`."""

Grants = Mapping[str, Grant]
"""`grant_type` -> what it gives."""


class IdTokens:
    """Believes the identity provider's ID tokens.

    Args:
        verifier: Of their signatures and claims.
        roles: Role -> who has it.
    """

    def __init__(self, verifier: TokenVerifier, roles: RoleMap) -> None:
        self._verifier = verifier
        self._roles = roles

    async def __call__(self, token: str, client: Client) -> Subject:
        """As `SubjectVerifier`."""
        claims = await self._verifier.verify(token)
        if not _audiences(claims) <= client.audiences:
            raise AuthenticationError(
                "The ID token was issued to another client.", code="wrong_audience"
            )
        return Subject(
            human=human_from_claims(claims, self._roles),
            since=claims.issued_at,
            until=claims.expires_at,
            authenticated_at=_authenticated_at(claims),
        )


def _authenticated_at(claims: Claims) -> datetime | None:
    """OpenID Connect Core 1.0, section 2: `auth_time`, a number of seconds since 1970."""
    said = claims.raw.get("auth_time")
    if isinstance(said, bool) or not isinstance(said, int | float):
        return None
    try:
        return datetime.fromtimestamp(said, UTC)
    except (OverflowError, OSError, ValueError):
        return None


class TokenExchange:
    """A subject's token for one of the gateway (RFC 8693).

    Args:
        audiences: Names of this gateway.
        subjects: Type of a `subject_token` -> who believes it.
        agents: Names of those that are registered.
        now: The clock. UTC.
    """

    def __init__(
        self,
        audiences: frozenset[str],
        subjects: Mapping[str, SubjectVerifier],
        agents: Collection[str],
        now: Callable[[], datetime],
    ) -> None:
        self._audiences = audiences
        self.subjects = dict(subjects)
        self._agents = frozenset(agents)
        self._now = now

    async def __call__(self, request: TokenRequest) -> Award:
        """As `Grant`."""
        form = request.form
        # (1) For this gateway, and of the one kind that it issues.
        if form.get("audience", "").rstrip("/") not in self._audiences:
            raise TokenRequestError(
                "invalid_target", "audience is the address of this gateway.", code="wrong_audience"
            )
        if form.get("requested_token_type", ACCESS_TOKEN) != ACCESS_TOKEN:
            raise TokenRequestError("invalid_request", "Only access tokens are issued here.")

        # (2) For whom.
        believes = self.subjects.get(form.get("subject_token_type", ""))
        if believes is None or not form.get("subject_token"):
            raise TokenRequestError(
                "invalid_request",
                "subject_token and subject_token_type are missing, or of an unknown type.",
                code="unknown_subject_type",
                hint=f"Known types: {', '.join(self.subjects)}.",
            )
        subject = await believes(form["subject_token"], request.client)
        if self._now() >= subject.until:
            raise AuthenticationError(
                "The login has expired.", code="login_expired", hint="Log in again."
            )

        # (3) By whom: the client, and an agent if it names one.
        agent = agent_of(form, self._agents)

        # (4) For what: no more than was asked for, than the client may, than an agent may.
        ceiling = request.client.scopes - {ATTEST}
        scopes = narrowed(form, ceiling & AGENT_SCOPES if agent else ceiling)
        return Award(
            scopes,
            subject=subject,
            agent=agent,
            session=session_of(form, scopes),
            issued_token_type=ACCESS_TOKEN,
        )


async def for_the_client_itself(request: TokenRequest) -> Award:
    """Client credentials (RFC 6749, section 4.4): what a broker does in nobody's name."""
    return Award(narrowed(request.form, request.client.scopes & {ATTEST}))


def agent_of(form: Mapping[str, str], agents: Collection[str]) -> str | None:
    """The agent that acts. Naming one only takes rights away, so the client's word is enough.

    Args:
        form: The request's.
        agents: Names of those that are registered.

    Raises:
        TokenRequestError: `unknown_agent`, `unknown_actor_type`.
    """
    name, kind = form.get("actor_token"), form.get("actor_token_type")
    if name is None and kind is None:
        return None
    if kind != AGENT:
        raise TokenRequestError(
            "invalid_request",
            "actor_token is not an agent's name.",
            code="unknown_actor_type",
            hint=f"actor_token_type is {AGENT}.",
        )
    if name not in agents:
        raise TokenRequestError(
            "invalid_request",
            "This agent is not registered.",
            code="unknown_agent",
            hint=f"There are: {', '.join(sorted(agents)) or 'none'}. An administrator "
            "registers agents in gateway.yaml.",
        )
    return name


def narrowed(form: Mapping[str, str], ceiling: frozenset[str]) -> frozenset[str]:
    """The scopes that were asked for (RFC 6749, section 3.3); `read` where none was.

    Raises:
        TokenRequestError: `invalid_scope`: more than the ceiling.
    """
    asked = frozenset(form.get("scope", READ).split())
    if not asked or not asked <= ceiling:
        raise TokenRequestError(
            "invalid_scope",
            "This client can't have a token for that.",
            hint=f"At most: {' '.join(sorted(ceiling)) or 'nothing'}.",
        )
    return asked


def session_of(form: Mapping[str, str], scopes: frozenset[str]) -> str:
    """The session that a token for actions is narrowed to. Without one there is no such token.

    Raises:
        TokenRequestError: `invalid_target`.
    """
    resource = form.get("resource", "")
    session = resource.removeprefix(SESSION_RESOURCE)
    if ACTIONS not in scopes and not resource:
        return ""
    if not resource.startswith(SESSION_RESOURCE) or not _SESSION_ID.match(session):
        raise TokenRequestError(
            "invalid_target",
            "A token for actions is for one session.",
            hint=f"resource is {SESSION_RESOURCE}<id>.",
        )
    return session


def _audiences(claims: Claims) -> frozenset[str]:
    audience = claims.raw["aud"]
    return frozenset([audience] if isinstance(audience, str) else audience)
