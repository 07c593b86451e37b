"""An OpenID provider as its discovery document describes it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
from authlib.oidc.discovery import get_well_known_url

from jupyter_zt.errors import ConfigError, UnavailableError
from jupyter_zt.identity.keys import SigningKeys
from jupyter_zt.identity.transport import exchange, is_protected


@dataclass(frozen=True, slots=True)
class ProviderMetadata:
    """The part of the discovery document that is used (OpenID Connect Discovery 1.0, section 3).

    Attributes:
        end_session_endpoint: RP-initiated logout, or "" where the provider has none.
        revocation_endpoint: RFC 7009, or "" where the provider has none.
        device_authorization_endpoint: RFC 8628, or "" where the provider has none.
        userinfo_endpoint: Core section 5.3, or "" where the provider has none.
        sends_issuer: Whether authorization responses carry `iss` (RFC 9207, section 3).
        only_pairwise: Whether `sub` differs from client to client (Core section 8.1).
    """

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    token_auth_methods: tuple[str, ...]
    end_session_endpoint: str
    revocation_endpoint: str
    device_authorization_endpoint: str
    userinfo_endpoint: str
    sends_issuer: bool
    only_pairwise: bool


class Provider:
    """One OpenID provider: its metadata and its signing keys, fetched when first needed.

    Args:
        issuer: Issuer identifier, exactly as the provider states it.
        http: The kept HTTP client.
        monotonic: Clock for rate limits, in seconds.
    """

    def __init__(
        self,
        issuer: str,
        http: httpx.AsyncClient,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        if not is_protected(issuer):
            raise ConfigError(
                f"The issuer {issuer!r} is neither https nor on this machine.",
                code="insecure_issuer",
                hint="Use the provider's https address; http is accepted on loopback only.",
            )
        self.issuer = issuer
        self.http = http
        self.keys = SigningKeys(self._fetch_keys, monotonic=monotonic)
        self._document: dict[str, Any] | None = None
        self._metadata: ProviderMetadata | None = None
        self._fetching = asyncio.Lock()

    async def metadata(self) -> ProviderMetadata:
        """The discovery document, fetched once.

        Raises:
            UnavailableError: `identity_provider_unreachable`, also when the document is unusable.
        """
        if self._metadata is None:
            self._metadata = _read_metadata(self.issuer, await self._discovered())
        return self._metadata

    async def fetch_json(self, url: str) -> dict[str, Any]:
        """GET a JSON object.

        Raises:
            UnavailableError: `identity_provider_unreachable`.
        """
        try:
            response = await exchange(self.http, "GET", url, headers={"Accept": "application/json"})
            response.raise_for_status()
            document = response.json()
        except (httpx.HTTPError, ValueError, RecursionError) as error:
            raise unreachable(self.issuer, f"GET {url}: {type(error).__name__}") from error
        if not isinstance(document, dict):
            raise unreachable(self.issuer, f"GET {url}: no JSON object")
        return document

    async def _discovered(self) -> dict[str, Any]:
        async with self._fetching:
            if self._document is None:
                url = get_well_known_url(self.issuer, external=True)
                self._document = _checked(self.issuer, await self.fetch_json(url))
        return self._document

    async def _fetch_keys(self) -> dict[str, Any]:
        # Nobody logs in at the issuer of a workload's tokens: it may have no endpoint but this.
        document = await self._discovered()
        return await self.fetch_json(_endpoint(self.issuer, document, "jwks_uri"))


def unreachable(issuer: str, detail: str) -> UnavailableError:
    """The error for a provider that doesn't answer, or not as it should."""
    return UnavailableError(
        f"The identity provider {issuer} can't be used right now ({detail}).",
        code="identity_provider_unreachable",
        hint="Try again in a minute; if it stays so, tell the administrator.",
    )


def _checked(issuer: str, document: dict[str, Any]) -> dict[str, Any]:
    # Discovery section 4.3: the issuer must be exactly the one asked for, or a provider could
    # speak for another one.
    if document.get("issuer") != issuer:
        raise unreachable(issuer, f"its discovery document names {document.get('issuer')!r}")
    return document


def _endpoint(issuer: str, document: dict[str, Any], name: str) -> str:
    url = document.get(name)
    if not isinstance(url, str) or not is_protected(url):
        raise unreachable(issuer, f"its discovery document has no usable {name}")
    return url


def _read_metadata(issuer: str, document: dict[str, Any]) -> ProviderMetadata:
    def endpoint(name: str, *, required: bool) -> str:
        if document.get(name) is None and not required:
            return ""
        return _endpoint(issuer, document, name)

    methods = document.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    return ProviderMetadata(
        issuer=issuer,
        authorization_endpoint=endpoint("authorization_endpoint", required=True),
        token_endpoint=endpoint("token_endpoint", required=True),
        jwks_uri=endpoint("jwks_uri", required=True),
        token_auth_methods=tuple(str(method) for method in methods),
        end_session_endpoint=endpoint("end_session_endpoint", required=False),
        revocation_endpoint=endpoint("revocation_endpoint", required=False),
        device_authorization_endpoint=endpoint("device_authorization_endpoint", required=False),
        userinfo_endpoint=endpoint("userinfo_endpoint", required=False),
        sends_issuer=document.get("authorization_response_iss_parameter_supported") is True,
        only_pairwise=document.get("subject_types_supported") == ["pairwise"],
    )
