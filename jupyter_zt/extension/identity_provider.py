"""Jupyter's question "who is asking?", answered by OpenID Connect and nothing else."""

from __future__ import annotations

import re
import stat
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
from jupyter_server.auth.identity import IdentityProvider, User
from tornado import web
from tornado.websocket import WebSocketHandler
from traitlets import Bool, Dict, Float, List, TraitError, Unicode, Union, default, validate

from jupyter_zt.errors import ConfigError, ZTError
from jupyter_zt.extension import backchannel
from jupyter_zt.extension import login as pages
from jupyter_zt.extension.login_attempts import Attempts
from jupyter_zt.extension.logins import Login, Logins
from jupyter_zt.extension.page_parts import refuse_parts_of_a_page
from jupyter_zt.extension.people import refuse_api_call
from jupyter_zt.identity import RelyingParty, Tokens
from jupyter_zt.model import ADMIN, ANALYST, AUDITOR, REVIEWER, Human

__all__ = ["ZTIdentityProvider"]


def _members() -> List[Any]:
    """Who has a role (`jupyter_zt.identity.RoleMap`)."""
    claims = Dict(key_trait=Unicode(), value_trait=Unicode())
    return List(Union([Unicode(), claims]))


class ZTIdentityProvider(IdentityProvider):
    """People log in at an OpenID provider; the browser keeps an opaque cookie.

    There is no token and no password. XSRF checks and origin checks always apply.
    """

    issuer = Unicode(help="OpenID issuer, exactly as the provider states it.", config=True)
    client_id = Unicode("jupyter-zt", help="Client id at the provider.", config=True)
    client_secret_file = Unicode(
        help="File with the client secret; readable by the server's user only.", config=True
    )
    public_url = Unicode(
        help="Address under which browsers reach this server, with its base_url "
        "(https://jupyter.example.org/). Register <public_url>zt/login/callback as redirect URI "
        "and <public_url>zt/logged-out as post-logout redirect URI.",
        config=True,
    )
    scopes = List(Unicode(), ["profile"], help="Scopes besides openid.", config=True)
    algorithms = List(
        Unicode(), ["RS256"], help="Allowed signature algorithms of ID tokens.", config=True
    )
    groups_claim = Unicode("groups", help="Claim that lists a person's groups.", config=True)
    subject_claim = Unicode(
        "sub",
        help="Claim that names a person, the same for every client of the provider and for ever. "
        "Entra ID: oid. As identity.subject_claim in gateway.yaml.",
        config=True,
    )
    userinfo = Bool(
        False,
        help="Read name and groups at the provider's userinfo endpoint, for providers whose ID "
        "tokens lack them. The gateway reads ID tokens only.",
        config=True,
    )
    roles = Dict(
        help="Role -> who has it: a group's name, or claims that a person must all have "
        "({'email': 'eva@example.org'}).",
        per_key_traits={role: _members() for role in (ANALYST, REVIEWER, AUDITOR, ADMIN)},
        default_value={
            ANALYST: ["analysts"],
            REVIEWER: ["reviewers"],
            AUDITOR: ["auditors"],
            ADMIN: ["admins"],
        },
        config=True,
    )
    extra_parameters = Dict(
        value_trait=Unicode(), help="Added to the authorization request.", config=True
    )
    login_hours = Float(12.0, min=0.0, help="A login ends after this, at the latest.", config=True)
    renew_minutes = Float(
        10.0,
        min=0.05,
        help="How often the provider is asked, at least, whether a person may still log in, and "
        "for their groups, however long its ID tokens live.",
        config=True,
    )
    logout_with_id_token = Bool(
        False,
        help="Log out at the provider by a form that shows it the ID token, for providers that "
        "want to see it (Okta).",
        config=True,
    )

    login_handler_class = pages.LoginHandler
    logout_handler_class = pages.LogoutHandler
    need_token = False

    @default("token")
    def _token_default(self) -> str:
        return ""

    @validate("token")
    def _no_token(self, proposal: Any) -> str:
        if proposal["value"]:
            raise TraitError("Jupyter ZT has no token login: leave c.IdentityProvider.token empty.")
        return ""

    @default("updatable_fields")
    def _nothing_to_update(self) -> list[str]:
        return []

    # ------------------------------------------------------------------ configuration

    @cached_property
    def attempts(self) -> Attempts:
        """Logins under way."""
        return Attempts()

    @cached_property
    def logins(self) -> Logins:
        """Everybody who is logged in."""
        return Logins(
            self.relying_party.refresh,
            self.roles,
            max_seconds=self.login_hours * 3600,
            renew_seconds=self.renew_minutes * 60,
        )

    @cached_property
    def relying_party(self) -> RelyingParty:
        """This server as a client of the provider."""
        return RelyingParty(
            self.issuer,
            self.client_id,
            _read_secret(self.client_secret_file),
            self.address(pages.CALLBACK_PATH),
            self.scopes,
            httpx.AsyncClient(timeout=httpx.Timeout(10.0, connect=5.0)),
            algorithms=self.algorithms,
            groups_claim=self.groups_claim,
            subject_claim=self.subject_claim,
            userinfo=self.userinfo,
            extra_parameters=self.extra_parameters,
        )

    @property
    def is_secure(self) -> bool:
        """Whether browsers reach this server over TLS."""
        return self.public_url.startswith("https://")

    def address(self, path: str) -> str:
        """The public address of a path below this server's base_url."""
        return self.public_url.rstrip("/") + path

    def validate_security(self, app: Any, ssl_options: dict[str, Any] | None = None) -> None:
        """Refuse to start without a usable provider, instead of at the first login.

        Raises:
            ConfigError: A setting is missing or unusable.
        """
        if not (self.issuer and self.public_url):
            raise ConfigError(
                "c.ZTIdentityProvider.issuer and c.ZTIdentityProvider.public_url are not both set.",
                code="no_identity_provider",
                hint="See docs/identity.md for a complete snippet.",
            )
        self.relying_party  # noqa: B018 - raises what can be known before the first login

    # ------------------------------------------------------------------ who is asking

    async def get_user(self, handler: web.RequestHandler) -> User | None:
        """The person of a request, by its cookie; None when nobody is logged in."""
        refuse_parts_of_a_page(handler, self.logout_handler_class)
        login, code = self.login_of(handler), "not_logged_in"
        if login is not None:
            try:
                await login.fresh_id_token()
            except ZTError as error:
                login, code = None, error.code
        elif handler.get_cookie(self.get_cookie_name(handler)):
            code = "login_expired"
        if login is None:
            refuse_api_call(handler, code)
            return None
        if isinstance(handler, WebSocketHandler):
            login.attach(handler)
        human = login.human
        return User(username=human.key, name=human.name, display_name=human.name)

    def login_of(self, handler: web.RequestHandler) -> Login | None:
        """The living login that a request's cookie names."""
        return self.logins.find(handler.get_cookie(self.get_cookie_name(handler)))

    def is_token_authenticated(self, handler: web.RequestHandler) -> bool:
        """Never: so XSRF and origin checks always apply."""
        return False

    # ------------------------------------------------------------------ `broker.People`

    def person(self, handler: web.RequestHandler) -> Human | None:
        """The person of a request; None when nobody is logged in."""
        login = self.login_of(handler)
        return login.human if login else None

    async def id_token(self, human_key: str) -> str:
        """A fresh ID token of a person. Raises as `Logins.id_token`."""
        return await self.logins.id_token(human_key)

    def watch_logins(self, listener: Callable[[str], None]) -> None:
        """Tell it whose login has started or ended, each time."""
        self.logins.watch(listener)

    # ------------------------------------------------------------------ login and logout

    def get_handlers(self) -> list[tuple[str, object]]:
        """Login, its callback, logout, and the provider's own logout."""
        return [
            *super().get_handlers(),
            (re.escape(pages.CALLBACK_PATH), pages.CallbackHandler),
            (re.escape(pages.LOGGED_OUT_PATH), pages.LoggedOutHandler),
            (re.escape(backchannel.PATH), backchannel.BackChannelLogoutHandler),
        ]

    def get_cookie_name(self, handler: web.RequestHandler) -> str:
        """One per server: cookies don't know ports. Over TLS no other host can set it."""
        name = re.sub(r"[^a-z0-9]+", "-", self.public_url.lower()).strip("-")
        return f"__Host-zt-login-{name}" if self.is_secure else f"zt-login-{name}"

    def start_login(self, handler: web.RequestHandler, tokens: Tokens) -> Login:
        """Log this browser in, with a new cookie; a login that it had before ends."""
        self.end_login(handler)
        secret, login = self.logins.start(tokens)
        handler.set_cookie(
            self.get_cookie_name(handler),
            secret,
            path=self._cookie_path(handler),
            httponly=True,
            secure=self.is_secure,
            samesite="Lax",
        )
        return login

    def end_login(self, handler: web.RequestHandler) -> Login | None:
        """Log this browser out; gives the login that ended."""
        login = self.login_of(handler)
        if login is not None:
            login.end()
        self.clear_login_cookie(handler)
        return login

    def clear_login_cookie(self, handler: web.RequestHandler) -> None:
        """Forget the cookie."""
        handler.clear_cookie(
            self.get_cookie_name(handler),
            path=self._cookie_path(handler),
            secure=self.is_secure,
            httponly=True,
            samesite="Lax",
        )

    def _cookie_path(self, handler: Any) -> str:
        return "/" if self.is_secure else str(handler.base_url)


def _read_secret(path: str) -> str:
    hint = (
        "Write c.ZTIdentityProvider.client_secret_file = '<a file that only the server can read>'."
    )
    if not path:
        raise ConfigError(
            "c.ZTIdentityProvider.client_secret_file is not set.", code="no_secret", hint=hint
        )
    file = Path(path).expanduser()
    try:
        secret = file.read_text("utf-8").strip()
        shared = file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"The client secret can't be read: {error}", file=path, code="no_secret", hint=hint
        ) from error
    if shared:
        raise ConfigError(
            "The client secret may be read by others.",
            file=path,
            code="secret_open",
            hint=f"chmod 600 {path}",
        )
    if not secret:
        raise ConfigError("The client secret is empty.", file=path, code="no_secret", hint=hint)
    return secret
