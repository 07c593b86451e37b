"""A record's exact bytes: canonical JSON (RFC 8785) without numbers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import rfc8785

from jupyter_zt.errors import InvalidInputError, LimitError

__all__ = ["MAX_BODY_BYTES", "MAX_RECORD_BYTES", "RESERVED", "body_hash", "canonical_record"]

MAX_RECORD_BYTES = 1024 * 1024
MAX_BODY_BYTES = 16 * 1024 * 1024
_MAX_DEPTH = 32

RESERVED = frozenset(
    {"v", "origin", "session", "leaf", "seq", "prev", "kind", "at", "attested_by", "bodies"}
)
"""Fields that the log itself sets."""


def canonical_record(fields: Mapping[str, object]) -> bytes:
    """The bytes that are stored and hashed.

    Raises:
        InvalidInputError: It holds a number (they travel as strings, because JSON rewriters
            change them), text that is no Unicode, or anything that is not JSON.
        LimitError: It is over `MAX_RECORD_BYTES`.
    """
    for value in fields.values():
        _refuse_numbers(value, 0)
    try:
        data = rfc8785.dumps(dict(fields))  # type: ignore[arg-type]  # checked just above
    except (rfc8785.CanonicalizationError, UnicodeError) as error:
        raise _bad_record(str(error)) from error
    if len(data) > MAX_RECORD_BYTES:
        raise LimitError(
            f"A record of {len(data)} bytes is over the limit of {MAX_RECORD_BYTES}.",
            code="record_too_large",
            hint="Large values belong into a body.",
        )
    return data


def body_hash(salt: bytes, body: bytes) -> bytes:
    """``SHA-256(0x02 || salt || body)``: says nothing about a short body, and survives erasure."""
    return hashlib.sha256(b"\x02" + salt + body).digest()


def _refuse_numbers(value: object, depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise _bad_record("it is nested too deeply")
    if value is None or isinstance(value, str | bool):
        return
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise _bad_record("a key is not text")
            _refuse_numbers(item, depth + 1)
    elif isinstance(value, list | tuple):
        for item in value:
            _refuse_numbers(item, depth + 1)
    else:
        raise _bad_record(f"it holds a {type(value).__name__}; write it as text")


def _bad_record(why: str) -> InvalidInputError:
    return InvalidInputError(f"This can't be recorded: {why}.", code="bad_record")
