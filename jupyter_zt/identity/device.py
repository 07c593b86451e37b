"""The device flow: a program without a browser logs its person in (RFC 8628).

The person opens an address on any device and enters, or confirms, a short code; meanwhile the
program asks the provider again and again whether they have.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import httpx
from authlib.oauth2.base import OAuth2Error
from authlib.oauth2.rfc8628 import DEVICE_CODE_GRANT_TYPE

from jupyter_zt.errors import AuthenticationError, UnavailableError
from jupyter_zt.identity.provider import unreachable
from jupyter_zt.identity.relying_party import RelyingParty, Tokens, refused
from jupyter_zt.identity.transport import exchange, is_protected

DEFAULT_INTERVAL_SECONDS = 5
"""RFC 8628, section 3.2: where the provider names none."""
SLOW_DOWN_SECONDS = 5
"""RFC 8628, section 3.5: added to the interval, for this and all later questions."""
LEAST_INTERVAL_SECONDS = 1
_LONGEST_BACKOFF_SECONDS = 60
_AGAIN = "Start the login again."

Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class DeviceCode:
    """What the provider gave for one login (RFC 8628, section 3.2).

    Attributes:
        device_code: The program's secret.
        user_code: What the person enters or compares.
        verification_uri: Where.
        verification_uri_complete: The same with the code in it, or "".
        expires_seconds: How long both codes are good for.
        interval_seconds: Least time between two questions.
    """

    device_code: str = field(repr=False)
    user_code: str
    verification_uri: str
    verification_uri_complete: str
    expires_seconds: float
    interval_seconds: float


class DeviceClient(RelyingParty):
    """One public client: it has no secret, and no address that a browser could come back to.

    Args:
        issuer: Issuer identifier, exactly as the provider states it.
        client_id: As registered.
        scopes: Besides ``openid``.
        http: The kept HTTP client.
        algorithms: Allowed signature algorithms of ID tokens.
        **options: As `RelyingParty` takes them.
    """

    def __init__(
        self,
        issuer: str,
        client_id: str,
        scopes: Collection[str],
        http: httpx.AsyncClient,
        *,
        algorithms: Collection[str] = ("RS256",),
        **options: Any,
    ) -> None:
        super().__init__(issuer, client_id, "", "", scopes, http, algorithms=algorithms, **options)

    async def start(self) -> DeviceCode:
        """Ask the provider for a code to show to the person.

        Raises:
            AuthenticationError: `login_refused`: the provider does not serve this client.
            UnavailableError: `no_device_flow`, `identity_provider_unreachable`.
        """
        metadata = await self._provider.metadata()
        if not metadata.device_authorization_endpoint:
            raise UnavailableError(
                f"The identity provider {self.issuer} has no device flow (RFC 8628).",
                code="no_device_flow",
                hint="Its administrator can switch it on for this client.",
            )
        try:
            response = await exchange(
                self._http,
                "POST",
                metadata.device_authorization_endpoint,
                headers={
                    "Accept": "application/json",
                    "Content-Type": "application/x-www-form-urlencoded",
                },
                content=urlencode({"client_id": self._client_id, "scope": self._scope}),
            )
            answer = response.json()
        except (httpx.HTTPError, ValueError, RecursionError) as error:
            raise unreachable(self.issuer, type(error).__name__) from error
        if isinstance(answer, dict) and "error" in answer:
            raise refused(str(answer["error"]))
        return self._read(answer)

    async def finish(self, device: DeviceCode, *, sleep: Sleep = asyncio.sleep) -> Tokens:
        """Wait until the person has decided, and take the verified tokens.

        Args:
            device: Of `start`.
            sleep: Waits that many seconds.

        Raises:
            AuthenticationError: `login_denied` (the person says no), `device_code_expired` (nobody
                said anything in time), `login_refused`, or as `TokenVerifier.verify`.
            UnavailableError: `identity_provider_unreachable`.
        """
        metadata = await self._provider.metadata()
        ends_at = self._now() + device.expires_seconds
        interval = device.interval_seconds
        while True:
            await sleep(interval)
            if self._now() >= ends_at:
                raise _expired_code()
            try:
                received = await self._endpoint(metadata).fetch_token(
                    metadata.token_endpoint,
                    grant_type=DEVICE_CODE_GRANT_TYPE,
                    device_code=device.device_code,
                )
            except OAuth2Error as error:
                interval += _pause(str(error.error))
            except httpx.HTTPError:
                # Section 3.5: a provider that doesn't answer is asked less and less often.
                interval = min(2 * interval, _LONGEST_BACKOFF_SECONDS)
            except ValueError as error:
                raise unreachable(self.issuer, type(error).__name__) from error
            else:
                # No nonce: the answer came to us directly, for a code that nobody else has.
                return await self._accept(received, nonce="", old=None)

    def _read(self, answer: object) -> DeviceCode:
        document = answer if isinstance(answer, dict) else {}

        def text(name: str, *, required: bool = True) -> str:
            value = document.get(name, None if required else "")
            # It is shown on a terminal: nothing in it may move the cursor.
            if not isinstance(value, str) or not (value.isprintable() and (value or not required)):
                raise unreachable(self.issuer, f"its device code has no usable {name}")
            return value

        def seconds(name: str, default: float | None = None) -> float:
            value = document.get(name, default)
            if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
                raise unreachable(self.issuer, f"its device code has no usable {name}")
            return float(value)

        device = DeviceCode(
            device_code=text("device_code"),
            user_code=text("user_code"),
            verification_uri=text("verification_uri"),
            verification_uri_complete=text("verification_uri_complete", required=False),
            expires_seconds=seconds("expires_in"),
            interval_seconds=max(
                LEAST_INTERVAL_SECONDS, seconds("interval", DEFAULT_INTERVAL_SECONDS)
            ),
        )
        addresses = (device.verification_uri, device.verification_uri_complete)
        if not all(is_protected(address) for address in addresses if address):
            raise unreachable(self.issuer, "its device code leads to an address without TLS")
        return device


def _pause(error: str) -> float:
    """Seconds to add to the interval, where the provider only asks for patience."""
    match error:
        case "authorization_pending":
            return 0
        case "slow_down":
            return SLOW_DOWN_SECONDS
        case "expired_token":
            raise _expired_code()
        case "access_denied":
            raise AuthenticationError(
                "The login was refused in the browser.", code="login_denied", hint=_AGAIN
            )
        case _:
            raise refused(error)


def _expired_code() -> AuthenticationError:
    return AuthenticationError(
        "Nobody entered the code in time.", code="device_code_expired", hint=_AGAIN
    )
