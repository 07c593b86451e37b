"""Services at the token endpoint (RFC 7523): signed assertions, and no secret anywhere.

Two ways, which the registry chooses per service:

- Its own key (section 2.2, `private_key_jwt`). It signs an assertion that it is this client, and
  asks by client credentials.
- A trusted issuer (section 2.1): the system that runs it, a CI service say, vouches for it in a
  token. What that token must say (issuer, audience, subject) is configured.

An assertion of its own is good once. An issuer's may come again, as nobody gets a new one every
minute, but only with proofs of the key that it came with first: whoever steals one is too late.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from jupyter_zt.errors import AuthenticationError, TokenRequestError
from jupyter_zt.identity.exchange import (
    AGENT_SCOPES,
    Award,
    Client,
    Subject,
    TokenRequest,
    agent_of,
    for_the_client_itself,
    narrowed,
    session_of,
)
from jupyter_zt.identity.gateway_tokens import ACTIONS, READ, SESSION
from jupyter_zt.identity.signed_tokens import SignedTokens, TokenKind
from jupyter_zt.model import Service

JWT_BEARER: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
PREFIX: Final = "service:"
"""Of a service's client id: nobody else's has it."""

SCOPES: Final = frozenset({READ, SESSION, ACTIONS})
"""All that a service can have a token for. It decides, ends and administers nothing."""

MAX_SECONDS: Final = 300
"""How long an assertion of a service's own is good at most; and its word, once it is believed."""

OWN: Final = TokenKind(
    "client assertion",
    frozenset({"", "jwt", "client-authentication+jwt"}),
    "",
    ("sub", "exp", "iat", "jti"),
)
_ISSUERS = TokenKind("assertion", frozenset({"", "jwt"}), "", ("sub", "exp", "iat"))
_MAX_ID_CHARACTERS = 256

FirstKey = Callable[[str, str, float], str | None]
"""Remembers an assertion: its name, the key that it came with, and until when (seconds since 1970).
Gives the key that it came with first; None where that is now."""


@dataclass(frozen=True, slots=True)
class Trust:
    """An issuer that vouches for a service.

    Attributes:
        signed: Opens its tokens for us.
        subject: What `sub` has to be; ``*`` stands for anything.
        max_seconds: How long a token of it may be good in all.
    """

    signed: SignedTokens
    subject: str
    max_seconds: int = MAX_SECONDS

    def means(self, subject: object) -> bool:
        """Whether its subject is this service."""
        pattern = ".*".join(re.escape(part) for part in self.subject.split("*"))
        return isinstance(subject, str) and re.fullmatch(pattern, subject, re.DOTALL) is not None


@dataclass(frozen=True, slots=True)
class Registration:
    """A service, and who is believed to be it.

    Attributes:
        own: Opens assertions that it signs itself; None where it has no key.
        trust: Who vouches for it; None where nobody does.
    """

    service: Service
    own: SignedTokens | None = None
    trust: Trust | None = None

    def client(self) -> Client:
        """As a client of the token endpoint."""
        return Client(PREFIX + self.service.name, SCOPES, service=self.service)


class ServiceAssertions:
    """Who a service is, and what it gets.

    Args:
        services: Registered ones, by name.
        agents: Names of those that may act for one.
        first_key: Remembers assertions, durably: a restart forgets none.
        now: The clock. UTC.
    """

    def __init__(
        self,
        services: Mapping[str, Registration],
        agents: Collection[str],
        first_key: FirstKey,
        now: Callable[[], datetime],
    ) -> None:
        self._services = services
        self._agents = frozenset(agents)
        self._first_key = first_key
        self._now = now

    async def authenticate(self, form: Mapping[str, str]) -> Client | None:
        """The service whose form it is; None where it is no service's.

        Its client assertion authenticates it (section 2.2); or its assertion will, in the grant
        (section 2.1).

        Raises:
            TokenRequestError: `invalid_client`, `invalid_request`.
            UnavailableError: What was used can't be remembered.
        """
        name = form.get("client_id", "")
        if "client_assertion" not in form and "client_assertion_type" not in form:
            if form.get("grant_type") != JWT_BEARER:
                return None
            # RFC 7521, section 4.1: the client need not authenticate itself, the assertion says
            # who it is. Until the grant has believed it, nothing is done in its name.
            return self._registration(name).client()
        if form.get("client_assertion_type") != ASSERTION_TYPE:
            raise TokenRequestError(
                "invalid_request", f"client_assertion_type is {ASSERTION_TYPE}."
            )
        if "client_secret" in form:
            raise TokenRequestError("invalid_request", "The client authenticates itself twice.")
        registration = self._registration(name)
        if registration.own is None:
            raise _unknown()
        try:
            await self._verify_own(registration.own, form.get("client_assertion", ""))
        except AuthenticationError as error:
            raise TokenRequestError(
                "invalid_client", error.message, code=error.code, hint=error.hint
            ) from error
        return registration.client()

    async def client_credentials(self, request: TokenRequest) -> Award:
        """As `Grant`: a service that its own key has authenticated (RFC 6749, section 4.4).

        Every other client asks for itself, and in nobody's name.
        """
        if request.client.service is None:
            return await for_the_client_itself(request)
        now = self._now()
        until = now + timedelta(seconds=MAX_SECONDS)
        return self._award(request, now, until)

    async def bearer(self, request: TokenRequest) -> Award:
        """As `Grant`: a service that a trusted issuer vouches for (section 2.1)."""
        service = request.client.service
        if service is None:
            raise TokenRequestError(
                "unauthorized_client", "This grant is for registered services only."
            )
        assertion = request.form.get("assertion", "")
        try:
            claims = await self._verify_issuers(service.name, assertion, request.key)
        except AuthenticationError as error:
            raise TokenRequestError(
                "invalid_grant", error.message, code=error.code, hint=error.hint
            ) from error
        issued_at, expires_at = (datetime.fromtimestamp(claims[at], UTC) for at in ("iat", "exp"))
        return self._award(request, issued_at, expires_at)

    def _award(self, request: TokenRequest, since: datetime, until: datetime) -> Award:
        service = request.client.service
        if service is None:
            raise _unknown()
        agent = agent_of(request.form, self._agents)
        scopes = narrowed(request.form, SCOPES & AGENT_SCOPES if agent else SCOPES)
        return Award(
            scopes,
            subject=Subject(service.principal, since, until),
            agent=agent,
            session=session_of(request.form, scopes),
        )

    async def _verify_own(self, signed: SignedTokens, assertion: str) -> None:
        # (1) Signed with the service's key; iss is the client, aud is us, not expired (rules 1,
        #     3, 4, 5, 6 and 9 of section 3).
        claims, _ = await signed.open(assertion, OWN)
        # (2) sub is the client too (rule 2 B).
        if claims["sub"] != signed.issuer:
            raise AuthenticationError(
                "The client assertion is about somebody else.", code="wrong_subject"
            )
        # (3) Short-lived, so that used ones need not be kept for ever.
        _check_lifetime(claims, MAX_SECONDS)
        # (4) New (rule 7).
        name = f"{signed.issuer}\0{_id_of(claims)}"
        if self._first_key(name, "", claims["exp"] + MAX_SECONDS) is not None:
            raise _replayed("It is good once: sign a new one for each request.")

    async def _verify_issuers(self, name: str, assertion: str, key: str) -> Mapping[str, Any]:
        trust = self._services[name].trust
        if trust is None:
            raise AuthenticationError("This service trusts no issuer.", code="wrong_issuer")
        # (1) Of the issuer that this service trusts, (2) for us, now.
        claims, _ = await trust.signed.open(assertion, _ISSUERS)
        # (3) It vouches for this very service.
        if not trust.means(claims["sub"]):
            raise AuthenticationError(
                f"The assertion is not about the service {name}.",
                code="wrong_subject",
                hint="Its sub has to match the subject in gateway.yaml.",
            )
        # (4) Short-lived.
        _check_lifetime(claims, trust.max_seconds)
        # (5) New, or of the process that came with it first.
        signed_part = hashlib.sha256(assertion.rpartition(".")[0].encode()).hexdigest()
        told = f"jti\0{_id_of(claims)}" if "jti" in claims else f"hash\0{signed_part}"
        first = self._first_key(f"{trust.signed.issuer}\0{told}", key, claims["exp"] + MAX_SECONDS)
        if first is not None and first != key:
            raise _replayed("Another process has used it: each gets a token of its own.")
        return claims

    def _registration(self, client_id: str) -> Registration:
        registration = self._services.get(client_id.removeprefix(PREFIX))
        if registration is None or not client_id.startswith(PREFIX):
            raise _unknown()
        return registration


def _check_lifetime(claims: Mapping[str, Any], max_seconds: int) -> None:
    if not claims["exp"] - claims["iat"] <= max_seconds:
        raise AuthenticationError(
            f"The assertion is good for longer than {max_seconds} seconds.",
            code="assertion_too_long",
            hint="Make exp less than that after iat.",
        )


def _id_of(claims: Mapping[str, Any]) -> str:
    jti = claims["jti"]
    if not isinstance(jti, str) or not 0 < len(jti) <= _MAX_ID_CHARACTERS:
        raise AuthenticationError("The assertion's jti has no valid form.", code="bad_token")
    return jti


def _replayed(hint: str) -> AuthenticationError:
    return AuthenticationError("This assertion was used before.", code="replayed", hint=hint)


def _unknown() -> TokenRequestError:
    return TokenRequestError(
        "invalid_client",
        "Only a registered service gets tokens in this way.",
        hint="An administrator registers services, with their keys or issuers, in gateway.yaml.",
    )
