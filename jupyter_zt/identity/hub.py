"""JupyterHub as the provider of identities: whose token is this, and was it made for us?

A Hub's token is opaque: only the Hub can say what it is, for as long as it is. So it is asked, with
the token itself as the credential, and believed for seconds. In this order:

1. The Hub knows the token. One whose login was ended, whose server was stopped, or whose person was
   deleted, it does not know any more.
2. It is a person's, from a login in a browser: not a service's, not a server's own, and not one
   that somebody made on the Hub's token page to be kept.
3. It was made to be shown to this gateway: its scopes name our service.
4. It was made for that person's own server. A server that somebody else visited can't use what the
   visitor brought.
5. It can do nothing else. Whoever takes it from us gains nothing at the Hub.

Source: JupyterHub's REST API, ``GET /hub/api/user``, and its scopes (5.x).
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

import httpx

from jupyter_zt.errors import AuthenticationError, ConfigError, UnavailableError
from jupyter_zt.identity.claims import Claims, claims_from
from jupyter_zt.identity.exchange import Client, Subject
from jupyter_zt.identity.roles import RoleMap, human_from_claims

__all__ = ["HUB_LIFETIME_SECONDS", "HubTokens", "HubVerifier", "hub_claims"]

HUB_LIFETIME_SECONDS: Final = 60
"""What the Hub has said stands so long at most: then it is asked again."""

_VERDICT_SECONDS: Final = 5.0
_MAX_VERDICTS: Final = 4096
_MAX_TOKEN_CHARACTERS: Final = 512
_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # RFC 6750, section 2.1
_SERVER_SCOPE: Final = "access:servers!server="
_OWN_SCOPES: Final = frozenset({"read:users:name!user=", "read:users:groups!user="})


class HubVerifier:
    """Verifies people's tokens at one Hub, and remembers the verdicts for seconds.

    Args:
        issuer: The Hub as records name it: its public address.
        api_url: Its API (``http://127.0.0.1:8081/hub/api``).
        service: The name of this gateway as a service of the Hub.
        http: The kept HTTP client. It must follow no redirects.
        now: Wall clock, seconds since 1970.
    """

    def __init__(
        self,
        issuer: str,
        api_url: str,
        service: str,
        http: httpx.AsyncClient,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        if not (issuer and api_url and service):
            raise ConfigError(
                "Tokens of the Hub can't be verified without its public address, the address of "
                "its API and the name of this gateway as its service.",
                code="hub_unknown",
                hint="Write identity.issuer, identity.api_url and identity.service.",
            )
        self._issuer = issuer
        self._url = f"{api_url.rstrip('/')}/user"
        self._audience = f"access:services!service={service}"
        self._http = http
        self._now = now
        self._verdicts: OrderedDict[bytes, tuple[Claims, float]] = OrderedDict()

    async def verify(self, token: str) -> Claims:
        """Who is logged in at the Hub with this token, now.

        Returns:
            Claims whose `expires_at` is `HUB_LIFETIME_SECONDS` after the Hub was asked.

        Raises:
            AuthenticationError: `login_expired` when the Hub does not know the token (any more),
                else `bad_token`, `not_a_person`, `not_a_login`, `wrong_audience`,
                `another_persons_server` or `token_too_powerful`.
            UnavailableError: `identity_provider_unreachable`.
        """
        if len(token) > _MAX_TOKEN_CHARACTERS or not _TOKEN.fullmatch(token):
            raise AuthenticationError("This is no token of a JupyterHub.", code="bad_token")
        digest = hashlib.sha256(token.encode()).digest()
        claims, asked_at = self._verdicts.get(digest, (None, 0.0))
        if claims is not None and 0 <= self._now() - asked_at < _VERDICT_SECONDS:
            return claims
        self._verdicts.pop(digest, None)
        asked_at = self._now()
        model = await self._ask(token)
        claims = hub_claims(model, self._issuer, now=asked_at)
        _check_scopes(model, claims.sub, self._audience)
        self._verdicts[digest] = (claims, asked_at)
        if len(self._verdicts) > _MAX_VERDICTS:
            self._verdicts.popitem(last=False)
        return claims

    async def _ask(self, token: str) -> Mapping[str, Any]:
        """The Hub's model of the token's owner. Raises as `verify`."""
        try:
            answer = await self._http.get(self._url, headers={"Authorization": f"token {token}"})
        except httpx.HTTPError as error:
            raise _unreachable() from error
        if answer.status_code in {401, 403, 404}:
            raise AuthenticationError(
                "The Hub does not know this login any more.",
                code="login_expired",
                hint="Log in again at JupyterHub.",
            )
        try:
            model = json.loads(answer.content) if answer.is_success else None
        except ValueError:
            model = None
        if not isinstance(model, dict):
            raise _unreachable()
        return model


class HubTokens:
    """Believes the Hub's tokens where a person's token is exchanged for one of the gateway.

    Args:
        verifier: Asks the Hub.
        roles: Role -> groups of the Hub.
        since: When a login (the Hub's `session_id`) was first shown here. UTC.
    """

    def __init__(
        self, verifier: HubVerifier, roles: RoleMap, since: Callable[[str], datetime]
    ) -> None:
        self._verifier = verifier
        self._roles = roles
        self._since = since

    async def __call__(self, token: str, client: Client) -> Subject:
        """As `jupyter_zt.identity.SubjectVerifier`."""
        claims = await self._verifier.verify(token)
        return Subject(
            human=human_from_claims(claims, self._roles),
            since=self._since(claims.raw["session_id"]),
            until=claims.expires_at,
        )


def hub_claims(model: Mapping[str, Any], issuer: str, *, now: float) -> Claims:
    """The person of the Hub's answer to ``GET /hub/api/user``.

    Args:
        model: The answer.
        issuer: The Hub as records name it.
        now: When it was asked; seconds since 1970.

    Raises:
        AuthenticationError: `not_a_person`, `not_a_login` or `bad_token`.
    """
    if model.get("kind") != "user":
        raise AuthenticationError("This token is not a person's.", code="not_a_person")
    if not model.get("session_id"):
        # Every OAuth login in a browser has one. What was made by hand, or for a server, has none:
        # it outlives logouts and can be handed around.
        raise AuthenticationError(
            "This token was not made by a login.",
            code="not_a_login",
            hint="Open your server in JupyterHub and log in there.",
        )
    name = model.get("name")
    verified = {
        "iss": issuer,
        "sub": name if isinstance(name, str) else "",
        "iat": now,
        "exp": now + HUB_LIFETIME_SECONDS,
        "groups": model.get("groups"),
        "session_id": str(model["session_id"]),
    }
    return claims_from(verified, algorithm="", groups_claim="groups")


def _check_scopes(model: Mapping[str, Any], name: str, audience: str) -> None:
    """Steps 3 to 5. Raises `AuthenticationError`."""
    listed = model.get("scopes")
    scopes = set(map(str, listed)) if isinstance(listed, list) else set()
    if audience not in scopes:
        raise AuthenticationError(
            "This token was not made to be shown to this gateway.",
            code="wrong_audience",
            hint=f"c.Spawner.oauth_client_allowed_scopes and the people's role need {audience!r}.",
        )
    servers = {scope for scope in scopes if scope.startswith(_SERVER_SCOPE)}
    if not servers or any(
        scope.removeprefix(_SERVER_SCOPE).partition("/")[0] != name for scope in servers
    ):
        raise AuthenticationError(
            "This login was made at another person's server.",
            code="another_persons_server",
            hint="Open your own server, and act there.",
        )
    own = {scope + name for scope in _OWN_SCOPES}
    more = scopes - own - servers - {audience}
    if more:
        raise AuthenticationError(
            f"This token may do more than a login here needs: {', '.join(sorted(more)[:5])}.",
            code="token_too_powerful",
            hint="Take it out of c.Spawner.oauth_client_allowed_scopes.",
        )


def _unreachable() -> UnavailableError:
    return UnavailableError(
        "The Hub can't be asked who this is.",
        code="identity_provider_unreachable",
        hint="Try again in a minute; if it stays so, tell the administrator.",
    )
