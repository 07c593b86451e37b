"""JSON that can't mean two things, and its canonical form (RFC 8785). No IO.

Python's parser takes the last of two equal keys where another viewer may take the first, and reads
integers that JavaScript can't hold. Both would let one file say different things to two readers.
"""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal
from typing import Any

from jupyter_zt.errors import EvidenceError

__all__ = ["canonical_json", "canonical_text", "parse_json", "well_formed"]

_MAX_DEPTH = 100
_MAX_NUMBER_CHARACTERS = 1200  # the longest double written out in full has 1,077
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def parse_json(text: str | bytes) -> Any:
    """Parse JSON as JavaScript would see it: numbers are doubles, keys are unique.

    Raises:
        EvidenceError: With code ``not_json``.
    """
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_int=_number, parse_float=_number)
    except (ValueError, RecursionError) as error:
        # UnicodeDecodeError and JSONDecodeError are ValueErrors.
        raise EvidenceError(f"It can't be read as JSON: {error}", code="not_json") from error


def canonical_json(value: Any) -> str:
    """Canonical JSON of parsed JSON. What JavaScript can't write (NaN, infinity) becomes null.

    Raises:
        EvidenceError: It is nested more than 100 deep, or is no JSON.
    """
    parts: list[str] = []
    _write(value, parts, 0)
    return "".join(parts)


def canonical_text(value: Any) -> str:
    """Canonical JSON of text in lists and objects with ASCII keys: Python's compact form, fast."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def well_formed(text: str) -> str:
    """The text with lone surrogates replaced, as JavaScript's ``toWellFormed`` does."""
    return _LONE_SURROGATE.sub("\ufffd", text)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key occurs twice in one object")
    return found


def _number(text: str) -> float:
    if len(text) > _MAX_NUMBER_CHARACTERS:
        raise ValueError("a number is too long")
    return float(text)


def _write(value: Any, parts: list[str], depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise EvidenceError("It is nested too deeply.", code="not_json")
    if value is None or isinstance(value, bool):
        parts.append({None: "null", True: "true", False: "false"}[value])
    elif isinstance(value, str):
        parts.append(json.dumps(value, ensure_ascii=False))
    elif isinstance(value, int | float):
        parts.append(_ecmascript_number(value))
    elif isinstance(value, list):
        for at, item in enumerate(value):
            parts.append("," if at else "[")
            _write(item, parts, depth + 1)
        parts.append("]" if value else "[]")
    elif isinstance(value, dict) and all(isinstance(key, str) for key in value):
        # RFC 8785 3.2.3: keys are sorted by their UTF-16 code units.
        keys = sorted(value, key=lambda key: key.encode("utf-16-be", "surrogatepass"))
        for at, key in enumerate(keys):
            parts.append(("," if at else "{") + json.dumps(key, ensure_ascii=False) + ":")
            _write(value[key], parts, depth + 1)
        parts.append("}" if value else "{}")
    else:
        raise EvidenceError(f"A {type(value).__name__} is no JSON.", code="not_json")


def _ecmascript_number(value: float) -> str:
    """``Number.prototype.toString`` of ECMAScript, as RFC 8785 3.2.2.3 asks."""
    try:
        number = float(value)
    except OverflowError:
        return "null"
    if not math.isfinite(number):
        return "null"
    if number == 0:
        return "0"
    sign, digit_tuple, exponent = Decimal(repr(number)).as_tuple()
    digits = "".join(map(str, digit_tuple)).rstrip("0")
    point = len(digit_tuple) + int(exponent)  # where the decimal point stands in the digits
    minus = "-" if sign else ""
    if len(digits) <= point <= 21:
        return minus + digits.ljust(point, "0")
    if 0 < point <= 21:
        return f"{minus}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{minus}0.{'0' * -point}{digits}"
    fraction = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{minus}{digits[0]}{fraction}e{point - 1:+d}"
