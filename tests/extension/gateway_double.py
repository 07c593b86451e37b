"""The gateway's broker endpoints as an ASGI app that can be away, slow to recover, or refuse."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from jupyter_zt.extension.gateway_client import GatewayClient

EXPIRES = "2030-01-01T00:00:00+00:00"


@dataclass
class Gateway:
    """What was asked of it, and how it answers next.

    Attributes:
        away: Connections fail.
        refusals: Statuses of the next answers to posted cells; empty for success.
    """

    away: bool = False
    refusals: list[int] = field(default_factory=list)
    cells: list[dict[str, Any]] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    sealed: str = ""
    exchanges: list[dict[str, str]] = field(default_factory=list)
    revoked: list[str] = field(default_factory=list)

    def client(self) -> GatewayClient:
        app = Starlette(
            routes=[
                Route("/healthz", self._healthy),
                Route("/v1/token", self._token, methods=["POST"]),
                Route("/v1/revoke", self._revoke, methods=["POST"]),
                Route("/v1/me", self._me),
                Route("/v1/sessions", self._open, methods=["POST"]),
                Route("/v1/sessions/{id}/renew", self._renew, methods=["POST"]),
                Route("/v1/sessions/{id}/cells", self._cell, methods=["POST"]),
                Route("/v1/sessions/{id}/recording", self._recording),
                Route("/v1/sessions/{id}/seal", self._seal, methods=["POST"]),
            ]
        )
        return GatewayClient(
            "http://gateway", "broker secret", _id_token, transport=_Line(self, app)
        )

    async def _healthy(self, request: Request) -> Response:
        return JSONResponse({"status": "ok", "version": "1"})

    async def _token(self, request: Request) -> Response:
        form = parse_qs((await request.body()).decode())
        self.exchanges.append({name: values[0] for name, values in form.items()})
        token = f"token {len(self.exchanges)}"
        return JSONResponse({"access_token": token, "token_type": "DPoP", "expires_in": 300})

    async def _revoke(self, request: Request) -> Response:
        self.revoked += parse_qs((await request.body()).decode())["token"]
        return JSONResponse({})

    async def _me(self, request: Request) -> Response:
        self.requests.append(request)
        problem = {"code": "login_expired", "message": "Your login has ended.", "hint": "Log in."}
        return JSONResponse(problem, 401)

    async def _open(self, request: Request) -> Response:
        self.requests.append(request)
        opened = {"id": "s_0123456789abcdef", "socket": "/run/s/gateway.sock"}
        return JSONResponse({**opened, "expires_at": EXPIRES}, 201)

    async def _renew(self, request: Request) -> Response:
        return JSONResponse({"expires_at": EXPIRES})

    async def _cell(self, request: Request) -> Response:
        if self.refusals:
            status = self.refusals.pop(0)
            return JSONResponse({"code": "refused", "message": "No.", "hint": ""}, status)
        self.cells.append(await request.json())
        return JSONResponse({"leaf": str(len(self.cells))}, 201)

    async def _recording(self, request: Request) -> Response:
        return Response(json.dumps({"cells": len(self.cells), "sealed": ""}))

    async def _seal(self, request: Request) -> Response:
        self.sealed = (await request.json())["cells_seen"]
        return Response(json.dumps({"cells": len(self.cells), "sealed": self.sealed}))


async def _id_token(person: str) -> str:
    return f"id token of {person}"


class _Line(httpx.ASGITransport):
    """The connection to it."""

    def __init__(self, gateway: Gateway, app: Starlette) -> None:
        super().__init__(app)
        self._gateway = gateway

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self._gateway.away:
            raise httpx.ConnectError("refused")
        return await super().handle_async_request(request)
