"""The broker's one way to the gateway: its control API over HTTP.

Each request has a token of the gateway that is bound to this process's key: for a person, exchanged
for their own ID token; for what the broker does in nobody's name, its own.

Every answer that is not a success becomes a `ZTError` with the gateway's own code, message and
hint. A gateway that can't be reached is `gateway_unreachable`, and nothing was done.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import httpx

from jupyter_zt.errors import UnavailableError, ZTError, error_from_problem
from jupyter_zt.identity import Asker, GatewayAuth, TokenClient
from jupyter_zt.identity.exchange import ID_TOKEN
from jupyter_zt.identity.gateway_auth import REVOCATION_PATH
from jupyter_zt.identity.gateway_tls import untrusted
from jupyter_zt.identity.gateway_tokens import ACTIONS, APPROVE, ATTEST, READ, SESSION

__all__ = ["GatewayClient", "OpenedSession"]

_TIMEOUT: Final = httpx.Timeout(30.0, connect=5.0)
_MAX_WAIT_SECONDS: Final = 25
_CLIENT_ID: Final = "broker"


@dataclass(frozen=True, slots=True)
class OpenedSession:
    """A gateway session, as its broker holds it.

    Attributes:
        socket: Absolute path of the session's Unix socket, alone in its folder.
        expires_at: When its actions are refused unless it is renewed. UTC.
    """

    id: str
    socket: str
    expires_at: datetime


class GatewayClient:
    """One kept connection pool to the gateway's control API.

    Args:
        url: Base address (``http://127.0.0.1:8990``).
        broker_secret: By which the gateway knows its broker.
        id_token: A fresh ID token of a person (`Human.key`); raises `AuthenticationError` when
            there is no login.
        tls: How the gateway's certificate is verified; None: as httpx does.
        transport: Where a test plugs in; None for the network.
        client: Who asks for tokens, where that is no broker.
        token_type: What `id_token` gives instead, where people have no ID tokens.

    Every method raises `ZTError`.
    """

    def __init__(
        self,
        url: str,
        broker_secret: str,
        id_token: Callable[[str], Awaitable[str]],
        tls: ssl.SSLContext | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        *,
        client: Asker | None = None,
        token_type: str = ID_TOKEN,
    ) -> None:
        self._url = url
        self._id_token = id_token
        self._token_type = token_type
        self._client: Asker = client or TokenClient(url, _CLIENT_ID, broker_secret)
        self._attesting = GatewayAuth(self._client, [ATTEST])
        self._people: dict[tuple[str, str, str], GatewayAuth] = {}
        # No proxies from the environment: these requests carry tokens.
        self._http = httpx.AsyncClient(
            base_url=url,
            timeout=_TIMEOUT,
            trust_env=False,
            transport=transport,
            verify=tls or True,
        )

    async def close(self) -> None:
        """Give the connections back."""
        await self._http.aclose()

    # ------------------------------------------------------------------ for a person

    async def healthy(self) -> bool:
        """Whether the gateway answers."""
        try:
            await self._json("GET", "/healthz", None)
        except ZTError:
            return False
        return True

    async def me(self, person: str) -> dict[str, Any]:
        """The person (`Human.key`), as the gateway sees them."""
        answer: dict[str, Any] = await self._json("GET", "/v1/me", self._panel(person))
        return answer

    async def sessions(self, person: str) -> list[dict[str, Any]]:
        """The person's sessions (an administrator's: everybody's)."""
        answer: list[dict[str, Any]] = await self._json("GET", "/v1/sessions", self._panel(person))
        return answer

    async def connections(self, person: str) -> list[dict[str, Any]]:
        """The connections that the person may name."""
        answer: list[dict[str, Any]] = await self._json(
            "GET", "/v1/connections", self._panel(person)
        )
        return answer

    async def approvals(self, person: str, after: str, wait_seconds: int) -> dict[str, Any]:
        """Open and recent approvals; waits up to 25 s while the revision is still `after`."""
        wait = max(0, min(wait_seconds, _MAX_WAIT_SECONDS))
        query = {"wait_seconds": str(wait)} | ({"after": after} if after else {})
        answer: dict[str, Any] = await self._json(
            "GET", "/v1/approvals", self._panel(person), query=query
        )
        return answer

    async def approval(self, person: str, approval: str) -> dict[str, Any]:
        """One approval."""
        answer: dict[str, Any] = await self._json(
            "GET", f"/v1/approvals/{approval}", self._panel(person)
        )
        return answer

    async def vote(self, person: str, approval: str, body: Mapping[str, object]) -> dict[str, Any]:
        """The person's word on one approval."""
        path = f"/v1/approvals/{approval}/votes"
        answer: dict[str, Any] = await self._json("POST", path, self._panel(person), body=body)
        return answer

    async def leave(self, person: str) -> None:
        """The person is not logged in here any more: their tokens are good for nothing now.

        Raises:
            ZTError: The gateway could not be told; their tokens expire in minutes.
        """
        for name in [name for name in self._people if name[0] == person]:
            auth = self._people.pop(name)
            if auth.token:
                form = self._client.credentials() | {"token": auth.token}
                await self._send(self._http.build_request("POST", REVOCATION_PATH, data=form), None)

    # ------------------------------------------------------------------ for a kernel

    async def open_session(
        self,
        person: str,
        *,
        notebook: str,
        kernel: str,
        sandbox: Mapping[str, str],
        agent: str | None = None,
        remote: bool = False,
    ) -> OpenedSession:
        """Open a session for a person's kernel, perhaps an agent's; a remote one has no socket."""
        body = {**self._opening(notebook, kernel, sandbox), "remote": remote}
        auth = self._kernels(person, agent or "")
        opened = await self._json("POST", "/v1/sessions", auth, body=body)
        return OpenedSession(
            id=opened["id"],
            socket=opened["socket"],
            expires_at=datetime.fromisoformat(opened["expires_at"]),
        )

    def _opening(self, notebook: str, kernel: str, sandbox: Mapping[str, str]) -> dict[str, object]:
        return {"notebook": notebook, "kernel": kernel, "sandbox": dict(sandbox)}

    async def held_sessions(self, after: str) -> tuple[str, Mapping[str, Mapping[str, str] | None]]:
        """Revision and sessions of this process, with a notice for each that was revoked.

        Waits up to 25 s while the revision is still `after`.
        """
        query = {"wait_seconds": str(_MAX_WAIT_SECONDS)} | ({"after": after} if after else {})
        answer = await self._json("GET", "/v1/sessions/held", self._own, query=query)
        return answer["revision"], {one["id"]: one["revoked"] for one in answer["sessions"]}

    def runtime(self, person: str, session: str, agent: str | None) -> GatewayAuth:
        """The token with which a relay acts in one session."""
        return GatewayAuth(
            self._client,
            [ACTIONS],
            self._subject(person),
            subject_type=self._token_type,
            agent=agent or "",
            session=session,
        )

    async def renew_runtime(self, token: GatewayAuth) -> None:
        """A fresh token for a relay. Raises `AuthenticationError` when its person has left."""
        try:
            await token.renew(self._http)
        except httpx.TransportError as error:
            raise self._unreachable(error) from error

    async def renew(self, session: OpenedSession, person: str) -> datetime:
        """Show that the session's person is still logged in; its new expiry (UTC)."""
        path = f"/v1/sessions/{session.id}/renew"
        renewed = await self._json("POST", path, self._kernels(person))
        return datetime.fromisoformat(renewed["expires_at"])

    async def suspend(self, session: OpenedSession) -> None:
        """The session's person is not logged in any more: it does nothing until it is renewed."""
        await self._request("POST", f"/v1/sessions/{session.id}/suspend", self._own)

    async def post_cell(self, session: OpenedSession, cell: Mapping[str, object]) -> str:
        """Record a cell; its leaf in the log."""
        path = f"/v1/sessions/{session.id}/cells"
        recorded = await self._json("POST", path, self._own, body=cell)
        return str(recorded["leaf"])

    async def recording(self, session: OpenedSession) -> bytes:
        """The recording notebook so far."""
        path = f"/v1/sessions/{session.id}/recording"
        return (await self._request("GET", path, self._own)).content

    async def seal(self, session: OpenedSession, cells_seen: int) -> bytes:
        """End the session; the sealed recording notebook."""
        path = f"/v1/sessions/{session.id}/seal"
        body = {"cells_seen": str(cells_seen)}
        return (await self._request("POST", path, self._own, body=body)).content

    # ------------------------------------------------------------------ the wire

    @property
    def _own(self) -> GatewayAuth:
        """What is done for a kernel, also after its person has left."""
        return self._attesting

    def _panel(self, person: str) -> GatewayAuth:
        """What a page does for its person: it sees and decides."""
        return self._auth(person, f"{READ} {APPROVE}")

    def _kernels(self, person: str, agent: str = "") -> GatewayAuth:
        """What the broker does for a person's kernels, perhaps an agent's."""
        return self._auth(person, SESSION, agent)

    def _auth(self, person: str, scopes: str, agent: str = "") -> GatewayAuth:
        name = (person, scopes, agent)
        if name not in self._people:
            self._people[name] = GatewayAuth(
                self._client,
                scopes.split(),
                self._subject(person),
                subject_type=self._token_type,
                agent=agent,
            )
        return self._people[name]

    def _subject(self, person: str) -> Callable[[], Awaitable[str]] | None:
        """What is exchanged for the person's tokens; None where the client asks for itself."""
        return lambda: self._id_token(person)

    async def _json(
        self,
        method: str,
        path: str,
        auth: GatewayAuth | None,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
    ) -> Any:
        response = await self._request(method, path, auth, query=query, body=body)
        try:
            return response.json()
        except ValueError as error:
            raise self._unreachable() from error

    async def _request(
        self,
        method: str,
        path: str,
        auth: GatewayAuth | None,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
    ) -> httpx.Response:
        content, headers = None, {}
        if body is not None:
            # A lone surrogate in a kernel's output has no UTF-8 form: it is recorded as U+FFFD.
            text = json.dumps(body, ensure_ascii=False)
            content = text.encode("utf-8", "surrogatepass").decode("utf-8", "replace").encode()
            headers = {"Content-Type": "application/json"}
        try:
            request = self._http.build_request(
                method, path, headers=headers, params=query, content=content
            )
        except httpx.InvalidURL as error:
            raise self._unreachable() from error
        return await self._send(request, auth)

    async def _send(self, request: httpx.Request, auth: GatewayAuth | None) -> httpx.Response:
        try:
            response = await self._http.send(request, auth=auth)
        except httpx.TransportError as error:
            raise self._unreachable(error) from error
        if response.is_success:
            return response
        raise _refusal(response)

    def _unreachable(self, error: BaseException | None = None) -> UnavailableError:
        return untrusted(self._url, error) or UnavailableError(
            f"The gateway at {self._url} can't be reached, so nothing was done.",
            code="gateway_unreachable",
            hint="It works again by itself once the gateway is up: ask an administrator to start "
            "`jupyter zt gateway`, or check c.ZT.gateway_url.",
        )


def _refusal(response: httpx.Response) -> ZTError:
    """The gateway's own error, or a plain one where the answer is not from the gateway."""
    try:
        problem = response.json()
    except ValueError:
        problem = None
    return error_from_problem(response.status_code, problem)
