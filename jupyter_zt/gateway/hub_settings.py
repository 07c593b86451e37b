"""`identity:` with `provider: jupyterhub`, and how to tell it from the other kind."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from jupyter_zt.gateway.section import Section

__all__ = ["HUB", "OPENID", "HubIdentity", "provider_of"]

OPENID = "openid"
HUB = "jupyterhub"

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def provider_of(value: object) -> str:
    """Which kind of section it is: OpenID Connect, unless it says otherwise."""
    if isinstance(value, dict):
        return str(value.get("provider", OPENID))
    return str(getattr(value, "provider", OPENID))


def _told(name: str) -> Callable[[], str]:
    """A default that a service which the Hub starts finds in its environment."""
    return lambda: os.environ.get(name, "")


class HubIdentity(Section):
    """People log in at that Hub.

    What the Hub tells a service that it starts itself need not be written.

    Attributes:
        issuer: The Hub's public address, as records name it.
        api_url: The Hub's API: over TLS, or on this host.
        service: Name of this gateway as a service of the Hub.
        roles: Role -> groups of the Hub whose members have it.
    """

    provider: Literal["jupyterhub"]
    issuer: str = Field(default_factory=_told("JUPYTERHUB_PUBLIC_HUB_URL"), validate_default=True)
    api_url: str = Field(default_factory=_told("JUPYTERHUB_API_URL"), validate_default=True)
    service: str = Field(default_factory=_told("JUPYTERHUB_SERVICE_NAME"), validate_default=True)
    roles: dict[Literal["analyst", "reviewer", "auditor", "admin"], list[str]]

    @field_validator("issuer")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        if not value.startswith(("https://", "http://")):
            msg = (
                "write the Hub's public address (https://hub.example.org/hub/), or set "
                "c.JupyterHub.public_url, for a gateway that the Hub starts"
            )
            raise ValueError(msg)
        return value

    @field_validator("api_url")
    @classmethod
    def _keeps_tokens_private(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.hostname and (
            parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
        ):
            return value
        msg = (
            "people's tokens travel there: write https://.../hub/api, or "
            "http://127.0.0.1:8081/hub/api on the Hub's own host"
        )
        raise ValueError(msg)

    @field_validator("service")
    @classmethod
    def _is_a_name(cls, value: str) -> str:
        if not value or not value.replace("-", "").replace("_", "").replace(".", "").isalnum():
            msg = "write the name of this gateway in c.JupyterHub.services, such as zt-gateway"
            raise ValueError(msg)
        return value
