"""Annotations that carry obligations, from their text to what they ask for."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping

from jupyter_zt.errors import ConfigError
from jupyter_zt.model import MaskKind, Obligations

__all__ = ["OBLIGATIONS", "read_obligations"]

OBLIGATIONS = frozenset({"hold", "quorum", "max_rows", "mask", "step_up"})
"""Annotations that a permit may have besides those of every rule."""

_QUORUM = re.compile(r"[1-9][0-9]?")
_ROWS = re.compile(r"[1-9][0-9]{0,8}")
_SECONDS = re.compile(r"[1-9][0-9]{0,5}")
_MASK = re.compile(r"([a-z][a-z0-9_]{0,31})(?:=([a-z]+))?")

ErrorOf = Callable[..., ConfigError]


def read_obligations(
    notes: Mapping[str, str], roles: Collection[str], error: ErrorOf
) -> Obligations:
    """What the annotations of a permit ask for.

    Args:
        notes: Annotation -> its text.
        roles: Roles that ``@hold`` may name.
        error: Makes an error that points at the rule: ``error(message, hint=...)``.

    Raises:
        ConfigError: A value is malformed, or an annotation needs another one.
    """
    if "quorum" in notes and "hold" not in notes:
        raise error("@quorum without @hold.", hint='Add @hold("reviewer").')
    role = notes.get("hold", "")
    if "hold" in notes and role not in roles:
        raise error(f"@hold names no role: {role!r}.", hint=f"Roles: {', '.join(sorted(roles))}.")
    quorum = notes.get("quorum", "1" if role else "")
    return Obligations(
        reviewer_role=role,
        quorum=_number("quorum", quorum, _QUORUM, "1 to 99 people", error),
        max_rows=_number("max_rows", notes.get("max_rows"), _ROWS, "1 to 999999999 rows", error),
        masks=_masks(notes["mask"], error) if "mask" in notes else (),
        step_up_seconds=_number(
            "step_up", notes.get("step_up"), _SECONDS, "1 to 999999 seconds", error
        ),
    )


def _number(
    name: str, text: str | None, form: re.Pattern[str], expected: str, error: ErrorOf
) -> int:
    if not text and name not in {"max_rows", "step_up"}:
        return 0
    if text is None:
        return 0
    if not form.fullmatch(text):
        raise error(f"@{name}({text!r}) is not a number.", hint=f"Write {expected}.")
    return int(text)


def _masks(text: str, error: ErrorOf) -> tuple[tuple[str, MaskKind], ...]:
    """``email=redact, phone``: the least mask of each tag; `hide` where none is named."""
    masks: dict[str, MaskKind] = {}
    for part in text.split(","):
        found = _MASK.fullmatch(part.strip())
        kind = (found[2] or MaskKind.HIDE.value) if found else ""
        if found is None or kind not in _MASKS or found[1] in masks:
            raise error(
                f"@mask({text!r}) is not a list of tags and masks.",
                hint=f'Write @mask("email=redact, phone"); masks: {", ".join(_MASKS)}.',
            )
        masks[found[1]] = MaskKind(kind)
    return tuple(sorted(masks.items()))


_MASKS = tuple(kind.value for kind in MaskKind if kind is not MaskKind.CLEAR)
