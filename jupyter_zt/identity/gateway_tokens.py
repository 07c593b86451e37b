"""Tokens of the gateway itself: JWT access tokens (RFC 9068) that are bound to a key (RFC 9449).

A person's ID token is exchanged for one (RFC 8693, `jupyter_zt.identity.exchange`). It says for
whom (`sub` at `subject_issuer`, with `name` and `roles`), by whom (`client_id`, and the chain in
`act`), for what (`scope`, `session`), with which key (`cnf.jkt`) and until when; never longer than
the person's own login (`login_exp`).

They are signed with Ed25519 by a key in the gateway's state: any process that shares the state can
verify what another one has issued. A verified token is remembered by its hash until it expires.
Whether it was revoked since, and its proof, are checked for each request by the caller.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from jupyter_zt.errors import AuthenticationError
from jupyter_zt.identity.proof_key import token_hash
from jupyter_zt.identity.unique_names import UniqueNames
from jupyter_zt.model import Human

ALGORITHM = "Ed25519"
"""RFC 9864. Slower to verify than ES256, but a token is verified once: its proofs count."""
TYPE = "at+jwt"
LIFETIME_SECONDS = 300

READ = "read"
"""See: who one is, connections, one's own sessions and recordings, requests for approval."""
APPROVE = "approve"
"""Decide about requests of others."""
SESSION = "session"
"""Open sessions for the person, and renew them."""
REVOKE = "revoke"
"""End sessions: one's own; an administrator, everybody's, and keep new ones out."""
ACTIONS = "actions"
"""Act in the one session that the token names."""
ATTEST = "attest"
"""Report what a kernel of this broker did, and end its session. Says nothing for a person."""

_MAX_TOKEN_BYTES = 8192
_MAX_REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class GatewayToken:
    """A verified token.

    Attributes:
        id: `jti`.
        client: Who asked for it and uses it (`client_id`).
        key: Thumbprint of the key that it is bound to.
        scopes: What it is good for.
        human: In whose name; None for a token that a client has for itself.
        agent: Who acts for the human; None where they act themselves.
        session: Id of the one session that it is for, or "".
        issued_at: Seconds since 1970.
        expires_at: Seconds since 1970.
        login_expires_at: Until when the person's login has been shown to be valid. UTC.
        authenticated_at: When the person last showed who they are; None where nobody says. UTC.
        ath: What a proof for it says (`ath`).
    """

    id: str
    client: str
    key: str
    scopes: frozenset[str]
    human: Human | None
    agent: str | None
    session: str
    issued_at: float
    expires_at: float
    login_expires_at: datetime
    authenticated_at: datetime | None = None
    ath: str = field(default="", compare=False)


class GatewayTokens:
    """Issues and verifies them.

    Args:
        key: Signs.
        issuer: Who issues, and for whom: the gateway's own address.
        now: Wall clock, seconds since 1970.
        randomness: Makes a URL-safe text of that many random bytes.
    """

    def __init__(
        self,
        key: Ed25519PrivateKey,
        issuer: str,
        *,
        now: Callable[[], float] = time.time,
        randomness: Callable[[int], str] = secrets.token_urlsafe,
    ) -> None:
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        self._key = OKPKey.import_key(pem)
        self._header = {"typ": TYPE, "alg": ALGORITHM, "kid": self._key.thumbprint()}
        self.issuer = issuer
        self._now = now
        self._randomness = randomness
        self._remembered: OrderedDict[bytes, GatewayToken] = OrderedDict()

    def issue(
        self,
        *,
        client: str,
        key: str,
        scopes: frozenset[str],
        human: Human | None,
        login_expires_at: datetime | None = None,
        authenticated_at: datetime | None = None,
        agent: str | None = None,
        session: str = "",
    ) -> tuple[str, int]:
        """A new token, and how many seconds it is good for.

        Args:
            client: Who asks for it.
            key: Thumbprint of the key that will prove each use.
            scopes: What it is good for.
            human: In whose name; None for the client itself.
            login_expires_at: Until when the human's login is known to be valid. UTC.
            authenticated_at: When the human last showed who they are, where that is known. UTC.
            agent: Who acts for the human.
            session: The one session that it is for.
        """
        now = self._now()
        expires_at = now + LIFETIME_SECONDS
        if login_expires_at is not None:
            expires_at = min(expires_at, login_expires_at.timestamp())
        claims: dict[str, object] = {
            "iss": self.issuer,
            "aud": self.issuer,
            "sub": human.subject if human else client,
            "client_id": client,
            "scope": " ".join(sorted(scopes)),
            "cnf": {"jkt": key},
            "jti": self._randomness(16),
            "iat": now,
            "exp": expires_at,
        }
        if human is not None:
            claims |= {
                "subject_issuer": human.issuer,
                "name": human.name,
                "roles": sorted(human.roles),
                "login_exp": login_expires_at.timestamp() if login_expires_at else expires_at,
                "act": _actors(client, agent),
            }
        if authenticated_at is not None:
            claims["auth_time"] = authenticated_at.timestamp()
        if session:
            claims["session"] = session
        token = jwt.encode(self._header, claims, self._key, algorithms=[ALGORITHM])
        return token, max(0, int(expires_at - now))

    def verify(self, token: str) -> GatewayToken:
        """What a token says that this gateway issued and that has not expired.

        Raises:
            AuthenticationError: `bad_token`, `token_expired`.
        """
        # (1) Verified before, and not expired since?
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        verified = self._remembered.get(digest)
        if verified is None:
            # (2) Ours: signature by the one key, type, issuer and audience.
            verified = _token(self._claims(token), token_hash(digest))
            self._remembered[digest] = verified
            if len(self._remembered) > _MAX_REMEMBERED:
                self._remembered.popitem(last=False)
        # (3) Not expired.
        if self._now() >= verified.expires_at:
            self._remembered.pop(digest, None)
            raise AuthenticationError(
                "The token has expired.",
                code="token_expired",
                hint="Exchange your login for a new one at /v1/token.",
            )
        return verified

    def _claims(self, token: str) -> Mapping[str, Any]:
        if len(token) > _MAX_TOKEN_BYTES:
            raise _bad_token()
        try:
            decoded = jwt.decode(token, self._key, algorithms=[ALGORITHM], decoder_cls=UniqueNames)
        except (JoseError, ValueError, RecursionError) as error:
            raise _bad_token() from error
        claims = decoded.claims
        is_ours = claims.get("iss") == self.issuer and claims.get("aud") == self.issuer
        # RFC 9068, section 4: the type keeps other JWTs of the same issuer apart.
        if decoded.header.get("typ") != TYPE or not is_ours:
            raise _bad_token()
        return claims


def _actors(client: str, agent: str | None) -> dict[str, object]:
    """The chain of those who act for the human, the latest outermost (RFC 8693, section 4.1)."""
    chain: dict[str, object] = {"sub": client}
    return chain if agent is None else {"sub": f"agent:{agent}", "act": chain}


def _token(claims: Mapping[str, Any], ath: str) -> GatewayToken:
    human = agent = None
    if "subject_issuer" in claims:
        human = Human(
            claims["subject_issuer"], claims["sub"], claims["name"], frozenset(claims["roles"])
        )
        actor = claims["act"]["sub"]
        agent = actor.removeprefix("agent:") if "act" in claims["act"] else None
    return GatewayToken(
        id=claims["jti"],
        client=claims["client_id"],
        key=claims["cnf"]["jkt"],
        scopes=frozenset(claims["scope"].split()),
        human=human,
        agent=agent,
        session=claims.get("session", ""),
        issued_at=claims["iat"],
        expires_at=claims["exp"],
        login_expires_at=datetime.fromtimestamp(claims.get("login_exp", claims["exp"]), UTC),
        authenticated_at=(
            datetime.fromtimestamp(claims["auth_time"], UTC) if "auth_time" in claims else None
        ),
        ath=ath,
    )


def _bad_token() -> AuthenticationError:
    return AuthenticationError(
        "This is no token of this gateway.",
        code="bad_token",
        hint="Exchange your login for one at /v1/token.",
    )
