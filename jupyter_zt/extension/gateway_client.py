"""The broker's one way to the gateway: its control API over HTTP.

Every answer that is not a success becomes a `ZTError` with the gateway's own code, message and
hint. A gateway that can't be reached is `gateway_unreachable`, and nothing was done.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import httpx

from jupyter_zt.errors import UnavailableError, ZTError, error_from_problem

__all__ = ["GatewayClient", "OpenedSession"]

_TIMEOUT: Final = httpx.Timeout(30.0, connect=5.0)
_MAX_WAIT_SECONDS: Final = 25


@dataclass(frozen=True, slots=True)
class OpenedSession:
    """A gateway session, as its broker holds it.

    Attributes:
        socket: Absolute path of the session's Unix socket, alone in its folder.
        attestation: The broker's secret for this session: in memory only, kept out of `repr`.
        expires_at: When its actions are refused unless it is renewed. UTC.
    """

    id: str
    socket: str
    attestation: str = field(repr=False)
    expires_at: datetime


class GatewayClient:
    """One kept connection pool to the gateway's control API.

    Args:
        url: Base address (``http://127.0.0.1:8990``).
        broker_secret: What proves to the gateway that this is its broker.
        transport: Where a test plugs in; None for the network.

    Every method raises `ZTError`.
    """

    def __init__(
        self, url: str, broker_secret: str, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._url = url
        self._broker = {"ZT-Broker": broker_secret}
        # No proxies from the environment: these requests carry ID tokens.
        self._http = httpx.AsyncClient(
            base_url=url, timeout=_TIMEOUT, trust_env=False, transport=transport
        )

    async def close(self) -> None:
        """Give the connections back."""
        await self._http.aclose()

    # ------------------------------------------------------------------ for a person

    async def healthy(self) -> bool:
        """Whether the gateway answers."""
        try:
            await self._json("GET", "/healthz", {})
        except ZTError:
            return False
        return True

    async def me(self, token: str) -> dict[str, Any]:
        """The person, as the gateway sees them."""
        answer: dict[str, Any] = await self._json("GET", "/v1/me", _bearer(token))
        return answer

    async def sessions(self, token: str) -> list[dict[str, Any]]:
        """The person's sessions (an administrator's: everybody's)."""
        answer: list[dict[str, Any]] = await self._json("GET", "/v1/sessions", _bearer(token))
        return answer

    async def connections(self, token: str) -> list[dict[str, Any]]:
        """The connections that the person may name."""
        answer: list[dict[str, Any]] = await self._json("GET", "/v1/connections", _bearer(token))
        return answer

    async def approvals(self, token: str, after: str, wait_seconds: int) -> dict[str, Any]:
        """Open and recent approvals; waits up to 25 s while the revision is still `after`."""
        wait = max(0, min(wait_seconds, _MAX_WAIT_SECONDS))
        query = {"wait_seconds": str(wait)} | ({"after": after} if after else {})
        answer: dict[str, Any] = await self._json(
            "GET", "/v1/approvals", _bearer(token), query=query
        )
        return answer

    async def approval(self, token: str, approval: str) -> dict[str, Any]:
        """One approval."""
        answer: dict[str, Any] = await self._json(
            "GET", f"/v1/approvals/{approval}", _bearer(token)
        )
        return answer

    async def vote(self, token: str, approval: str, body: Mapping[str, object]) -> dict[str, Any]:
        """The person's word on one approval."""
        path = f"/v1/approvals/{approval}/votes"
        answer: dict[str, Any] = await self._json("POST", path, _bearer(token), body=body)
        return answer

    # ------------------------------------------------------------------ for a kernel

    async def open_session(
        self,
        token: str,
        *,
        notebook: str,
        kernel: str,
        sandbox: Mapping[str, str],
        agent: str | None = None,
    ) -> OpenedSession:
        """Open a session for a person's kernel, perhaps an agent's."""
        body = self._opening(notebook, kernel, sandbox, agent)
        opened = await self._json("POST", "/v1/sessions", _bearer(token) | self._broker, body=body)
        return OpenedSession(
            id=opened["id"],
            socket=opened["socket"],
            attestation=opened["attestation"],
            expires_at=datetime.fromisoformat(opened["expires_at"]),
        )

    def _opening(
        self, notebook: str, kernel: str, sandbox: Mapping[str, str], agent: str | None
    ) -> dict[str, object]:
        return {"agent": agent, "notebook": notebook, "kernel": kernel, "sandbox": dict(sandbox)}

    async def renew(self, session: OpenedSession, token: str) -> datetime:
        """Show that the session's person is still logged in; its new expiry (UTC)."""
        headers = _bearer(token) | self._attesting(session)
        renewed = await self._json("POST", f"/v1/sessions/{session.id}/renew", headers)
        return datetime.fromisoformat(renewed["expires_at"])

    async def suspend(self, session: OpenedSession) -> None:
        """The session's person is not logged in any more: it does nothing until it is renewed."""
        await self._request("POST", f"/v1/sessions/{session.id}/suspend", self._attesting(session))

    async def post_cell(self, session: OpenedSession, cell: Mapping[str, object]) -> str:
        """Record a cell; its leaf in the log."""
        path = f"/v1/sessions/{session.id}/cells"
        recorded = await self._json("POST", path, self._attesting(session), body=cell)
        return str(recorded["leaf"])

    async def recording(self, session: OpenedSession) -> bytes:
        """The recording notebook so far."""
        path = f"/v1/sessions/{session.id}/recording"
        return (await self._request("GET", path, self._attesting(session))).content

    async def seal(self, session: OpenedSession, cells_seen: int) -> bytes:
        """End the session; the sealed recording notebook."""
        path = f"/v1/sessions/{session.id}/seal"
        body = {"cells_seen": str(cells_seen)}
        return (await self._request("POST", path, self._attesting(session), body=body)).content

    # ------------------------------------------------------------------ the wire

    def _attesting(self, session: OpenedSession) -> dict[str, str]:
        return self._broker | {"ZT-Attestation": session.attestation}

    async def _json(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
    ) -> Any:
        response = await self._request(method, path, headers, query=query, body=body)
        try:
            return response.json()
        except ValueError as error:
            raise self._unreachable() from error

    async def _request(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
    ) -> httpx.Response:
        content = None
        if body is not None:
            # A lone surrogate in a kernel's output has no UTF-8 form: it is recorded as U+FFFD.
            text = json.dumps(body, ensure_ascii=False)
            content = text.encode("utf-8", "surrogatepass").decode("utf-8", "replace").encode()
            headers = {**headers, "Content-Type": "application/json"}
        try:
            response = await self._http.request(
                method, path, headers=headers, params=query, content=content
            )
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise self._unreachable() from error
        if response.is_success:
            return response
        raise _refusal(response)

    def _unreachable(self) -> UnavailableError:
        return UnavailableError(
            f"The gateway at {self._url} can't be reached, so nothing was done.",
            code="gateway_unreachable",
            hint="It works again by itself once the gateway is up: ask an administrator to start "
            "`jupyter zt gateway`, or check c.ZT.gateway_url.",
        )


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _refusal(response: httpx.Response) -> ZTError:
    """The gateway's own error, or a plain one where the answer is not from the gateway."""
    try:
        problem = response.json()
    except ValueError:
        problem = None
    return error_from_problem(response.status_code, problem)
