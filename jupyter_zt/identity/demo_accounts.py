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
from authlib.oauth2.rfc8628 import DEVICE_CODE_GRANT_TYPE

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
    """A registered client, as Authlib asks for it.

    With a secret it is a confidential one that logs people in by redirects to exact addresses;
    without, a public one that does so by device flow.
    """

    client_id: str
    client_secret: str = field(default="", repr=False)
    redirect_uris: tuple[str, ...] = ()
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
        """The secret, or `none` where there is no secret."""
        return method in AUTH_METHODS and (method == "none") == (not self.client_secret)

    def check_response_type(self, response_type: str) -> bool:
        """Code only, and not without a secret."""
        return response_type == "code" and bool(self.client_secret)

    def check_grant_type(self, grant_type: str) -> bool:
        """Refresh, and code with a secret, device code without."""
        if grant_type == "refresh_token":
            return True
        own = "authorization_code" if self.client_secret else DEVICE_CODE_GRANT_TYPE
        return grant_type == own


SCOPES = ("openid", "profile", "groups", "offline_access")
GRANT_TYPES = ("authorization_code", "refresh_token", DEVICE_CODE_GRANT_TYPE)
AUTH_METHODS = ("client_secret_basic", "client_secret_post", "none")


@dataclass(frozen=True, slots=True)
class DemoConfig:
    """How the demo provider runs.

    Attributes:
        host: A loopback address: it lets anybody in.
        state_dir: Keeps the signing key (0600), so that ID tokens outlive a restart.
        id_token_seconds: Lifetime of ID and access tokens.
        device_code_seconds: Lifetime of the codes of a device flow.
        device_interval_seconds: Least time between two questions of a device.
    """

    host: str
    port: int
    state_dir: Path
    clients: tuple[DemoClient, ...]
    accounts: tuple[Account, ...] = ACCOUNTS
    id_token_seconds: int = 600
    device_code_seconds: int = 600
    device_interval_seconds: int = 2

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
        """Read `host`, `port`, `state_dir`, `clients` and the lifetimes from a JSON file.

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
                client_secret=client.get("client_secret", ""),
                redirect_uris=tuple(client.get("redirect_uris", ())),
                post_logout_redirect_uris=tuple(client.get("post_logout_redirect_uris", ())),
            )
            for client in settings.pop("clients")
        )
        state_dir = Path(settings.pop("state_dir"))
        return cls(
            host=settings.pop("host", "127.0.0.1"), state_dir=state_dir, clients=clients, **settings
        )
