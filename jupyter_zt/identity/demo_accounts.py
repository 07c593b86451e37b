"""Who can log in at the demo provider, which clients it serves, and how it is configured."""

from __future__ import annotations

import hmac
import ipaddress
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from authlib.oauth2.rfc6749 import ClientMixin

from jupyter_zt.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Account:
    """A made-up person of the demo."""

    name: str
    groups: tuple[str, ...]
    does: str


ACCOUNTS = (
    Account("analyst", ("analysts",), "runs notebooks against the shop's data"),
    Account("analyst2", ("analysts",), "another analyst, with kernels of their own"),
    Account("reviewer", ("reviewers",), "approves or denies what is held"),
    Account("auditor", ("auditors",), "reads and verifies recordings"),
    Account("admin", ("admins",), "administers the server"),
)


@dataclass(frozen=True, slots=True)
class DemoClient(ClientMixin):  # type: ignore[misc]  # Authlib has no types
    """A confidential client with exact redirect URIs, as Authlib asks for it."""

    client_id: str
    client_secret: str = field(repr=False)
    redirect_uris: tuple[str, ...]
    post_logout_redirect_uris: tuple[str, ...] = ()

    @property
    def client_metadata(self) -> dict[str, Any]:
        """Registered metadata that Authlib's logout endpoint reads."""
        return {"post_logout_redirect_uris": list(self.post_logout_redirect_uris)}

    def get_client_id(self) -> str:
        """Its id."""
        return self.client_id

    def get_default_redirect_uri(self) -> None:
        """None: each request names its redirect URI."""

    def get_allowed_scope(self, scope: str | None) -> str:
        """What is asked for, of what there is."""
        return " ".join(part for part in (scope or "").split() if part in SCOPES)

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        """Byte for byte (RFC 9700, section 4.1.3)."""
        return redirect_uri in self.redirect_uris

    def check_client_secret(self, client_secret: str) -> bool:
        """In constant time."""
        return hmac.compare_digest(self.client_secret.encode(), client_secret.encode())

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        """A secret, never `none`."""
        return method in AUTH_METHODS

    def check_response_type(self, response_type: str) -> bool:
        """Code only."""
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        """Code and refresh."""
        return grant_type in GRANT_TYPES


SCOPES = ("openid", "profile", "groups", "offline_access")
GRANT_TYPES = ("authorization_code", "refresh_token")
AUTH_METHODS = ("client_secret_basic", "client_secret_post")


@dataclass(frozen=True, slots=True)
class DemoConfig:
    """How the demo provider runs.

    Attributes:
        host: A loopback address: it lets anybody in.
        state_dir: Keeps the signing key (0600), so that ID tokens outlive a restart.
        id_token_seconds: Lifetime of ID and access tokens.
    """

    host: str
    port: int
    state_dir: Path
    clients: tuple[DemoClient, ...]
    accounts: tuple[Account, ...] = ACCOUNTS
    id_token_seconds: int = 600

    def __post_init__(self) -> None:
        """Refuse any address that others can reach."""
        try:
            loopback = self.host == "localhost" or ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            loopback = False
        if not loopback:
            raise ConfigError(
                f"The demo identity provider lets anybody in, so it won't listen on {self.host!r}.",
                code="demo_not_on_loopback",
                hint="Use 127.0.0.1.",
            )

    @property
    def issuer(self) -> str:
        """Its issuer identifier."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @classmethod
    def load(cls, path: Path) -> DemoConfig:
        """Read `host`, `port`, `state_dir`, `id_token_seconds` and `clients` from a JSON file.

        Raises:
            ConfigError: It can't be read, or names something unknown.
        """
        try:
            return cls.from_json(json.loads(path.read_text("utf-8")))
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise ConfigError(
                f"The demo provider's configuration can't be used: {error!r}.", file=str(path)
            ) from error

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> DemoConfig:
        """The same from parsed JSON. Raises KeyError or TypeError on what is missing or unknown."""
        settings = dict(document)
        clients = tuple(
            DemoClient(
                client_id=client["client_id"],
                client_secret=client["client_secret"],
                redirect_uris=tuple(client["redirect_uris"]),
                post_logout_redirect_uris=tuple(client.get("post_logout_redirect_uris", ())),
            )
            for client in settings.pop("clients")
        )
        state_dir = Path(settings.pop("state_dir"))
        return cls(
            host=settings.pop("host", "127.0.0.1"), state_dir=state_dir, clients=clients, **settings
        )
