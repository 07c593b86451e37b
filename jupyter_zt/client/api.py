"""The gateway's control API, as the command line uses it."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx

from jupyter_zt.errors import UnavailableError, error_from_problem
from jupyter_zt.identity import Asker, GatewayAuth, TokenClient
from jupyter_zt.identity.gateway_tls import tls_context, untrusted
from jupyter_zt.identity.gateway_tokens import ACTIONS, READ, REVOKE, SESSION

CA_FILE_VARIABLE = "JUPYTER_ZT_CA_FILE"
"""Of the environment: PEM file with the authorities that may sign the gateway's certificate."""
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


def gateway_tls(url: str) -> ssl.SSLContext | None:
    """How the certificate of a gateway is verified; None for http on this host.

    Raises:
        ConfigError: `bad_gateway_ca_file`.
    """
    if not url.startswith("https:"):
        return None
    return tls_context(os.environ.get(CA_FILE_VARIABLE, ""), CA_FILE_VARIABLE)


class GatewayApi:
    """One kept connection to a gateway. Every method raises `ZTError`, with the gateway's words.

    Its token is bound to a key of this process, and is written down nowhere.

    Args:
        url: Base address.
        client: Who asks for tokens; None before anybody is logged in.
        id_token: Gives the person's ID token, fresh; None for a service, which asks for itself.
    """

    def __init__(
        self,
        url: str,
        client: Asker | None = None,
        id_token: Callable[[], str] | None = None,
    ) -> None:
        self.url = url
        self._client = client or TokenClient(url, "", "")
        self._id_token = id_token
        self._sees = GatewayAuth(self._client, [READ], id_token)
        self._steers = GatewayAuth(self._client, [SESSION], id_token)
        self._ends = GatewayAuth(self._client, [REVOKE], id_token)
        # No proxies from the environment: these requests carry tokens.
        self._tls = gateway_tls(url) or True
        self._http = httpx.Client(base_url=url, timeout=_TIMEOUT, trust_env=False, verify=self._tls)

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
        document = self._call("GET", "/v1/login", None).json()
        try:
            return LoginSettings.from_json(document)
        except (KeyError, TypeError) as error:
            raise self.unreachable() from error

    def me(self) -> dict[str, Any]:
        """The person, as the gateway sees them."""
        answer: dict[str, Any] = self._call("GET", "/v1/me", self._sees).json()
        return answer

    def open_session(self, agent: str | None = None) -> dict[str, str]:
        """A session of the command line, perhaps an agent's: its ``id``."""
        auth = GatewayAuth(self._client, [SESSION], self._id_token, agent=agent or "")
        answer: dict[str, str] = self._call("POST", "/v1/sessions", auth, {"remote": True}).json()
        return answer

    def runtime(
        self, session: str, id_token: Callable[[], str] | None, agent: str | None = None
    ) -> httpx.Client:
        """The API of one session, as its runtime uses it.

        Args:
            session: Its id.
            id_token: Asked for each request; None for a service.
            agent: The agent that it was opened for.
        """
        return httpx.Client(
            base_url=f"{self.url}/v1/sessions/{session}/runtime",
            auth=GatewayAuth(self._client, [ACTIONS], id_token, agent=agent or "", session=session),
            timeout=httpx.Timeout(None, connect=5),
            trust_env=False,
            verify=self._tls,
        )

    def sessions(self) -> list[dict[str, Any]]:
        """The person's sessions; an administrator's: everybody's."""
        found: list[dict[str, Any]] = self._call("GET", "/v1/sessions", self._sees).json()
        return found

    def stopped_sessions(self) -> dict[str, str] | None:
        """Who stopped new sessions (``by``, ``at``, ``reason``); None while they open."""
        answer = self._call("GET", "/v1/sessions/stop", self._sees).json()
        stopped: dict[str, str] | None = answer["stopped"]
        return stopped

    def revoke_session(self, session: str, reason: str) -> None:
        """End one session."""
        path = f"/v1/sessions/{quote(session, safe='')}/revoke"
        self._call("POST", path, self._ends, _why(reason))

    def revoke_all_sessions(self, reason: str) -> dict[str, Any]:
        """The kill switch: how many it ended (``revoked``), and which are ``unrecorded``."""
        answer: dict[str, Any] = self._call(
            "POST", "/v1/sessions/stop", self._ends, _why(reason)
        ).json()
        return answer

    def resume_sessions(self) -> None:
        """Let new sessions open again."""
        self._call("POST", "/v1/sessions/resume", self._ends)

    def renew(self, session: str) -> None:
        """Show the gateway that the session's person is still logged in."""
        self._call("POST", f"/v1/sessions/{session}/renew", self._steers)

    def seal(self, session: str) -> bytes:
        """End the session; its sealed recording."""
        body = {"cells_seen": "0"}
        return self._call("POST", f"/v1/sessions/{session}/seal", self._steers, body).content

    def _call(
        self,
        method: str,
        path: str,
        auth: GatewayAuth | None,
        body: Mapping[str, object] | None = None,
    ) -> httpx.Response:
        try:
            response = self._http.request(method, path, auth=auth, json=body)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise self.unreachable(error) from error
        if response.is_error:
            try:
                problem = response.json()
            except ValueError:
                problem = None
            raise error_from_problem(response.status_code, problem)
        if response.content and "json" not in response.headers.get("content-type", ""):
            raise self.unreachable()
        return response

    def unreachable(self, error: BaseException | None = None) -> UnavailableError:
        """The error where it can't be reached, and what the attempt ended with."""
        return untrusted(self.url, error) or UnavailableError(
            f"The gateway at {self.url} can't be reached.",
            code="gateway_unreachable",
            hint="Is that its address, and is it running? Another one: jupyter zt login --gateway "
            "URL",
        )


def _why(reason: str) -> dict[str, str]:
    return {"reason": reason}
