"""The person's login: begun by device flow, renewed before it expires, ended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import httpx

from jupyter_zt.client import store
from jupyter_zt.client.api import GatewayApi, LoginSettings
from jupyter_zt.client.store import CommandLineLogin
from jupyter_zt.errors import AuthenticationError, UnavailableError
from jupyter_zt.identity import DeviceClient, DeviceCode, Tokens

AGAIN = "Log in again: jupyter zt login"
_TIMEOUT = httpx.Timeout(15)


def log_in(gateway: str, show: Callable[[DeviceCode], None]) -> tuple[CommandLineLogin, str]:
    """Logs the person in and keeps the login.

    Args:
        gateway: Base address.
        show: Tells the person where to enter which code.

    Returns:
        The login, and where it is kept.

    Raises:
        AuthenticationError: The person or the provider said no, or nobody said anything.
        UnavailableError: Gateway or provider can't be reached.
    """
    with GatewayApi(gateway) as api:
        settings = api.login_settings()
    login = asyncio.run(_device_flow(gateway, settings, show))
    with store.locked():
        return login, store.save(login)


def fresh_login() -> CommandLineLogin:
    """The login, renewed when that is due. Any number of processes may ask at once.

    Raises:
        AuthenticationError: `not_logged_in`; `login_expired`: the provider no longer vouches.
        PermissionDeniedError: `login_exposed`.
        UnavailableError: `identity_provider_unreachable`, and the ID token has expired.
    """
    with store.locked():
        login = store.load()
        if login is None:
            raise AuthenticationError(
                "You are not logged in.", code="not_logged_in", hint="Log in: jupyter zt login"
            )
        expired = time.time() >= login.tokens.claims.expires_at.timestamp()
        if time.time() < login.tokens.renew_at or not (login.tokens.refresh_token or expired):
            return login
        try:
            # Ctrl-C must not come between the use of a refresh token and keeping its successor.
            with ThreadPoolExecutor(1) as undisturbed:
                return undisturbed.submit(_renew_and_keep, login).result()
        except UnavailableError:
            if expired:
                raise
            return login
        except AuthenticationError as error:
            raise AuthenticationError(error.message, code=error.code, hint=AGAIN) from error


def fresh_id_token() -> str:
    """The person's ID token. Raises as `fresh_login`."""
    return fresh_login().tokens.id_token


def log_out() -> CommandLineLogin | None:
    """Forgets the login here, and makes the provider forget it.

    Returns:
        The login that was, or None.

    Raises:
        UnavailableError: It is forgotten here, but the provider could not be told.
    """
    with store.locked():
        try:
            login = store.load()
        finally:
            store.forget()
    if login is not None:
        asyncio.run(_revoke(login))
    return login


async def _device_flow(
    gateway: str, settings: LoginSettings, show: Callable[[DeviceCode], None]
) -> CommandLineLogin:
    async with _http() as http:
        client = _client(settings, http)
        device = await client.start()
        show(device)
        return CommandLineLogin(gateway, settings, await client.finish(device))


def _renew_and_keep(login: CommandLineLogin) -> CommandLineLogin:
    renewed = replace(login, tokens=asyncio.run(_renew(login)))
    store.save(renewed)
    return renewed


async def _renew(login: CommandLineLogin) -> Tokens:
    async with _http() as http:
        return await _client(login.settings, http).refresh(login.tokens)


async def _revoke(login: CommandLineLogin) -> None:
    async with _http() as http:
        await _client(login.settings, http).revoke(login.tokens)


def _http() -> httpx.AsyncClient:
    # No proxies from the environment: these requests carry tokens.
    return httpx.AsyncClient(timeout=_TIMEOUT, trust_env=False)


def _client(settings: LoginSettings, http: httpx.AsyncClient) -> DeviceClient:
    # Which groups the person has is the gateway's to read.
    return DeviceClient(
        settings.issuer,
        settings.client_id,
        settings.scopes,
        http,
        algorithms=settings.algorithms,
        groups_claim="",
    )
