"""`:name` in a command becomes `$n`, and the value travels beside the text, never in it.

What is no parameter stays as it is: `'10:30'`, `-- :x`, `":x"`, `$$ :x $$`, `x::int`, `f(a := 1)`,
`list[1:n]`, `JSON_OBJECT('key':value)`. Where they end, PostgreSQL's own lexer (pglast) says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zt_kernel.errors import ZTRefused

if TYPE_CHECKING:
    from zt_kernel.scalars import Scalar

_COMMENTS = frozenset({"SQL_COMMENT", "C_COMMENT"})
_COLON, _OPENING, _CLOSING = "ASCII_58", ("ASCII_40", "ASCII_91"), ("ASCII_41", "ASCII_93")
_BRACKET = "ASCII_91"
_ENDS_A_VALUE = frozenset(
    {"IDENT", "UIDENT", "ICONST", "FCONST", "SCONST", "USCONST", "BCONST", "XCONST", "PARAM"}
    | {"NULL_P", "TRUE_P", "FALSE_P", "END_P", *_CLOSING}
)
_OTHER_WORDS = frozenset({"UIDENT", "USCONST", "SCONST", "BCONST", "XCONST"})
_NAME_LIKE = frozenset({"UNRESERVED_KEYWORD", "COL_NAME_KEYWORD", "TYPE_FUNC_NAME_KEYWORD"})


@dataclass(frozen=True, slots=True)
class Bound:
    """A command with `$1`, `$2`, ... and the values for them."""

    text: str
    values: tuple[Scalar, ...] = ()


def bind(command: str, values: Mapping[str, object], source: str = "variable") -> Bound:
    """Takes the values of a command's `:name`s.

    Args:
        command: As the person wrote it.
        values: Where the names are looked up.
        source: What a name stands for, for the messages.

    Raises:
        ZTRefused: ``undefined_parameter``, ``bad_parameter`` (a type that can't be bound),
            ``ambiguous_parameter``, ``mixed_parameters``.
    """
    found = _placeholders(command)
    text, at = [], 0
    numbers: dict[str, int] = {}
    bound: list[Scalar] = []
    for start, name in found:
        if name not in numbers:
            if name not in values:
                raise _refused(
                    command,
                    start,
                    f"There is no {source} {name!r} for :{name}.",
                    "undefined_parameter",
                    f"Assign {name} in a cell before this one, or correct the name."
                    if source == "variable"
                    else f"Pass it: parameters={{{name!r}: ...}}.",
                )
            bound.append(_bindable(f":{name}", values[name], command, start))
            numbers[name] = len(bound)
        text += [command[at:start], f"${numbers[name]}"]
        at = start + 1 + len(name)
    return Bound("".join([*text, command[at:]]), tuple(bound))


def positional(values: Sequence[object]) -> tuple[Scalar, ...]:
    """The values for `$1`, `$2`, ...

    Raises:
        ZTRefused: ``bad_parameter``.
    """
    return tuple(_bindable(f"${place}", value, "", 0) for place, value in enumerate(values, 1))


def _bindable(label: str, value: object, command: str, start: int) -> Scalar:
    from zt_kernel.scalars import UnbindableError, scalar  # noqa: PLC0415 - loads pandas

    try:
        return scalar(value)
    except UnbindableError as error:
        message = f"{label} is a {type(value).__name__}, which can't be bound."
        raise _refused(command, start, message, "bad_parameter", error.hint) from None


def _placeholders(command: str) -> list[tuple[int, str]]:
    """Where each `:name` begins, and the name."""
    if ":" not in command.replace("::", ""):
        return []
    from pglast.parser import ParseError, scan  # noqa: PLC0415 - 0.2 s that most cells don't need

    try:
        tokens = [token for token in scan(command) if token.name not in _COMMENTS]
    except (ParseError, UnicodeEncodeError):
        return []  # a quote that does not end: the gateway says so, and runs nothing
    found: list[tuple[int, str]] = []
    subscripts: list[bool] = []  # of each open bracket: whether it is one
    parameter_ended_at = -1
    numbered = next((token.start for token in tokens if token.name == "PARAM"), None)
    for before, token, after in zip([None, *tokens], tokens, [*tokens[1:], None], strict=False):
        ended = before is not None and (
            before.name in _ENDS_A_VALUE or before.end == parameter_ended_at
        )
        word_before = before is not None and before.kind in _NAME_LIKE
        if token.name in _OPENING:
            subscripts.append(token.name == _BRACKET and (ended or word_before))
        elif token.name in _CLOSING and subscripts:
            subscripts.pop()
        if token.name != _COLON or ended or after is None or after.start != token.end + 1:
            continue
        name = command[after.start : after.end + 1]
        if not (name[0].isalpha() or name[0] == "_") or after.name in _OTHER_WORDS:
            continue
        _check_name(command, token.start, name)
        first = before is not None and before.name == _BRACKET
        if subscripts and subscripts[-1] and (first or word_before):
            raise _ambiguous(command, token.start, name)
        found.append((token.start, name))
        parameter_ended_at = after.end
    if found and numbered is not None:
        message = "The command has both $n and :name."
        raise _refused(command, numbered, message, "mixed_parameters", "Use one of the two.")
    return found


def _check_name(command: str, start: int, name: str) -> None:
    if not name.isidentifier():
        message = f":{name} can't be a parameter."
        hint = "Its name must be one that Python can have."
        raise _refused(command, start, message, "bad_parameter", hint)


def _ambiguous(command: str, start: int, name: str) -> ZTRefused:
    return _refused(
        command,
        start,
        f"In a subscript, :{name} may be a parameter or the end of a slice.",
        "ambiguous_parameter",
        f"Write (:{name}) for the parameter, and [1:({name})] for a slice.",
    )


def _refused(command: str, start: int, message: str, code: str, hint: str) -> ZTRefused:
    return ZTRefused(message, code=code, hint=hint, position=start + 1, command=command)
