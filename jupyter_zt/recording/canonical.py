"""A record's exact bytes: canonical JSON (RFC 8785) without numbers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import rfc8785

from jupyter_zt.errors import InvalidInputError, LimitError
from jupyter_zt.recording.verify.strict_json import canonical_text

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
    ascii_keys = _checked(dict(fields), -1)
    try:
        # The same bytes; the second knows how any keys are sorted, and takes ten times as long.
        fast = canonical_text(fields).encode() if ascii_keys else None
        data = fast or rfc8785.dumps(dict(fields))  # type: ignore[arg-type]  # checked just above
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


def _checked(value: object, depth: int) -> bool:
    """Whether every key is ASCII; refuses what is no text, list or object."""
    if depth > _MAX_DEPTH:
        raise _bad_record("it is nested too deeply")
    if value is None or isinstance(value, str | bool):
        return True
    if isinstance(value, dict):
        ascii_keys = True
        for key, item in value.items():
            if not isinstance(key, str):
                raise _bad_record("a key is not text")
            ascii_keys &= _checked(item, depth + 1) and key.isascii()
        return ascii_keys
    if isinstance(value, list | tuple):
        checked = [_checked(item, depth + 1) for item in value]  # each one, whatever the first says
        return all(checked)
    raise _bad_record(f"it holds a {type(value).__name__}; write it as text")


def _bad_record(why: str) -> InvalidInputError:
    return InvalidInputError(f"This can't be recorded: {why}.", code="bad_record")
