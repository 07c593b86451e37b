"""Who sends a request to the control API: a token of this gateway, and a proof for the request."""

from __future__ import annotations

from typing import NoReturn

from fastapi import Request

from jupyter_zt.errors import AuthenticationError, InvalidInputError, PermissionDeniedError
from jupyter_zt.gateway.token_revocations import TokenRevocations
from jupyter_zt.identity import GatewayToken, GatewayTokens, ProofVerifier
from jupyter_zt.model import Human


class Callers:
    """Authenticates requests (RFC 9449, section 7; RFC 9068, section 4).

    Args:
        tokens: Verifies them.
        proofs: Verifies those.
        revocations: Asked for every request.
    """

    def __init__(
        self, tokens: GatewayTokens, proofs: ProofVerifier, revocations: TokenRevocations
    ) -> None:
        self._tokens = tokens
        self._proofs = proofs
        self._revocations = revocations

    def authenticate(self, request: Request, *scopes: str) -> GatewayToken:
        """The token of a request, good for one of these scopes.

        Raises:
            AuthenticationError: `not_authenticated`, `bearer_refused`, `token_revoked`, or as
                `GatewayTokens.verify` and `ProofVerifier.verify`.
            PermissionDeniedError: `insufficient_scope`.
            InvalidInputError: `token_in_query`.
        """
        # (1) One token, in the one place where no log and no browser's history keeps it.
        if b"access_token" in request.scope["query_string"]:
            raise InvalidInputError(
                "A token is never part of an address.",
                code="token_in_query",
                hint="Send Authorization: DPoP, and consider this token stolen.",
            )
        # (2) A token that is bound to a key is no bearer token (RFC 9449, section 7.1).
        token = self._tokens.verify(_shown(request))

        # (3) Not revoked since: remembered tokens too.
        human = token.human
        if human is not None and self._revocations.covers(human.key, token.key, token.issued_at):
            raise AuthenticationError(
                "This login was ended.", code="token_revoked", hint="Log in again."
            )

        # (4) The one who shows it has its key, and means this request. Never from a cache.
        self._proofs.verify(
            proof_of(request),
            request.method,
            raw_path(request),
            ath=token.ath,
            key=token.key,
        )

        # (5) It is good for this.
        if token.scopes.isdisjoint(scopes):
            raise PermissionDeniedError(
                f"This token is not good for that: it lacks the scope {' or '.join(scopes)}.",
                code="insufficient_scope",
            )
        return token


def human_of(token: GatewayToken) -> Human:
    """In whose name a request is made. Raises `PermissionDeniedError` for a client's own."""
    if token.human is None:
        raise PermissionDeniedError("This is done in a person's name.", code="no_person")
    return token.human


def proof_of(request: Request) -> str:
    """The request's one proof (RFC 9449, section 4.3, rule 1)."""
    proofs = request.headers.getlist("dpop")
    if len(proofs) != 1:
        raise AuthenticationError(
            "A request has one DPoP proof.",
            code="bad_proof",
            hint="Send a DPoP header, made with the key that the token is bound to (RFC 9449).",
        )
    return proofs[0]


def raw_path(request: Request) -> str:
    """The path as it came."""
    path: bytes = request.scope["raw_path"]
    return path.decode("latin-1")


def _shown(request: Request) -> str:
    headers = request.headers.getlist("authorization")
    scheme, _, token = headers[0].partition(" ") if len(headers) == 1 else ("", "", "")
    if scheme.lower() == "bearer":
        _refuse("bearer_refused", "A bearer token is good for nothing here.")
    if scheme.lower() != "dpop" or not token:
        _refuse("not_authenticated", "This needs a login.")
    return token.strip()


def _refuse(code: str, message: str) -> NoReturn:
    hint = "Exchange your ID token at /v1/token, then send Authorization: DPoP and a DPoP proof."
    raise AuthenticationError(message, code=code, hint=hint)
