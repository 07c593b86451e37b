"""Errors as answers: `{"code", "message", "hint"}` with the error's own HTTP status."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from jupyter_zt.errors import InvalidInputError, ZTError


def problem(error: ZTError) -> JSONResponse:
    """The error as a response."""
    return JSONResponse(
        {"code": error.code, "message": error.message, "hint": error.hint},
        status_code=error.status,
    )


def install_problem_handlers(app: FastAPI) -> None:
    """Answers `ZTError` and malformed requests in one form. Input is never echoed."""

    @app.exception_handler(ZTError)
    async def refuse(_request: Request, error: ZTError) -> JSONResponse:
        return problem(error)

    @app.exception_handler(RequestValidationError)
    async def malformed(_request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        return problem(InvalidInputError(f"{place}: {first['msg']}."))
