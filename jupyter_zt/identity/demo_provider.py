"""An OpenID provider for the demo: Authlib's grants behind Starlette, on loopback, for anybody.

Authlib has no server integration for Starlette; `DemoServer` is that seam and nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import uvicorn
from authlib.oauth2 import AuthorizationServer, OAuth2Error
from authlib.oauth2.rfc6749 import OAuth2Request
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc6750 import BearerTokenGenerator
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from jupyter_zt.errors import ConfigError
from jupyter_zt.identity import demo_device, demo_grants, demo_page
from jupyter_zt.identity.demo_accounts import AUTH_METHODS, GRANT_TYPES, SCOPES, DemoConfig

_MAX_BODY_BYTES = 65_536


class Answer(Response):
    """A Starlette response whose Location Authlib's `iss` extension can change."""

    @property
    def location(self) -> str:
        """The Location header, or ""."""
        return self.headers.get("location", "")

    @location.setter
    def location(self, value: str) -> None:
        self.headers["location"] = value


class FormRequest(OAuth2Request):  # type: ignore[misc]  # Authlib has no types
    """A request whose query and form are read already: Authlib's core is synchronous."""

    def __init__(self, request: Request, pairs: list[tuple[str, str]]) -> None:
        super().__init__(request.method, str(request.url), headers=request.headers)
        self.pairs = pairs
        self.payload = BasicOAuth2Payload(dict(pairs))
        for name, _ in pairs:
            self.payload.datalist[name] = [value for other, value in pairs if other == name]

    @property
    def args(self) -> dict[str, str]:
        """The query."""
        return dict(self.pairs)

    @property
    def form(self) -> dict[str, str]:
        """The form."""
        return dict(self.pairs)


class DemoServer(AuthorizationServer):  # type: ignore[misc]  # Authlib has no types
    """Authlib's authorization server on the demo's memory."""

    def __init__(self, memory: demo_grants.Memory) -> None:
        super().__init__(scopes_supported=None)
        self.memory = memory
        self.issuer = demo_grants.Issuer(memory.issuer)
        tokens = demo_grants.IdTokens(memory)
        challenge = demo_grants.RequiredChallenge(required=True)
        self.register_token_generator(
            "default",
            BearerTokenGenerator(_random, _random, lambda *_: memory.id_token_seconds),
        )
        self.register_grant(demo_grants.code_grant(memory), [tokens, challenge])
        self.register_grant(demo_grants.refresh_grant(memory), [tokens])
        self.register_grant(demo_device.device_grant(memory), [tokens])
        self.register_endpoint(demo_device.device_endpoint(memory))
        self.register_endpoint(demo_grants.revocation(memory))
        self.register_endpoint(demo_grants.end_session(memory))
        self.register_extension(self.issuer)

    def query_client(self, client_id: str) -> Any:
        """The registered client, or None."""
        return self.memory.clients.get(client_id)

    def save_token(self, token: dict[str, Any], request: OAuth2Request) -> None:
        """Remember what was issued."""
        self.memory.save_token(token, request)

    def create_oauth2_request(self, request: FormRequest) -> FormRequest:
        """It is one already."""
        return request

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Nobody listens."""

    def handle_response(self, status: int, body: Any, headers: list[tuple[str, str]]) -> Answer:
        """Authlib's answer as a response."""
        content = json.dumps(body) if isinstance(body, dict) else body
        return Answer(content, status_code=status, headers=dict(headers))


def _random(**_: Any) -> str:
    return secrets.token_urlsafe(32)


async def _form_request(request: Request) -> FormRequest:
    body = await request.body() if request.method == "POST" else b""
    if len(body) > _MAX_BODY_BYTES:
        return FormRequest(request, [])
    pairs = list(request.query_params.multi_items())
    pairs += parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
    return FormRequest(request, pairs)


class DemoProvider:
    """The provider's ASGI application, and the memory behind it.

    Args:
        config: Where it listens, whom it serves.
    """

    def __init__(self, config: DemoConfig) -> None:
        self.memory = demo_grants.Memory(
            issuer=config.issuer,
            key=_signing_key(config.state_dir),
            accounts={account.name: account for account in config.accounts},
            clients={client.client_id: client for client in config.clients},
            id_token_seconds=config.id_token_seconds,
            device_code_seconds=config.device_code_seconds,
            device_interval_seconds=config.device_interval_seconds,
        )
        self.server = DemoServer(self.memory)
        self.app = Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._discovery),
                Route("/jwks", self._jwks),
                Route("/authorize", self._authorize, methods=["GET", "POST"]),
                Route("/device_authorization", self._device_authorization, methods=["POST"]),
                Route("/device", self._device, methods=["GET", "POST"]),
                Route("/token", self._token, methods=["POST"]),
                Route("/revoke", self._revoke, methods=["POST"]),
                Route("/userinfo", self._userinfo, methods=["GET", "POST"]),
                Route("/end-session", self._end_session, methods=["GET", "POST"]),
            ]
        )

    async def _discovery(self, _: Request) -> Response:
        issuer = self.memory.issuer
        return JSONResponse(
            {
                "issuer": issuer,
                "authorization_endpoint": f"{issuer}/authorize",
                "device_authorization_endpoint": f"{issuer}/device_authorization",
                "token_endpoint": f"{issuer}/token",
                "jwks_uri": f"{issuer}/jwks",
                "userinfo_endpoint": f"{issuer}/userinfo",
                "revocation_endpoint": f"{issuer}/revoke",
                "end_session_endpoint": f"{issuer}/end-session",
                "scopes_supported": list(SCOPES),
                "response_types_supported": ["code"],
                "response_modes_supported": ["query"],
                "grant_types_supported": list(GRANT_TYPES),
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "token_endpoint_auth_methods_supported": list(AUTH_METHODS),
                "code_challenge_methods_supported": ["S256"],
                "claims_supported": ["sub", "preferred_username", "name", "groups", "auth_time"],
                "authorization_response_iss_parameter_supported": True,
            }
        )

    async def _jwks(self, _: Request) -> Response:
        return JSONResponse({"keys": [self.memory.key.as_dict(private=False)]})

    async def _authorize(self, request: Request) -> Response:
        asked = await _form_request(request)
        chosen = asked.form.get("account")
        try:
            account = self.memory.accounts.get(chosen or "")
            grant = self.server.get_consent_grant(asked, end_user=account)
        except OAuth2Error as error:
            return self._authorization_error(asked, error)
        if request.method == "POST" and chosen is not None:
            answer: Response = self.server.create_authorization_response(
                asked, grant_user=account, grant=grant
            )
            return answer
        nonce = secrets.token_urlsafe(16)
        page = demo_page.choose_account(
            asked.pairs, list(self.memory.accounts.values()), grant.client.client_id, nonce=nonce
        )
        return _page(page, 200, nonce, grant.redirect_uri)

    def _authorization_error(self, asked: FormRequest, error: OAuth2Error) -> Response:
        if error.redirect_uri:
            answer: Answer = self.server.handle_error_response(asked, error)
            self.server.issuer.add_issuer_parameter(self.server, answer)
            return answer
        nonce = secrets.token_urlsafe(16)
        text = f"{error.error}: {error.description or 'the request cannot be used'}"
        return _page(demo_page.message("This login can't go on", text, nonce=nonce), 400, nonce)

    async def _device_authorization(self, request: Request) -> Response:
        asked = await _form_request(request)
        answer: Response = self.server.create_endpoint_response("device_authorization", asked)
        return answer

    async def _device(self, request: Request) -> Response:
        asked = await _form_request(request)
        nonce = secrets.token_urlsafe(16)
        code = asked.form.get("user_code", "")
        device = demo_device.find_device(self.memory, code)
        if device is None or not device.is_open:
            page = demo_page.enter_code(wrong=bool(code), nonce=nonce)
            return _page(page, 400 if code else 200, nonce)
        chosen = asked.form.get("account")
        if request.method == "GET" or chosen is None:
            accounts = list(self.memory.accounts.values())
            page = demo_page.choose_for_device(
                device.user_code, accounts, device.client_id, nonce=nonce
            )
            return _page(page, 200, nonce)
        account = self.memory.accounts.get(chosen)
        demo_device.decide(device, account)
        title = f"You are {account.name}" if account else "Cancelled"
        text = "Your command line goes on by itself: you can close this page."
        return _page(demo_page.message(title, text, nonce=nonce), 200, nonce)

    async def _token(self, request: Request) -> Response:
        answer: Response = self.server.create_token_response(await _form_request(request))
        return answer

    async def _revoke(self, request: Request) -> Response:
        asked = await _form_request(request)
        answer: Response = self.server.create_endpoint_response("revocation", asked)
        return answer

    async def _userinfo(self, request: Request) -> Response:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        issued = self.memory.access.get(token) if scheme.lower() == "bearer" else None
        account = self.memory.accounts.get(issued.family.account) if issued else None
        if issued is None or account is None or issued.is_expired() or issued.is_revoked():
            challenge = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
            return JSONResponse({"error": "invalid_token"}, status_code=401, headers=challenge)
        return JSONResponse(self.memory.user_info(account))

    async def _end_session(self, request: Request) -> Response:
        asked = await _form_request(request)
        answer: Response | None = self.server.create_endpoint_response("end_session", asked)
        if answer is not None:
            return answer
        nonce = secrets.token_urlsafe(16)
        text = "You are logged out of the demo identity provider."
        return _page(demo_page.message("Logged out", text, nonce=nonce), 200, nonce)


def _page(html: str, status: int, nonce: str, redirect_uri: str = "") -> Response:
    headers = {
        "Content-Security-Policy": demo_page.security_policy(nonce, redirect_uri),
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    return HTMLResponse(html, status_code=status, headers=headers)


def _signing_key(state_dir: Path) -> RSAKey:
    """The key of last time, or a new one."""
    path = state_dir / "demo-provider-key.json"
    try:
        return RSAKey.import_key(json.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        key = RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256"}, auto_kid=True)
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(key.as_dict(private=True), file)
        return key
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"The demo provider's key can't be read: {error}.",
            file=str(path),
            hint="Remove the file; a new key is made at the next start.",
        ) from error


def serve(config: DemoConfig) -> None:
    """Run until interrupted."""
    provider = DemoProvider(config)
    uvicorn.run(provider.app, host=config.host, port=config.port, log_level="warning")


def main() -> int:
    """``python -m jupyter_zt.identity.demo_provider --config FILE.json``."""
    parser = argparse.ArgumentParser(description="An OpenID provider for the demo.")
    parser.add_argument("--config", type=Path, required=True, help="see docs/identity.md")
    try:
        serve(DemoConfig.load(parser.parse_args().config))
    except ConfigError as error:
        sys.stderr.write(error.diagnostics() + "\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
