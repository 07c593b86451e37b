"""Errors as answers: `{"code", "message", "hint"}` with the error's own HTTP status."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from jupyter_zt.errors import AuthenticationError, InvalidInputError, LimitError, ZTError
from jupyter_zt.identity.proofs import ALGORITHMS

_TOKEN_CODES = frozenset({"bad_token", "token_expired", "token_revoked"})


class BodyTooLargeError(HTTPException):
    """Raised while a body is read; FastAPI lets only this kind of exception through."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(413)
        self.error = LimitError(
            f"A request has at most {max_bytes} bytes.", code="request_too_large"
        )


def problem(error: ZTError) -> JSONResponse:
    """The error as a response."""
    return JSONResponse(
        {"code": error.code, "message": error.message, "hint": error.hint},
        status_code=error.status,
        headers=_challenge(error) if isinstance(error, AuthenticationError) else None,
    )


def _challenge(error: AuthenticationError) -> dict[str, str]:
    """How to do better (RFC 9449, section 7.1)."""
    reason = ""
    if error.code in _TOKEN_CODES:
        reason = ' error="invalid_token",'
    elif "proof" in error.code:
        reason = ' error="invalid_dpop_proof",'
    return {"WWW-Authenticate": f'DPoP{reason} algs="{" ".join(ALGORITHMS)}"'}


def install_problem_handlers(app: FastAPI) -> None:
    """Answers `ZTError` and malformed requests in one form. Input is never echoed."""

    @app.exception_handler(ZTError)
    async def refuse(_request: Request, error: ZTError) -> JSONResponse:
        return problem(error)

    @app.exception_handler(BodyTooLargeError)
    async def too_large(_request: Request, error: BodyTooLargeError) -> JSONResponse:
        return problem(error.error)

    @app.exception_handler(RequestValidationError)
    async def malformed(_request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        return problem(InvalidInputError(f"{place}: {first['msg']}."))
