"""`services:` in gateway.yaml: programs that act for themselves, each within a ceiling."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import httpx
from joserfc.jwk import Key
from pydantic import Field, field_validator, model_validator

from jupyter_zt.errors import ConfigError
from jupyter_zt.gateway.agents import AgentSettings
from jupyter_zt.gateway.identity_settings import Algorithms
from jupyter_zt.gateway.section import Section
from jupyter_zt.identity import ASYMMETRIC_ALGORITHMS, Provider
from jupyter_zt.identity.service_assertions import MAX_SECONDS, PREFIX, Registration, Trust
from jupyter_zt.identity.service_keys import KnownKeys, public_keys
from jupyter_zt.identity.signed_tokens import SignedTokens
from jupyter_zt.model import Service

MAX_KEY_FILE_BYTES = 64 * 1024


class KeyFile(Section):
    """`{file: nightly.pub}`: public keys, JWK, JWK set or PEM. Read at each use."""

    file: Path


class TrustedIssuer(Section):
    """`issuer:` who vouches for a service: the system that runs it.

    Attributes:
        url: As its tokens and its discovery document name it.
        audience: That they are made for; "" for this gateway's address.
        subject: What their `sub` must be. ``*`` stands for anything, but not at the beginning.
        algorithms: Allowed signatures; `none` and HMAC can't be named.
        max_seconds: How long one may be good in all.
    """

    url: str = Field(pattern=r"^https?://")
    audience: str = ""
    subject: str = Field(pattern=r"^[^*]")
    algorithms: Algorithms = Field(default=["RS256"])
    max_seconds: int = Field(default=MAX_SECONDS, ge=60, le=3600)


class ServiceSettings(AgentSettings):
    """One service. Its ceiling is written like an agent's.

    Attributes:
        roles: For policies. None that decides or administers can be named.
        keys: Its public keys, JWKs or `{file: ...}`; it signs with the private one.
        issuer: Or who vouches for it.
    """

    roles: list[Literal["analyst", "auditor"]] = Field(default=["analyst"], min_length=1)
    keys: KeyFile | Annotated[list[dict[str, Any]], Field(min_length=1)] | None = None
    issuer: TrustedIssuer | None = None

    @model_validator(mode="after")
    def _is_known_by_one(self) -> ServiceSettings:
        if (self.keys is None) == (self.issuer is None):
            msg = "write either keys: (its public keys) or issuer: (who vouches for it)"
            raise ValueError(msg)
        return self

    @field_validator("keys")
    @classmethod
    def _are_public(cls, keys: object) -> object:
        if isinstance(keys, list):
            try:
                public_keys(json.dumps({"keys": keys}))
            except ConfigError as error:
                raise ValueError(f"{error.message} {error.hint}".rstrip(".")) from error
        return keys

    def service(self, name: str) -> Service:
        """As the decision sees it."""
        ceiling = self.agent(name)
        return Service(
            name=name,
            owner=ceiling.owner,
            connections=ceiling.connections,
            verbs=ceiling.verbs,
            may_ask=ceiling.may_ask,
            max_rows=ceiling.max_rows,
            statement_seconds=ceiling.statement_seconds,
            roles=frozenset(self.roles),
        )

    def registration(
        self, name: str, directory: Path, origins: Sequence[str], http: httpx.AsyncClient
    ) -> Registration:
        """As the token endpoint knows it.

        Args:
            name: Its own.
            directory: Of the configuration, where relative files are.
            origins: Addresses of this gateway.
            http: For the issuer's keys.

        Raises:
            ConfigError: Its keys can't be read, or are none.
        """
        service = self.service(name)
        if self.issuer is not None:
            provider = Provider(self.issuer.url, http)
            audiences = [self.issuer.audience] if self.issuer.audience else origins
            signed = SignedTokens(self.issuer.url, audiences, self.issuer.algorithms, provider.keys)
            trust = Trust(signed, self.issuer.subject, self.issuer.max_seconds)
            return Registration(service, trust=trust)

        def read() -> list[Key]:
            return self._keys(name, directory)

        read()  # what is wrong with them stops the gateway now, and not the first run at night
        audiences = [*origins, *(f"{origin}/v1/token" for origin in origins)]
        own = SignedTokens(PREFIX + name, audiences, ASYMMETRIC_ALGORITHMS, KnownKeys(read))
        return Registration(service, own=own)

    def _keys(self, name: str, directory: Path) -> list[Key]:
        if not isinstance(self.keys, KeyFile):
            return public_keys(json.dumps({"keys": self.keys}))
        path = directory / self.keys.file
        try:
            with path.open(encoding="utf-8") as file:
                return public_keys(file.read(MAX_KEY_FILE_BYTES))
        except (OSError, UnicodeDecodeError) as error:
            msg = f"services.{name}.keys: {path} can't be read: {type(error).__name__}."
            raise ConfigError(msg, file=str(path), code="key_missing") from error
        except ConfigError as error:
            msg = f"services.{name}.keys: {error.message}"
            raise ConfigError(msg, file=str(path), code=error.code, hint=error.hint) from error
