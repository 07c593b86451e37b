"""Batches: JSON lines in on stdin, one JSON line out for each, at once."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from jupyter_zt.errors import InvalidInputError

MAX_LINE_BYTES = 16 * 1024 * 1024
BAD_INPUT = "bad_input"
Scalar = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Request:
    """One line of a batch."""

    command: str
    parameters: tuple[Scalar, ...] = ()


def read_requests(lines: BinaryIO) -> Iterator[Request | InvalidInputError]:
    """Each line as a request, or as the reason why it is none (code `bad_input`).

    Args:
        lines: Where they come from, until its end.
    """
    while line := lines.readline(MAX_LINE_BYTES + 1):
        if len(line) > MAX_LINE_BYTES:
            while line and not line.endswith(b"\n"):
                line = lines.readline(MAX_LINE_BYTES)
            yield _bad(f"it is longer than {MAX_LINE_BYTES} bytes")
            continue
        try:
            yield _request(line)
        except InvalidInputError as error:
            yield error


def write_line(answer: Mapping[str, object]) -> None:
    """One JSON line on stdout, flushed. ASCII alone, so that any terminal and any text holds it."""
    sys.stdout.write(json.dumps(answer, separators=(",", ":"), allow_nan=False) + "\n")
    sys.stdout.flush()


@contextmanager
def until_nobody_reads() -> Iterator[None]:
    """Ends the work quietly when the reader of stdout has gone away."""
    try:
        yield
    except BrokenPipeError:
        # Python would complain once more when it flushes stdout at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _request(line: bytes) -> Request:
    try:
        document = json.loads(
            line.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_number
        )
    except (ValueError, RecursionError) as error:
        raise _bad("it is not JSON") from error
    if not isinstance(document, dict):
        raise _bad("it is no JSON object")
    command = document.get("command")
    if not isinstance(command, str):
        raise _bad('it has no "command" that is a text')
    parameters = document.get("parameters")
    if parameters is None:
        parameters = []
    if not isinstance(parameters, list) or not all(_is_scalar(item) for item in parameters):
        raise _bad('its "parameters" are no list of texts, numbers, booleans and nulls')
    return Request(command, tuple(parameters))


def _is_scalar(value: object) -> bool:
    return value is None or isinstance(value, str | int | float | bool)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name stands twice")
    return members


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _bad(why: str) -> InvalidInputError:
    return InvalidInputError(
        f"This line can't be used: {why}.",
        code=BAD_INPUT,
        hint='Each line is {"command": "...", "parameters": [...]}.',
    )
