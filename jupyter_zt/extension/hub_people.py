"""People under JupyterHub: the Hub's own identity provider logs them in, and stays in its place.

Around its answer to "who is asking?" stands this:

1. Only a login in a browser counts. A token in a header or an address does not: such tokens are
   made by hand, or are the server's own, and pass by the XSRF check.
2. Jupyter's user gets the name that records use, so that the same person is the same everywhere.
3. The page's scripts don't get the token. Its requests go with the cookie, and the XSRF check.
4. A web socket ends with its login.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from jupyter_server.auth.identity import User
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.serverapp import ServerApp
from tornado import web
from tornado.websocket import WebSocketHandler
from traitlets import Dict, Float, List, Unicode, default
from traitlets.config import LoggingConfigurable

from jupyter_zt.errors import AuthenticationError
from jupyter_zt.extension.hub_environment import hub_address
from jupyter_zt.extension.hub_logins import HubLogin, HubLogins
from jupyter_zt.extension.login import safe_path
from jupyter_zt.extension.page_parts import refuse_parts_of_a_page
from jupyter_zt.extension.people import refuse_api_call
from jupyter_zt.identity import hub_claims, human_from_claims
from jupyter_zt.model import ADMIN, ANALYST, AUDITOR, REVIEWER, Human

__all__ = ["HubLoginHandler", "ZTHub"]

_LOGIN = "_zt_login"


class ZTHub(LoggingConfigurable):
    """The people of a single-user server of JupyterHub (``c.ZTHub...``)."""

    issuer = Unicode(
        help="The Hub's public address, as records name it and as identity.issuer in gateway.yaml "
        "says it. Default: what c.JupyterHub.public_url makes it.",
        config=True,
    )
    roles = Dict(
        help="Role -> groups of the Hub whose members have it, as in gateway.yaml.",
        per_key_traits={role: List(Unicode()) for role in (ANALYST, REVIEWER, AUDITOR, ADMIN)},
        default_value={
            ANALYST: ["analysts"],
            REVIEWER: ["reviewers"],
            AUDITOR: ["auditors"],
            ADMIN: ["admins"],
        },
        config=True,
    )
    check_seconds = Float(
        10.0, min=1.0, help="How often the Hub is asked whether a login still stands.", config=True
    )

    @default("issuer")
    def _hubs_address(self) -> str:
        return hub_address()

    def stand_around(self, server: ServerApp) -> None:
        """From now on the Hub's answers pass through here."""
        provider: Any = server.identity_provider
        self._provider = provider
        self._ask_hub = provider.get_user
        provider.get_user = self.get_user
        self._logins = HubLogins(self._ask, self._human, check_seconds=self.check_seconds)

    def hide_token(self, server: ServerApp) -> None:
        """Keep the token from every page. After the Hub's extension has loaded."""
        fill = server.web_app.settings["page_config_hook"]

        def without_token(handler: Any, page_config: dict[str, Any]) -> dict[str, Any]:
            return {**fill(handler, page_config), "token": ""}

        server.web_app.settings["page_config_hook"] = without_token

    # ------------------------------------------------------------------ who is asking

    async def get_user(self, handler: web.RequestHandler) -> User | None:
        """The person of a request; None when nobody is logged in, by the Hub's word or by ours."""
        refuse_parts_of_a_page(handler, self._provider.logout_handler_class)
        user: Any = await self._ask_hub(handler)
        login = self._login(handler, user.hub_user) if user is not None else None
        if login is None:
            refuse_api_call(handler, "login_expired")
            return None
        if isinstance(handler, self._provider.logout_handler_class):
            self._logins.end(login)
            return None
        if isinstance(handler, WebSocketHandler):
            login.attach(handler)
        setattr(handler, _LOGIN, login)
        user.username = login.human.key
        person: User = user
        return person

    def _login(self, handler: Any, model: Mapping[str, Any]) -> HubLogin | None:
        if getattr(handler, "_token_authenticated", False):
            raise web.HTTPError(403, "There is no login by token here.", reason="not_permitted")
        token = self._provider.hub_auth.get_token(handler) or ""
        try:
            return self._logins.seen(token, model)
        except AuthenticationError as error:
            self.log.warning("%s [%s]", error.message, error.code)
            return None

    async def _ask(self, token: str) -> Mapping[str, Any] | None:
        model: Mapping[str, Any] | None = await self._provider.hub_auth.user_for_token(
            token, use_cache=False, sync=False
        )
        return model

    def _human(self, model: Mapping[str, Any]) -> Human:
        return human_from_claims(hub_claims(model, self.issuer, now=time.time()), self.roles)

    # ------------------------------------------------------------------ `broker.People`

    def person(self, handler: Any) -> Human | None:
        """The person of a request; None when nobody is logged in."""
        login: HubLogin | None = getattr(handler, _LOGIN, None)
        return login.human if login is not None and not login.has_ended else None

    async def id_token(self, human_key: str) -> str:
        """What shows the gateway who it is: the Hub's token. Raises `AuthenticationError`."""
        return self._logins.token(human_key)

    def watch_logins(self, listener: Any) -> None:
        """Tell it whose login has started or ended, each time."""
        self._logins.watch(listener)


class HubLoginHandler(JupyterHandler):
    """``/login``, which the Hub's extension does not have: through the Hub, and back."""

    auth_resource = "login"

    def get(self) -> None:
        """Who gets here is logged in (`guarded_routes`): the page to go back to."""
        after = safe_path(self.get_query_argument("next", self.base_url), self.base_url)
        self.redirect(after)
