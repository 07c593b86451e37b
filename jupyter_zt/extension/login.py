"""Login and logout in the browser: to the identity provider, back, and out again."""

from __future__ import annotations

import secrets
from typing import Any
from urllib.parse import urlsplit

from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.utils import url_path_join

from jupyter_zt.errors import UnavailableError, ZTError
from jupyter_zt.extension.login_attempts import ATTEMPT_SECONDS
from jupyter_zt.extension.login_pages import PAGE_POLICY, form, form_policy, link, page
from jupyter_zt.extension.logins import Login

__all__ = [
    "CALLBACK_PATH",
    "LOGGED_OUT_PATH",
    "CallbackHandler",
    "LoggedOutHandler",
    "LoginHandler",
    "LogoutHandler",
    "safe_path",
]

CALLBACK_PATH = "/zt/login/callback"
LOGGED_OUT_PATH = "/zt/logged-out"


def safe_path(proposed: str, base_url: str) -> str:
    """A path of this server to go to after a login; `base_url` for anything else.

    A browser reads two slashes, backslashes, and what control characters leave of them as the
    beginning of another host, and ``javascript:`` as a script.
    """
    parts = urlsplit(proposed) if proposed.isascii() and proposed.isprintable() else None
    if (
        parts is None
        or parts.scheme
        or parts.netloc
        or "\\" in proposed
        or proposed.startswith("//")
        or not parts.path.startswith(base_url)
        # Back to the login would go in circles.
        or parts.path.startswith(url_path_join(base_url, "login"))
    ):
        return base_url
    return proposed


class _LoginPageHandler(JupyterHandler):
    """Base of the pages around a login: nothing is cached, nothing active is in them."""

    auth_resource = "login"

    @property
    def provider(self) -> Any:
        """The `ZTIdentityProvider`."""
        return self.identity_provider

    @property
    def content_security_policy(self) -> str:
        """For the pages of `login_pages`."""
        return PAGE_POLICY

    def set_default_headers(self) -> None:
        """Never cached, never told to the next page."""
        super().set_default_headers()
        self.set_header("Cache-Control", "no-store")
        self.set_header("Referrer-Policy", "no-referrer")

    def show(self, title: str, paragraphs: list[str], action: str) -> None:
        """Finish with a page."""
        self.set_header("Content-Type", "text/html; charset=UTF-8")
        self.finish(page(title, paragraphs, action))

    def show_failure(self, error: ZTError) -> None:
        """Finish with a page that says why there is no login, and what to do."""
        self.log.warning("Login failed: %s [%s]", error.message, error.code)
        self.set_status(error.status)
        again = link(url_path_join(self.base_url, "login"), "Try again")
        self.show("You are not logged in", [error.message, error.hint], again)

    @property
    def attempt_path(self) -> str:
        """Path of the cookie that binds a login under way to its browser."""
        return url_path_join(self.base_url, CALLBACK_PATH)


class LoginHandler(_LoginPageHandler):
    """``/login``: send the browser to the identity provider."""

    @allow_unauthenticated
    async def get(self) -> None:
        """Redirect to the provider, or onwards when somebody is logged in."""
        after = safe_path(self.get_query_argument("next", self.base_url), self.base_url)
        if self.current_user:
            self.redirect(after)
            return
        try:
            url, state = await self.provider.relying_party.start_login()
        except ZTError as error:
            self.show_failure(error)
            return
        attempt = self.provider.attempts.start(state, after)
        self.set_cookie(
            _attempt_cookie(state.state),
            attempt.binding,
            path=self.attempt_path,
            max_age=ATTEMPT_SECONDS,
            httponly=True,
            secure=self.provider.is_secure,
            samesite="Lax",
        )
        self.redirect(url)


class CallbackHandler(_LoginPageHandler):
    """The redirect URI: the provider's answer, brought by the browser."""

    @allow_unauthenticated
    async def get(self) -> None:
        """Finish the login that this browser started."""
        state = self.get_query_argument("state", "")
        cookie = _attempt_cookie(state)
        try:
            attempt = self.provider.attempts.take(state, self.get_cookie(cookie, ""))
            party = self.provider.relying_party
            tokens = await party.finish_login(attempt.state, self.request.query)
            login = self.provider.start_login(self, tokens)
        except ZTError as error:
            self.show_failure(error)
            return
        self.clear_cookie(cookie, path=self.attempt_path)
        self.log.info("Logged in: %s", login.human.key)
        self.redirect(attempt.after)


class LogoutHandler(_LoginPageHandler):
    """``/logout``: end the login here and at the provider."""

    @allow_unauthenticated
    async def get(self) -> None:
        """JupyterLab's menu leads here. From another site, ask first."""
        if self.request.headers.get("Sec-Fetch-Site", "none") in {"cross-site", "same-site"}:
            ask = (
                f'<form method="post">{self.xsrf_form_html()}'
                '<button class="go" type="submit">Log out</button></form>'
            )
            self.show("Log out?", ["Another site has sent you here to log out."], ask)
            return
        await self._log_out()

    @allow_unauthenticated
    async def post(self) -> None:
        """From the page that asks; the XSRF token is checked by the base class."""
        await self._log_out()

    async def _log_out(self) -> None:
        login = self.provider.end_login(self)
        address = ""
        try:
            if login is not None:
                self.log.info("Logged out: %s", login.human.key)
                await self.provider.relying_party.revoke(login.tokens)
                if self.provider.logout_with_id_token:
                    await self._offer_logout_at_provider(login)
                    return
            after = self.provider.address(LOGGED_OUT_PATH)
            address = await self.provider.relying_party.logout_url(after)
        except UnavailableError as error:
            self.log.warning("Logged out here, but not at the provider: %s", error.message)
        self.redirect(address or url_path_join(self.base_url, LOGGED_OUT_PATH))

    async def _offer_logout_at_provider(self, login: Login) -> None:
        """A form: the ID token goes to the provider, and into no address."""
        after = self.provider.address(LOGGED_OUT_PATH)
        address, fields = await self.provider.relying_party.logout_form(after, login.tokens)
        if not address:
            self.redirect(url_path_join(self.base_url, LOGGED_OUT_PATH))
            return
        self.set_header("Content-Security-Policy", form_policy(address, after))
        text = "Your login at the identity provider goes on until you end it there."
        self.show("You are logged out here", [text], form(address, fields, "Log out there too"))


class LoggedOutHandler(_LoginPageHandler):
    """Where a logout ends."""

    @allow_unauthenticated
    async def get(self) -> None:
        """Say so, and offer a new login."""
        again = link(url_path_join(self.base_url, "login"), "Log in")
        text = "Kernels that you left running can do nothing in your name any more."
        self.show("You are logged out", [text], again)


def _attempt_cookie(state: str) -> str:
    """Each login under way has a cookie of its own, so that two tabs don't disturb each other."""
    name = "".join(letter for letter in state[:12] if letter.isascii() and letter.isalnum())
    return f"zt-attempt-{name or secrets.token_hex(4)}"
