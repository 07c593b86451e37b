"""Errors of PostgreSQL, without the target's words.

A message of the target can hold a value (``invalid input syntax for type integer: "..."``), so none
is passed on. What a person gets is the SQLSTATE, our own sentence, and the name that stands in
their own command where the target points (L3 of the masking design).

Source: PostgreSQL 15, appendix A (error codes).
"""

from __future__ import annotations

from dataclasses import dataclass

from jupyter_zt.connectors.postgres_statement import Statement, word_at
from jupyter_zt.errors import TargetError

_POSITION = "PG_DIAG_STATEMENT_POSITION"
_LOST = frozenset({"57P01", "57P02", "57P03", "57P05", "25P03"})


@dataclass(frozen=True, slots=True)
class _Template:
    code: str
    message: str
    hint: str = ""


_CAST = "Check the types; a parameter may need a cast, such as $1::date."
_STATES = {
    "42P01": _Template(
        "undefined_table",
        "There is no relation {name}.",
        "Only classified relations are visible; write them without a schema.",
    ),
    "42703": _Template("undefined_column", "There is no column {name}."),
    "42P02": _Template(
        "undefined_parameter", "There is no parameter {name}.", "Pass a value for each $1, $2, ..."
    ),
    "42883": _Template("undefined_function", "There is no function or operator {name}.", _CAST),
    "42601": _Template("syntax_error", "Syntax error at {name}."),
    "42501": _Template(
        "insufficient_privilege",
        "The lease does not allow this.",
        "Only masked views can be read: write customers, not public.customers.",
    ),
    "3F000": _Template(
        "undefined_schema", "There is no schema {name}.", "Write relations without a schema."
    ),
    "42702": _Template(
        "ambiguous_column", "The column {name} is ambiguous.", "Say of which relation."
    ),
    "42803": _Template("grouping_error", "{name} must be grouped or aggregated."),
    "42804": _Template("type_mismatch", "The types don't fit at {name}.", _CAST),
    "42725": _Template("ambiguous_function", "The function {name} is ambiguous.", _CAST),
    "42P18": _Template("unknown_type", "The type of {name} can't be told.", _CAST),
    "42846": _Template("cannot_cast", "There is no cast for {name}.", _CAST),
    "08P01": _Template(
        "bad_parameter",
        "The number of parameters does not fit.",
        "Pass one value for each of $1, $2, ...",
    ),
    "57014": _Template("cancelled", "The statement was cancelled."),
    "55P03": _Template("lock_timeout", "Another transaction holds what this needs.", "Try again."),
    "40001": _Template(
        "serialization_failure", "Another transaction was in the way.", "Try again."
    ),
    "40P01": _Template("deadlock", "Another transaction was in the way.", "Try again."),
    "25006": _Template(
        "read_only", "A read can't change anything.", "Write it as INSERT, UPDATE or DELETE."
    ),
    "22012": _Template("division_by_zero", "Division by zero.", "nullif(x, 0) avoids it."),
    "22P02": _Template("bad_value", "A text is not a value of its type.", _CAST),
    "22003": _Template("out_of_range", "A number is out of range."),
    "23502": _Template("not_null", "A column that needs a value got none."),
    "23503": _Template("foreign_key", "It refers to a row that is not there, or is referred to."),
    "23505": _Template("duplicate", "There is such a row already."),
    "23514": _Template("check_violation", "A value breaks a rule of the table."),
    "53100": _Template("disk_full", "The target's disk is full.", "Ask an administrator."),
    "53200": _Template("out_of_memory", "The target is out of memory.", "Ask for less at once."),
    "53300": _Template("too_many_connections", "The target has no connection free.", "Try again."),
    "53400": _Template("target_limit", "A limit of the target was reached.", "Ask for less."),
    "54001": _Template("too_complex", "The statement is too complex.", "Split it."),
}
_STATES_OF_WRITES = {
    "42501": _Template(
        "insufficient_privilege",
        "The lease does not allow this.",
        "A write's lease allows what the command says and no more: no RETURNING *, no other table.",
    ),
    "42P01": _Template("undefined_table", "There is no relation {name}."),
}
_CLASSES = {
    "0A": _Template("unsupported", "The target does not support this."),
    "21": _Template("cardinality", "A sub-select gave more than one row."),
    "22": _Template("bad_value", "A value can't be worked with.", _CAST),
    "23": _Template("constraint", "It breaks a rule of the table."),
    "25": _Template("bad_transaction_state", "The transaction does not allow this."),
    "40": _Template("rolled_back", "The target rolled it back.", "Try again."),
    "42": _Template("bad_statement", "The statement is not right at {name}."),
    "53": _Template("out_of_resources", "The target is out of resources.", "Ask for less at once."),
    "54": _Template("target_limit", "A limit of the target was reached.", "Ask for less."),
}
_OTHER = _Template(
    "target_failed", "The target failed.", "Ask an administrator to look at its log."
)

_UNREADABLE = _Template(
    "unreadable_type",
    "The result holds a type that can't be read.",
    "Cast rows, and other unusual types, to text: (x)::text.",
)


def sqlstate_of(error: BaseException) -> str:
    """Five characters, or "" where the error has none."""
    state = getattr(error, "sqlstate", None)
    return state if isinstance(state, str) and len(state) == 5 else ""


def is_lost(error: BaseException) -> bool:
    """Whether the SQLSTATE says that the session at the target is over."""
    state = sqlstate_of(error)
    # 08P01 comes from a bind with the wrong number of parameters, and the session goes on.
    return state in _LOST or (state.startswith("08") and state != "08P01")


def scrubbed(error: BaseException, statement: Statement, *, write: bool) -> TargetError:
    """The error, in our words.

    Args:
        error: Whatever the driver raised.
        statement: What was sent.
        write: Whether it ran on a write lease.
    """
    state = sqlstate_of(error)
    states = {**_STATES, **_STATES_OF_WRITES} if write else _STATES
    template = states.get(state) or _CLASSES.get(state[:2]) or (_OTHER if state else _UNREADABLE)
    # Positions are of the command's own names only where its meaning was looked for (class 42).
    position = _position(error, statement) if state.startswith("42") else 0
    name = word_at(statement.command, position) or (
        f"character {position}" if position else "one place"
    )
    message = template.message.format(name=name)
    return TargetError(
        f"{message} (SQLSTATE {state})" if state else message,
        code=template.code,
        hint=template.hint,
        sqlstate=state,
        position=position,
    )


def lost(*, write: bool, committing: bool) -> TargetError:
    """The connection broke while a statement ran."""
    if committing:
        return TargetError(
            "The target was lost while it committed: whether the change is there is unknown.",
            code="target_lost",
            hint="Look at the rows before you try again.",
            outcome_unknown=True,
        )
    return TargetError(
        "The target was lost before the change was committed: nothing was changed."
        if write
        else "The target was lost while the statement ran.",
        code="target_lost",
        hint="Run it again once the target is back.",
    )


def unreachable(error: BaseException, connection: str) -> TargetError:
    """No connection could be made for the lease."""
    text = str(error)
    if "FATAL" not in text or "terminating" in text or "starting up" in text:
        return TargetError(
            f"{connection} can't be reached.",
            code="target_unreachable",
            hint="Ask an administrator whether the database is up. Nothing was executed.",
        )
    if "too many connections" in text:
        return TargetError(
            f"{connection} has no connection free.", code="too_many_connections", hint="Try again."
        )
    return TargetError(
        f"{connection} no longer accepts the lease.",
        code="lease_refused",
        hint="Run it again for a new lease. Nothing was executed.",
    )


def _position(error: BaseException, statement: Statement) -> int:
    details = {
        name.decode("ascii", "replace") if isinstance(name, bytes) else str(name): value
        for name, value in getattr(error, "details", None) or ()
    }
    value = details.get(_POSITION, b"")
    if not value.isdigit():
        return 0
    position = int(value) - len(statement.prefix)
    return position if 0 < position <= len(statement.command) else 0
