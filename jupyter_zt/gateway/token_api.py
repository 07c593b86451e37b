"""The token endpoint: OAuth's form in, a token that is bound to the asker's key out.

RFC 6749 (form, client authentication, errors), RFC 7523 (services), RFC 8693 (exchange), RFC 9449
(binding), RFC 7009 (revocation). An error says OAuth's `error` and `error_description`, and our
`code`, `message` and `hint` besides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from fastapi import Request
from fastapi.responses import JSONResponse, Response

from jupyter_zt.errors import (
    AuthenticationError,
    PermissionDeniedError,
    TokenRequestError,
    UnavailableError,
    ZTError,
)
from jupyter_zt.gateway.callers import proof_of, raw_path
from jupyter_zt.gateway.clients import Clients
from jupyter_zt.gateway.token_revocations import TokenRevocations
from jupyter_zt.identity import Award, Client, GatewayTokens, Grants, ProofVerifier, TokenRequest

MAX_FORM_BYTES = 64 * 1024
MAX_PARAMETERS = 32
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class TokenEndpoint:
    """Gives tokens, and takes them back.

    Attributes:
        clients: Who may ask.
        grants: What for.
        tokens: Signs them.
        proofs: Which key they are bound to.
        revocations: Whose are void.
    """

    clients: Clients
    grants: Grants
    tokens: GatewayTokens
    proofs: ProofVerifier
    revocations: TokenRevocations

    async def token(self, request: Request) -> Response:
        """A new token."""
        try:
            return _answer(await self._give(request))
        except ZTError as error:
            return _refusal(error)

    async def revoke(self, request: Request) -> Response:
        """The client's person has left: their tokens with its key are void (RFC 7009)."""
        try:
            form = await _form(request)
            client = await self.clients.authenticate(request.headers.get("authorization", ""), form)
            self._revoke(client, form.get("token", ""))
        except ZTError as error:
            return _refusal(error)
        return _answer({})

    async def _give(self, request: Request) -> Mapping[str, object]:
        # (1) Who asks.
        form = await _form(request)
        client = await self.clients.authenticate(request.headers.get("authorization", ""), form)

        # (2) Which key the token will be bound to. There are no others.
        key = self.proofs.verify(proof_of(request), request.method, raw_path(request))

        # (3) In whose name and what for: the grant's word.
        grant = self.grants.get(form.get("grant_type", ""))
        if grant is None:
            raise TokenRequestError(
                "unsupported_grant_type",
                "This grant is not known here.",
                hint=f"Known: {', '.join(self.grants)}.",
            )
        award = await grant(TokenRequest(form, client, key))

        # (4) No login that was ended.
        subject = award.subject
        if subject is not None and self.revocations.covers_login(
            subject.human.key, subject.since.timestamp()
        ):
            raise AuthenticationError(
                "This login was ended.", code="login_expired", hint="Log in again."
            )
        return self._issued(award, client, key)

    def _issued(self, award: Award, client: Client, key: str) -> Mapping[str, object]:
        subject = award.subject
        token, seconds = self.tokens.issue(
            client=client.id,
            key=key,
            scopes=award.scopes,
            human=subject.human if subject else None,
            login_expires_at=subject.until if subject else None,
            authenticated_at=subject.authenticated_at if subject else None,
            agent=award.agent,
            session=award.session,
        )
        answer: dict[str, object] = {
            "access_token": token,
            "token_type": "DPoP",
            "expires_in": seconds,
            "scope": " ".join(sorted(award.scopes)),
        }
        if award.issued_token_type:
            answer["issued_token_type"] = award.issued_token_type
        return answer

    def _revoke(self, client: Client, text: str) -> None:
        try:
            token = self.tokens.verify(text)
        except AuthenticationError:
            return  # RFC 7009, section 2.2: it is good for nothing already
        if token.client != client.id:
            raise TokenRequestError("invalid_request", "This token is another client's.")
        if token.human is not None:
            self.revocations.revoke(token.human.key, token.key)


async def _form(request: Request) -> dict[str, str]:
    """The request's parameters, each once (RFC 6749, section 3.2).

    Raises:
        TokenRequestError: `invalid_request`.
    """
    if request.scope["query_string"]:
        raise TokenRequestError("invalid_request", "Parameters are never part of the address.")
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise TokenRequestError("invalid_request", f"A request is sent as {FORM}.")
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MAX_FORM_BYTES:
            raise TokenRequestError(
                "invalid_request", f"A form has {MAX_FORM_BYTES} bytes at most."
            )
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MAX_PARAMETERS)
    except ValueError as error:
        raise TokenRequestError("invalid_request", "The form can't be read.") from error
    form = dict(pairs)
    if len(form) != len(pairs):
        raise TokenRequestError("invalid_request", "A parameter comes twice.")
    return form


def _answer(body: Mapping[str, object], status: int = 200, challenge: str = "") -> Response:
    headers = {"Cache-Control": "no-store"} | ({"WWW-Authenticate": challenge} if challenge else {})
    return JSONResponse(dict(body), status_code=status, headers=headers)


def _refusal(error: ZTError) -> Response:
    status, name = _as_oauth(error)
    body = {
        "error": name,
        "error_description": error.message,
        "code": error.code,
        "message": error.message,
        "hint": error.hint,
    }
    return _answer(body, status, "Basic" if name == "invalid_client" else "")


def _as_oauth(error: ZTError) -> tuple[int, str]:
    """HTTP status and OAuth's name of an error."""
    match error:
        case TokenRequestError(error="invalid_client"):
            return 401, error.error
        case TokenRequestError():
            return 400, error.error
        case AuthenticationError() if "proof" in error.code:
            return 400, "invalid_dpop_proof"  # RFC 9449, section 5
        case AuthenticationError() | PermissionDeniedError():
            return 400, "invalid_request"  # RFC 8693, section 2.2.2
        case UnavailableError():
            return 503, "temporarily_unavailable"
        case _:
            return error.status, "server_error"
