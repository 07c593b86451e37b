"""The gateway's control API, as the command line uses it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx

from jupyter_zt.errors import UnavailableError, error_from_problem

_TIMEOUT = httpx.Timeout(60, connect=5)


@dataclass(frozen=True, slots=True)
class LoginSettings:
    """Where and as which client to log in.

    Attributes:
        scopes: Besides ``openid``.
        algorithms: Allowed signatures of ID tokens.
    """

    issuer: str
    client_id: str
    scopes: tuple[str, ...]
    algorithms: tuple[str, ...]

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> LoginSettings:
        """From parsed JSON. Raises KeyError or TypeError where something is missing."""
        return cls(
            issuer=str(document["issuer"]),
            client_id=str(document["client_id"]),
            scopes=tuple(str(scope) for scope in document["scopes"]),
            algorithms=tuple(str(name) for name in document["algorithms"]),
        )


class GatewayApi:
    """One kept connection to a gateway. Every method raises `ZTError`, with the gateway's words.

    Args:
        url: Base address.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        # No proxies from the environment: these requests carry ID tokens.
        self._http = httpx.Client(base_url=url, timeout=_TIMEOUT, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.close()

    def login_settings(self) -> LoginSettings:
        """How to log in."""
        document = self._call("GET", "/v1/login", "").json()
        try:
            return LoginSettings.from_json(document)
        except (KeyError, TypeError) as error:
            raise self._unreachable() from error

    def me(self, token: str) -> dict[str, Any]:
        """The person, as the gateway sees them."""
        answer: dict[str, Any] = self._call("GET", "/v1/me", token).json()
        return answer

    def open_session(self, token: str, agent: str | None = None) -> dict[str, str]:
        """A session of the command line, perhaps an agent's: its ``id`` and its ``socket``."""
        body = {"agent": agent} if agent else {}
        answer: dict[str, str] = self._call("POST", "/v1/sessions", token, body).json()
        return answer

    def sessions(self, token: str) -> list[dict[str, Any]]:
        """The person's sessions; an administrator's: everybody's."""
        found: list[dict[str, Any]] = self._call("GET", "/v1/sessions", token).json()
        return found

    def stopped_sessions(self, token: str) -> dict[str, str] | None:
        """Who stopped new sessions (``by``, ``at``, ``reason``); None while they open."""
        stopped: dict[str, str] | None = self._call("GET", "/v1/sessions/stop", token).json()[
            "stopped"
        ]
        return stopped

    def revoke_session(self, token: str, session: str, reason: str) -> None:
        """End one session."""
        self._call("POST", f"/v1/sessions/{quote(session, safe='')}/revoke", token, _why(reason))

    def revoke_all_sessions(self, token: str, reason: str) -> dict[str, Any]:
        """The kill switch: how many it ended (``revoked``), and which are ``unrecorded``."""
        answer: dict[str, Any] = self._call("POST", "/v1/sessions/stop", token, _why(reason)).json()
        return answer

    def resume_sessions(self, token: str) -> None:
        """Let new sessions open again."""
        self._call("POST", "/v1/sessions/resume", token)

    def renew(self, token: str, session: str) -> None:
        """Show the gateway that the session's person is still logged in."""
        self._call("POST", f"/v1/sessions/{session}/renew", token)

    def seal(self, token: str, session: str) -> bytes:
        """End the session; its sealed recording."""
        body = {"cells_seen": "0"}
        return self._call("POST", f"/v1/sessions/{session}/seal", token, body).content

    def _call(
        self, method: str, path: str, token: str, body: dict[str, str] | None = None
    ) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            response = self._http.request(method, path, headers=headers, json=body)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise self._unreachable() from error
        if response.is_error:
            try:
                problem = response.json()
            except ValueError:
                problem = None
            raise error_from_problem(response.status_code, problem)
        if response.content and "json" not in response.headers.get("content-type", ""):
            raise self._unreachable()
        return response

    def _unreachable(self) -> UnavailableError:
        return UnavailableError(
            f"The gateway at {self.url} can't be reached.",
            code="gateway_unreachable",
            hint="Is that its address, and is it running? Another one: jupyter zt login --gateway "
            "URL",
        )


def _why(reason: str) -> dict[str, str]:
    return {"reason": reason}
