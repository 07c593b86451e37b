"""The one error tree of Jupyter ZT.

::

    ZTError                     code, HTTP status, message, hint
    |-- ConfigError             the configuration can't be used: file, line, what to write instead
    |-- AuthenticationError     who is asking can't be established
    |-- TokenRequestError       the token endpoint gives no token
    |-- PermissionDeniedError   who is asking may not do this
    |-- NotFoundError           no such session, approval, connection
    |-- ConflictError           the state has moved on: already decided, already executed
    |-- InvalidInputError       the request can't be understood
    |-- LimitError              too large, too many, too long
    |-- TargetError             the target refused, failed or can't be reached
    |-- UnavailableError        a part that the path needs is not there: fail closed
    |   `-- LogUnavailableError the evidence log is not durable: nothing may go upstream
    `-- EvidenceError           a recording, proof or note is not what it claims to be

A denial by policy is a value (`jupyter_zt.model.Decision`), no exception, inside the policy core.
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "AuthenticationError",
    "ConfigError",
    "ConflictError",
    "EvidenceError",
    "InvalidInputError",
    "LimitError",
    "LogUnavailableError",
    "NotFoundError",
    "PermissionDeniedError",
    "TargetError",
    "TokenRequestError",
    "UnavailableError",
    "ZTError",
    "error_from_problem",
]


class ZTError(Exception):
    """Base of every error that a person may see.

    Attributes:
        code: Stable, machine-readable, lower snake case (``unknown_connection``).
        status: HTTP status to answer with.
        message: One sentence for a human. Never holds a secret or a value of a classified column.
        hint: What to do next, or an empty string.
    """

    default_code: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500

    def __init__(self, message: str, *, code: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.code = code or self.default_code
        self.message = message
        self.hint = hint

    def diagnostics(self) -> str:
        """The error as a human reads it on a terminal: message, hint, code."""
        hint = f"\n  {self.hint}" if self.hint else ""
        return f"{self.message} [{self.code}]{hint}"


class ConfigError(ZTError):
    """The configuration can't be used.

    Attributes:
        file: Path of the file at fault, as the admin named it.
        line: 1-based line, or 0 where no single line is at fault.
    """

    default_code = "bad_configuration"

    def __init__(
        self, message: str, *, file: str = "", line: int = 0, code: str = "", hint: str = ""
    ) -> None:
        super().__init__(message, code=code, hint=hint)
        self.file = file
        self.line = line

    def diagnostics(self) -> str:
        """``file:line: message [code]`` and the hint below it."""
        place = f"{self.file}:{self.line}: " if self.line else f"{self.file}: " if self.file else ""
        return place + super().diagnostics()


class AuthenticationError(ZTError):
    """Who is asking can't be established."""

    default_code = "not_authenticated"
    status = 401


class TokenRequestError(ZTError):
    """The token endpoint gives no token.

    Attributes:
        error: As OAuth names the reason (RFC 6749, section 5.2): ``invalid_client``, ...
    """

    default_code = "token_refused"
    status = 400

    def __init__(self, error: str, message: str, *, code: str = "", hint: str = "") -> None:
        super().__init__(message, code=code or error, hint=hint)
        self.error = error


class PermissionDeniedError(ZTError):
    """Who is asking is known, and may not do this."""

    default_code = "not_permitted"
    status = 403


class NotFoundError(ZTError):
    """There is no such thing, or the asker may not know of it."""

    default_code = "not_found"
    status = 404


class ConflictError(ZTError):
    """The state has moved on since the asker looked."""

    default_code = "conflict"
    status = 409


class InvalidInputError(ZTError):
    """The request can't be understood."""

    default_code = "invalid_input"
    status = 422


class LimitError(ZTError):
    """Over a configured limit."""

    default_code = "over_limit"
    status = 413


class TargetError(ZTError):
    """The target refused, failed or can't be reached.

    Attributes:
        sqlstate: The target's five-character SQLSTATE where it has one, else empty.
        position: 1-based character of the command that the target points at, or 0.
        outcome_unknown: The target was lost after it was told to commit: the change may be there.
    """

    default_code = "target_failed"
    status = 502

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        hint: str = "",
        sqlstate: str = "",
        position: int = 0,
        outcome_unknown: bool = False,
    ) -> None:
        super().__init__(message, code=code, hint=hint)
        self.sqlstate = sqlstate
        self.position = position
        self.outcome_unknown = outcome_unknown


class UnavailableError(ZTError):
    """A part that the path needs is not there, so the path is closed."""

    default_code = "unavailable"
    status = 503


class LogUnavailableError(UnavailableError):
    """The evidence log can't take records durably, so nothing may go upstream."""

    default_code = "log_unavailable"


class EvidenceError(ZTError):
    """A recording, proof, note or checkpoint is not what it claims to be."""

    default_code = "bad_evidence"
    status = 422


_BY_STATUS: dict[int, type[ZTError]] = {
    400: InvalidInputError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    413: LimitError,
    422: InvalidInputError,
    502: TargetError,
    503: UnavailableError,
}


def error_from_problem(status: int, problem: object) -> ZTError:
    """The error that the gateway has answered with, on the other side of the wire.

    Args:
        status: HTTP status of the answer.
        problem: Its body as parsed JSON: `{"code", "message", "hint"}` when it is the gateway's.
    """
    error = _BY_STATUS.get(status, ZTError)
    try:
        code, message, hint = (str(problem[name]) for name in ("code", "message", "hint"))  # type: ignore[index]
    except (KeyError, TypeError):
        return error(f"The gateway answered {status}.")
    return error(message, code=code, hint=hint)
