"""The relying party: Authorization Code with PKCE, refresh with rotation, logout.

OpenID Connect Core 1.0 sections 3.1 and 12, RFC 7636 (PKCE), RFC 9207 (`iss`), RFC 9700 (best
current practice), RFC 7009 (revocation), OpenID Connect RP-Initiated Logout 1.0 and Back-Channel
Logout 1.0.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode

import httpx
from authlib.oauth2.base import OAuth2Error
from authlib.oidc.core import CodeIDToken
from joserfc.errors import JoseError

from jupyter_zt.errors import AuthenticationError
from jupyter_zt.identity.claims import Claims, claims_from
from jupyter_zt.identity.logout_tokens import LogoutTokens
from jupyter_zt.identity.provider import ProviderMetadata, unreachable
from jupyter_zt.identity.signed_tokens import SKEW_SECONDS
from jupyter_zt.identity.token_endpoint import TokenEndpoint
from jupyter_zt.identity.userinfo import read_userinfo
from jupyter_zt.identity.verifier import TokenVerifier

RENEW_MARGIN_SECONDS = 60.0

# RFC 6749, sections 4.1.2.1 and 5.2: these are no word on the login.
_LATER = frozenset({"server_error", "temporarily_unavailable"})
_RESPONSE_PARAMETERS = ("code", "state", "iss", "error")
_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class LoginState:
    """What a browser's login attempt is bound to, from the redirect to the callback.

    Keep it on the server, for that browser only, and use it once.
    """

    state: str
    nonce: str = field(repr=False)
    code_verifier: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Tokens:
    """What the provider gave for one login. Never shown, logged or recorded.

    Attributes:
        refresh_token: "" when the provider gave none: the login ends with its ID token.
        claims: The verified claims of `id_token`.
    """

    id_token: str = field(repr=False)
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    claims: Claims

    @property
    def renew_at(self) -> float:
        """When to ask for new ones, seconds since 1970: a while before the ID token expires."""
        lifetime = (self.claims.expires_at - self.claims.issued_at).total_seconds()
        return self.claims.expires_at.timestamp() - min(RENEW_MARGIN_SECONDS, lifetime / 3)


class RelyingParty:
    """One client at one provider.

    Args:
        issuer: Issuer identifier, exactly as the provider states it.
        client_id: As registered.
        client_secret: As registered; "" for a public client (`jupyter_zt.identity.DeviceClient`).
        redirect_uri: As registered, compared byte for byte.
        scopes: Must contain ``openid``.
        http: The kept HTTP client.
        algorithms: Allowed signature algorithms of ID tokens.
        groups_claim: Claim that lists the person's groups; "" to read none.
        subject_claim: Claim that names the person.
        userinfo: Whether to ask the userinfo endpoint for name and groups, at each renewal too.
        extra_parameters: Added to the authorization request (``{"access_type": "offline"}``).
        now: Wall clock, seconds since 1970.
        randomness: Makes a URL-safe text of that many random bytes.
    """

    def __init__(
        self,
        issuer: str,
        client_id: str,
        client_secret: str,
        redirect_uri: str,
        scopes: Collection[str],
        http: httpx.AsyncClient,
        *,
        algorithms: Collection[str] = ("RS256",),
        groups_claim: str = "groups",
        subject_claim: str = "sub",
        userinfo: bool = False,
        extra_parameters: Mapping[str, str] | None = None,
        now: Callable[[], float] = time.time,
        randomness: Callable[[int], str] = secrets.token_urlsafe,
    ) -> None:
        self.issuer = issuer
        self.redirect_uri = redirect_uri
        self.verifier = TokenVerifier(
            issuer,
            [client_id],
            algorithms,
            http,
            groups_claim=groups_claim,
            subject_claim=subject_claim,
            now=now,
        )
        self.logouts = LogoutTokens(self.verifier.signed, now=now)
        self._provider = self.verifier.provider
        self._client_id = client_id
        self._client_secret = client_secret
        self._scope = " ".join(dict.fromkeys(["openid", *scopes]))
        self._http = http
        self._groups_claim = groups_claim
        self._subject_claim = subject_claim
        self._userinfo = userinfo
        self._extra_parameters = dict(extra_parameters or {})
        self._now = now
        self._randomness = randomness

    async def start_login(self) -> tuple[str, LoginState]:
        """The address to send the browser to, and what its answer must match.

        Raises:
            UnavailableError: `identity_provider_unreachable`.
        """
        metadata = await self._provider.metadata()
        state = LoginState(
            state=self._randomness(32),
            nonce=self._randomness(32),
            code_verifier=self._randomness(48),
        )
        url, _ = self._endpoint(metadata).create_authorization_url(
            metadata.authorization_endpoint,
            state=state.state,
            nonce=state.nonce,
            code_verifier=state.code_verifier,
            **self._extra_parameters,
        )
        return url, state

    async def finish_login(self, state: LoginState, query: str) -> Tokens:
        """Exchange the provider's answer for verified tokens.

        Args:
            state: Of `start_login`, for this very browser.
            query: The callback's query string as received.

        Raises:
            AuthenticationError: `bad_login_response` (missing, repeated or foreign parameters),
                `login_refused` (the provider says no), or as `TokenVerifier.verify`.
            UnavailableError: `identity_provider_unreachable`.
        """
        metadata = await self._provider.metadata()
        # (1) Each parameter at most once (RFC 6749, section 3.1), and ours: state, issuer.
        answer = _single_parameters(query)
        if not hmac.compare_digest(answer.get("state", "").encode(), state.state.encode()):
            raise _bad_response("its state is not that of this login")
        self._check_issuer(metadata, answer)
        if "error" in answer:
            raise refused(answer["error"])
        if not answer.get("code"):
            raise _bad_response("it has no code")

        # (2) Code and verifier for tokens, over our own connection.
        endpoint = self._endpoint(metadata)
        received = await self._ask(
            endpoint.fetch_token(
                metadata.token_endpoint,
                grant_type="authorization_code",
                code=answer["code"],
                code_verifier=state.code_verifier,
            ),
        )
        # (3) The provider's word, bound to this login by its nonce.
        return await self._accept(received, nonce=state.nonce, old=None)

    async def refresh(self, tokens: Tokens) -> Tokens:
        """New tokens for the same person; groups are those of now.

        A provider that renews no ID tokens says nothing new, and the login ends with its ID token;
        with `userinfo`, groups are those of now all the same.

        Raises:
            AuthenticationError: `login_expired` when the provider no longer vouches for the login,
                or as `TokenVerifier.verify`.
            UnavailableError: `identity_provider_unreachable`.
        """
        if not tokens.refresh_token:
            raise _expired("the provider gave no refresh token")
        metadata = await self._provider.metadata()
        try:
            received = await self._ask(
                self._endpoint(metadata).refresh_token(
                    metadata.token_endpoint, refresh_token=tokens.refresh_token
                )
            )
        except AuthenticationError as error:
            raise _expired("the provider refuses to renew it") from error
        return await self._accept(received, nonce="", old=tokens)

    async def revoke(self, tokens: Tokens) -> None:
        """Tell the provider to forget the refresh token (RFC 7009), where it can be told.

        Raises:
            UnavailableError: `identity_provider_unreachable`.
        """
        metadata = await self._provider.metadata()
        if not (metadata.revocation_endpoint and tokens.refresh_token):
            return
        await self._ask(
            self._endpoint(metadata).revoke_token(
                metadata.revocation_endpoint, tokens.refresh_token, "refresh_token"
            )
        )

    async def logout_url(self, after: str) -> str:
        """Where to send the browser to log out at the provider; "" where it has no such address.

        No `id_token_hint`: an ID token never enters an address (`logout_form` posts it).

        Args:
            after: Registered post-logout redirect URI.

        Raises:
            UnavailableError: `identity_provider_unreachable`.
        """
        metadata = await self._provider.metadata()
        if not metadata.end_session_endpoint:
            return ""
        separator = "&" if "?" in metadata.end_session_endpoint else "?"
        return metadata.end_session_endpoint + separator + urlencode(self._after(after))

    async def logout_form(self, after: str, tokens: Tokens) -> tuple[str, dict[str, str]]:
        """The same as a form to post, for providers that want to see the ID token.

        Returns:
            Address and fields; an empty address where the provider has none.

        Raises:
            UnavailableError: `identity_provider_unreachable`.
        """
        metadata = await self._provider.metadata()
        fields = {"id_token_hint": tokens.id_token, **self._after(after)}
        return metadata.end_session_endpoint, fields

    def _after(self, after: str) -> dict[str, str]:
        return {"client_id": self._client_id, "post_logout_redirect_uri": after}

    def _endpoint(self, metadata: ProviderMetadata) -> TokenEndpoint:
        basic = "client_secret_basic"
        method = basic if basic in metadata.token_auth_methods else "client_secret_post"
        if not self._client_secret:
            method = "none"
        return TokenEndpoint(
            self._http,
            client_id=self._client_id,
            client_secret=self._client_secret,
            redirect_uri=self.redirect_uri,
            scope=self._scope,
            token_endpoint_auth_method=method,
            revocation_endpoint_auth_method=method,
        )

    def _check_issuer(self, metadata: ProviderMetadata, answer: Mapping[str, str]) -> None:
        # RFC 9207, section 2.4: the mix-up attack is a response of one provider used at another.
        if "iss" not in answer:
            if metadata.sends_issuer:
                raise _bad_response("it doesn't name its issuer, which this provider always does")
        elif answer["iss"] != self.issuer:
            raise _bad_response("it comes from another issuer")

    async def _ask(self, request: Awaitable[_Answer]) -> _Answer:
        try:
            return await request
        except OAuth2Error as error:
            if error.error in _LATER:
                raise unreachable(self.issuer, str(error.error)) from error
            raise refused(str(error.error)) from error
        except (httpx.HTTPError, ValueError, RecursionError) as error:
            raise unreachable(self.issuer, type(error).__name__) from error

    async def _accept(self, received: dict[str, Any], *, nonce: str, old: Tokens | None) -> Tokens:
        id_token, access_token = received.get("id_token"), received.get("access_token")
        expected = {"client_id": self._client_id, "nonce": nonce}
        if id_token is None and old is not None:
            # Core section 12.2: a provider need not renew it; then it is good until it expires.
            id_token = old.id_token
        else:
            expected["access_token"] = str(access_token)
        if not isinstance(id_token, str) or not isinstance(access_token, str):
            raise AuthenticationError("The provider sent no tokens.", code="bad_token")
        if str(received.get("token_type", "")).lower() != "bearer":
            raise AuthenticationError("The provider sent no bearer token.", code="bad_token")
        claims = await self.verifier.verify(id_token)
        if old is not None:
            _check_same_login(old.claims, claims)
            if "nonce" in claims.raw:
                expected["nonce"] = old.claims.raw.get("nonce", "")
        try:
            CodeIDToken(dict(claims.raw), {"alg": claims.algorithm}, params=expected).validate(
                now=int(self._now()), leeway=SKEW_SECONDS
            )
        except JoseError as error:
            raise AuthenticationError(
                "The ID token doesn't belong to this login.",
                code="foreign_token",
                hint="Log in again.",
            ) from error
        if self._userinfo:
            claims = await self._more_about(claims, access_token)
            if old is not None:
                _check_same_login(old.claims, claims)
        rotated = received.get("refresh_token")
        kept = old.refresh_token if old is not None else ""
        return Tokens(
            id_token=id_token,
            access_token=access_token,
            refresh_token=rotated if isinstance(rotated, str) and rotated else kept,
            claims=claims,
        )

    async def _more_about(self, claims: Claims, access_token: str) -> Claims:
        more = await read_userinfo(self._provider, access_token, claims.sub)
        return claims_from(
            # What the provider says now counts: the ID token may be from a while ago.
            {**claims.raw, **more},
            algorithm=claims.algorithm,
            groups_claim=self._groups_claim,
            subject_claim=self._subject_claim,
        )


def _single_parameters(query: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=32)
    except ValueError as error:
        raise _bad_response("it can't be read") from error
    names = [name for name, _ in pairs]
    if any(names.count(name) > 1 for name in _RESPONSE_PARAMETERS):
        raise _bad_response("it names a parameter twice")
    return dict(pairs)


def _check_same_login(before: Claims, after: Claims) -> None:
    # Core section 12.2: the same person, and the same moment of authentication.
    same_person = (before.sub, before.subject) == (after.sub, after.subject)
    same_moment = before.raw.get("auth_time") == after.raw.get("auth_time")
    if not same_person or not (same_moment or "auth_time" not in after.raw):
        raise AuthenticationError(
            "The renewed ID token is of another login.", code="foreign_token", hint="Log in again."
        )


def _bad_response(detail: str) -> AuthenticationError:
    return AuthenticationError(
        f"The identity provider's answer can't be used: {detail}.",
        code="bad_login_response",
        hint="Start the login again.",
    )


def refused(error: str) -> AuthenticationError:
    """The error for a provider that says no."""
    # The text after `error` came through the browser: only a plain code is repeated.
    code = error if error.isascii() and error.replace("_", "").isalnum() else "unnamed error"
    return AuthenticationError(
        f"The identity provider refused the login ({code[:60]}).",
        code="login_refused",
        hint="Start the login again.",
    )


def _expired(detail: str) -> AuthenticationError:
    return AuthenticationError(
        f"The login has ended: {detail}.", code="login_expired", hint="Log in again."
    )
