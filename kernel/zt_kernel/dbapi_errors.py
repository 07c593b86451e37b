"""PEP 249's errors, with what the gateway says.

::

Warning:
    Error                 code, hint, who, record
    |-- InterfaceError    used wrongly: closed
    `-- DatabaseError
        |-- DataError           a value does not fit
        |-- OperationalError    refused by policy or a person, a limit, out of reach
        |-- IntegrityError      a rule of the table
        |-- InternalError       the gateway's answer can't be understood
        |-- ProgrammingError    the statement is not right
        `-- NotSupportedError   there are no transactions
"""

from __future__ import annotations

from zt_kernel.errors import ZTError, ZTRefused


class Warning(Exception):  # noqa: A001, N818 - PEP 249's name
    """Something to know; nothing failed."""


class Error(Exception):
    """Something failed.

    Attributes:
        code: Stable and machine-readable.
        hint: What to do next, or "".
        who: Who can help, or "".
        record: Place in the log of what was decided or done, or "".
    """

    def __init__(
        self, message: str, *, code: str, hint: str = "", who: str = "", record: str = ""
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.hint = hint
        self.who = who
        self.record = record

    def __str__(self) -> str:
        hint = f" {self.hint}" if self.hint else ""
        record = f" · record {self.record}" if self.record else ""
        return f"{self.message}{hint} [{self.code}{record}]"


class InterfaceError(Error):
    """Used wrongly."""


class DatabaseError(Error):
    """The gateway or the target."""


class DataError(DatabaseError):
    """A value does not fit."""


class OperationalError(DatabaseError):
    """Refused, over a limit, or out of reach."""


class IntegrityError(DatabaseError):
    """A rule of the table."""


class InternalError(DatabaseError):
    """An answer that can't be understood."""


class ProgrammingError(DatabaseError):
    """The statement is not right."""


class NotSupportedError(DatabaseError):
    """Not here."""


_KINDS: dict[type[DatabaseError], frozenset[str]] = {
    DataError: frozenset({"bad_value", "out_of_range", "division_by_zero", "bad_parameter"}),
    IntegrityError: frozenset(
        {"not_null", "foreign_key", "duplicate", "check_violation", "constraint"}
    ),
    InternalError: frozenset({"bad_answer"}),
    ProgrammingError: frozenset(
        {"undefined_table", "undefined_column", "undefined_parameter", "undefined_function"}
        | {
            "undefined_schema",
            "syntax_error",
            "ambiguous_column",
            "grouping_error",
            "bad_statement",
        }
        | {"type_mismatch", "ambiguous_function", "unknown_type", "cannot_cast", "empty_command"}
        | {"multiple_statements", "unsupported_statement", "bad_command", "mixed_parameters"}
        | {"ambiguous_parameter", "unknown_connection", "unparsable"}
    ),
    NotSupportedError: frozenset({"unsupported", "transaction_control"}),
}


def translated(error: ZTError) -> DatabaseError:
    """The error as PEP 249 sorts them."""
    fallback = OperationalError if isinstance(error, ZTRefused) else DatabaseError
    if error.code in {"gateway_unreachable", "target_lost", "outcome_unknown", "cancelled"}:
        fallback = OperationalError
    kind = next((kind for kind, codes in _KINDS.items() if error.code in codes), fallback)
    return kind(error.message, code=error.code, hint=error.hint, who=error.who, record=error.record)
