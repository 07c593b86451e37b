"""Authlib's grants, as the demo provider uses them: code with PKCE, rotated refresh, logout.

The device flow stands in `jupyter_zt.identity.demo_device`.

Everything is kept in memory. All codes and tokens that come from one login are a family: a code
or a refresh token used twice ends the whole family (RFC 9700, sections 2.1.1 and 4.14.2).
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from authlib.oauth2.rfc6749 import InvalidRequestError, OAuth2Request, TokenMixin
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant, RefreshTokenGrant
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc8628 import DeviceCredentialMixin
from authlib.oauth2.rfc9207 import IssuerParameter
from authlib.oidc.core import AuthorizationCodeMixin, UserInfo
from authlib.oidc.core.grants import OpenIDCode
from authlib.oidc.rpinitiated import EndSessionEndpoint
from joserfc.jwk import KeySet, RSAKey

from jupyter_zt.identity.demo_accounts import AUTH_METHODS, Account, DemoClient

# mypy: disable-error-code="misc"
# (Authlib has no types, so every class here has a base class of unknown type.)

CODE_SECONDS = 60


@dataclass(slots=True)
class Family:
    """Everything issued from one login."""

    account: str
    client_id: str
    auth_time: int
    revoked: bool = False


@dataclass(slots=True)
class Code(AuthorizationCodeMixin):
    """One authorization code."""

    family: Family
    redirect_uri: str
    scope: str
    nonce: str
    code_challenge: str
    code_challenge_method: str
    expires_at: float
    used: bool = False

    def get_redirect_uri(self) -> str:
        """Of the authorization request; the token request must repeat it."""
        return self.redirect_uri

    def get_scope(self) -> str:
        """Granted scope."""
        return self.scope

    def get_nonce(self) -> str:
        """Goes into the ID token."""
        return self.nonce

    def get_auth_time(self) -> int:
        """When the account was chosen."""
        return self.family.auth_time


@dataclass(slots=True)
class Issued(TokenMixin):
    """One access token with its refresh token."""

    family: Family
    scope: str
    expires_at: float
    used: bool = False

    def check_client(self, client: DemoClient) -> bool:
        """Whether it was issued to this client."""
        return self.family.client_id == client.client_id

    def get_scope(self) -> str:
        """Granted scope."""
        return self.scope

    def is_expired(self) -> bool:
        """Of the access token."""
        return time.time() >= self.expires_at

    def is_revoked(self) -> bool:
        """Whether its family is over."""
        return self.family.revoked


@dataclass(slots=True)
class Device(DeviceCredentialMixin):
    """One login by device flow, from its code to its tokens.

    Attributes:
        family: Of the account that was chosen; None until then.
        last_asked: When its program last asked, seconds since 1970.
    """

    client_id: str
    scope: str
    user_code: str
    expires_at: float
    interval_seconds: float
    family: Family | None = None
    denied: bool = False
    used: bool = False
    last_asked: float = 0

    @property
    def is_open(self) -> bool:
        """Whether somebody can still decide on it."""
        return self.family is None and not self.denied and not self.is_expired()

    def get_client_id(self) -> str:
        """Whose it is."""
        return self.client_id

    def get_scope(self) -> str:
        """Asked for."""
        return self.scope

    def get_user_code(self) -> str:
        """What the person enters."""
        return self.user_code

    def is_expired(self) -> bool:
        """Whether it is too late."""
        return time.time() >= self.expires_at


@dataclass(slots=True)
class Memory:
    """What the provider knows until it stops."""

    issuer: str
    key: RSAKey
    accounts: dict[str, Account]
    clients: dict[str, DemoClient]
    id_token_seconds: int
    device_code_seconds: int
    device_interval_seconds: int
    codes: dict[str, Code] = field(default_factory=dict)
    access: dict[str, Issued] = field(default_factory=dict)
    refresh: dict[str, Issued] = field(default_factory=dict)
    devices: dict[str, Device] = field(default_factory=dict)
    nonces: set[str] = field(default_factory=set)

    def save_token(self, token: dict[str, Any], request: OAuth2Request) -> None:
        """Remember what was just issued, in the family that it comes from."""
        if request.credential is not None:
            request.credential.used = True
        origin = request.authorization_code or request.refresh_token or request.credential
        family = origin.family
        issued = Issued(family, token.get("scope", ""), time.time() + token["expires_in"])
        self.access[token["access_token"]] = issued
        if "refresh_token" in token:
            self.refresh[token["refresh_token"]] = issued

    def user_info(self, account: Account) -> dict[str, Any]:
        """Claims about an account, as of now."""
        return {
            "sub": account.name,
            "preferred_username": account.name,
            "name": account.name.capitalize(),
            "groups": list(account.groups),
        }


def code_grant(memory: Memory) -> type[AuthorizationCodeGrant]:
    """The authorization code grant on this memory."""

    class Grant(AuthorizationCodeGrant):
        def save_authorization_code(self, code: str, request: OAuth2Request) -> None:
            data = request.payload.data
            memory.nonces.add(data.get("nonce", ""))
            memory.codes[code] = Code(
                family=Family(request.user.name, request.client.client_id, int(time.time())),
                redirect_uri=request.payload.redirect_uri,
                scope=request.scope,
                nonce=data.get("nonce", ""),
                code_challenge=data["code_challenge"],
                code_challenge_method=data["code_challenge_method"],
                expires_at=time.time() + CODE_SECONDS,
            )

        def query_authorization_code(self, code: str, client: DemoClient) -> Code | None:
            known = memory.codes.get(code)
            if known is None or known.family.client_id != client.client_id:
                return None
            if known.used:
                known.family.revoked = True
                return None
            return known if time.time() < known.expires_at else None

        def delete_authorization_code(self, authorization_code: Code) -> None:
            authorization_code.used = True

        def authenticate_user(self, authorization_code: Code) -> Account | None:
            return memory.accounts.get(authorization_code.family.account)

    return Grant


def refresh_grant(memory: Memory) -> type[RefreshTokenGrant]:
    """The refresh grant on this memory, with rotation and reuse detection."""

    class Grant(RefreshTokenGrant):
        INCLUDE_NEW_REFRESH_TOKEN = True
        TOKEN_ENDPOINT_AUTH_METHODS = AUTH_METHODS

        def authenticate_refresh_token(self, refresh_token: str) -> Issued | None:
            known = memory.refresh.get(refresh_token)
            if known is None or known.family.revoked:
                return None
            if known.used:
                known.family.revoked = True
                return None
            return known

        def authenticate_user(self, refresh_token: Issued) -> Account | None:
            return memory.accounts.get(refresh_token.family.account)

        def revoke_old_credential(self, refresh_token: Issued) -> None:
            refresh_token.used = True

    return Grant


class RequiredChallenge(CodeChallenge):
    """PKCE with S256 for every client, confidential ones too (RFC 9700, section 2.1.1)."""

    SUPPORTED_CODE_CHALLENGE_METHOD = ("S256",)

    def validate_code_challenge(self, grant: Any, redirect_uri: str) -> None:
        """Refuse an authorization request without an S256 challenge."""
        data = grant.request.payload.data
        if not data.get("code_challenge") or data.get("code_challenge_method") != "S256":
            raise InvalidRequestError("PKCE with S256 is required.")
        super().validate_code_challenge(grant, redirect_uri)


class IdTokens(OpenIDCode):
    """ID tokens for code and refresh, with the groups of now."""

    def __init__(self, memory: Memory) -> None:
        super().__init__(require_nonce=True)
        self._memory = memory

    def exists_nonce(self, nonce: str, request: OAuth2Request) -> bool:
        """Whether it was used before."""
        return nonce in self._memory.nonces

    def resolve_client_private_key(self, client: DemoClient) -> RSAKey:
        """The provider's one key."""
        return self._memory.key

    def get_encode_header(self, client: DemoClient) -> dict[str, str]:
        """With the key's id."""
        return {"alg": "RS256", "kid": str(self._memory.key.kid)}

    def get_client_claims(self, client: DemoClient) -> dict[str, Any]:
        """Issuer, audience, expiry."""
        return {
            "iss": self._memory.issuer,
            "aud": client.client_id,
            "exp": int(time.time()) + self._memory.id_token_seconds,
        }

    def get_compatible_claims(self, request: OAuth2Request) -> dict[str, Any]:
        """A refreshed token keeps the moment of the login (Core, section 12.2)."""
        claims: dict[str, Any] = super().get_compatible_claims(request)
        login = request.refresh_token or request.credential
        if login:
            claims["auth_time"] = login.family.auth_time
        return claims

    def generate_user_info(self, user: Account, scope: str) -> UserInfo:
        """About this account."""
        return UserInfo(self._memory.user_info(user))


class Issuer(IssuerParameter):
    """`iss` in authorization responses (RFC 9207)."""

    def __init__(self, issuer: str) -> None:
        self._issuer = issuer

    def get_issuer(self) -> str:
        """Ours."""
        return self._issuer


def revocation(memory: Memory) -> type[RevocationEndpoint]:
    """RFC 7009 on this memory: a token takes its family along."""

    class Endpoint(RevocationEndpoint):
        CLIENT_AUTH_METHODS = AUTH_METHODS

        def query_token(self, token_string: str, token_type_hint: str | None) -> Issued | None:
            return memory.refresh.get(token_string) or memory.access.get(token_string)

        def revoke_token(self, token: Issued, request: OAuth2Request) -> None:
            token.family.revoked = True

    return Endpoint


def end_session(memory: Memory) -> type[EndSessionEndpoint]:
    """RP-initiated logout. The provider keeps no session of its own to ask about."""

    class Endpoint(EndSessionEndpoint):
        def get_server_jwks(self) -> KeySet:
            return KeySet([memory.key])

        def get_algorithms(self) -> list[str]:
            return ["RS256"]

        def is_post_logout_redirect_uri_legitimate(self, *_: Any) -> bool:
            # Registered, byte for byte: Authlib has compared it already.
            return True

        def end_session(self, end_session_request: Any) -> None:
            claims = end_session_request.id_token_claims or {}
            for issued in memory.refresh.values():
                if issued.family.account == claims.get("sub"):
                    issued.family.revoked = True

    return Endpoint
