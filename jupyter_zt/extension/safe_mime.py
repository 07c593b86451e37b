"""A mime bundle of an untrusted kernel, reduced to what a page can show without acting on it.

An allow-list: whatever is not named here is not shown. Raw HTML survives only as `FRAMED_HTML`,
which our own renderer puts in an iframe without scripts and without network.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from typing import Final, TypeGuard

from jupyter_zt.extension.safe_markup import (
    clean_html,
    inert_tex,
    markdown_to_html,
    svg_to_html,
)
from jupyter_zt.extension.terminal_text import without_commands

__all__ = ["FRAMED_HTML", "OWN_JSON_TYPES", "safe_bundle"]

FRAMED_HTML: Final = "application/vnd.zt.html"
OWN_JSON_TYPES: Final = frozenset(
    {
        "application/vnd.zt.result+json",
        "application/vnd.zt.held+json",
        "application/vnd.zt.react+json",
    }
)
_IMAGES: Final = frozenset({"image/png", "image/jpeg", "image/gif"})
_JSON: Final = "application/json"
# Valid, but more than a server reads or a page lays out while people wait. Deeper JSON would stop
# the notebook from being saved: what reads it there is recursive.
_MAX_DEPTH: Final = 50
_MAX_ITEMS: Final = 50_000
_MAX_TAGS: Final = 200_000
_MAX_SOURCE_CHARACTERS: Final = 64 * 1024
_SOURCES: Final = frozenset({"text/markdown", "text/latex"})
_MIME_NAME: Final = re.compile(r"[A-Za-z0-9.+/-]{1,80}\Z")


def safe_bundle(data: Mapping[str, object], max_bytes: int) -> dict[str, object]:
    """The bundle that may be shown.

    Args:
        data: Mime type -> value, as the kernel sent it.
        max_bytes: Entries over this size are left out, with a note. So are those that take too long
            to read or to lay out.

    Returns:
        Safe entries. Where nothing safe is left, a ``text/plain`` line that says what was not
        shown.

    Raises:
        TypeError: An entry is not of its type's form.
    """
    safe: dict[str, object] = {}
    left_out: list[str] = []
    too_large = False
    for mime, sent in data.items():
        value = sent if mime == _JSON or not _is_lines(sent) else _text(sent)
        if _size(value) > max_bytes or _is_unwieldy(mime, value):
            too_large = True
            left_out.append(mime)
            continue
        entries = _safe_entries(mime, value)
        if not entries:
            left_out.append(mime)
        for name, entry in entries.items():
            # The author's own HTML wins over HTML made from a drawing or from Markdown.
            if mime == "text/html" or name not in safe:
                safe[name] = entry
    if not safe:
        safe["text/plain"] = _note(left_out, too_large=too_large)
    return safe


def _safe_entries(mime: str, value: object) -> dict[str, object]:
    """What one entry becomes; empty for a type that is not shown."""
    if mime == "text/plain":
        return {mime: without_commands(_text(value))}
    if mime == "text/latex":
        return {mime: inert_tex(_text(value))}
    if mime == "text/html":
        html = _text(value)
        return {FRAMED_HTML: html, mime: clean_html(html)}
    if mime == "text/markdown":
        return {"text/html": markdown_to_html(_text(value))}
    if mime == "image/svg+xml":
        image = svg_to_html(_text(value))
        return {FRAMED_HTML: image, "text/html": image}
    if mime in _IMAGES:
        image = _base64_text(value)
        return {mime: image} if image else {}
    if mime == _JSON:
        return {mime: value}
    if mime in OWN_JSON_TYPES and isinstance(value, dict):
        return {mime: value}
    return {}


def _text(value: object) -> str:
    """A multi-line string, which nbformat also allows as a list of lines."""
    if isinstance(value, str):
        return value
    if _is_lines(value):
        return "".join(value)
    msg = f"expected text, got {type(value).__name__}"
    raise TypeError(msg)


def _is_lines(value: object) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(line, str) for line in value)


def _base64_text(value: object) -> str:
    """Canonical base64, or an empty string where it is none."""
    try:
        decoded = base64.b64decode("".join(_text(value).split()), validate=True)
    except binascii.Error:
        return ""
    return base64.b64encode(decoded).decode("ascii")


def _size(value: object) -> int:
    """Size in characters, close enough to bytes for a cap."""
    return len(value) if isinstance(value, str) else len(json.dumps(value))


def _is_unwieldy(mime: str, value: object) -> bool:
    """Whether it is small enough to send, and yet too much to read or to lay out."""
    if isinstance(value, str):
        if mime in _SOURCES:
            return len(value) > _MAX_SOURCE_CHARACTERS
        return mime != "text/plain" and value.count("<") > _MAX_TAGS
    level = [value]
    items = 0
    for _ in range(_MAX_DEPTH + 1):
        level = [
            inner
            for outer in level
            if isinstance(outer, list | dict)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        items += len(level)
        if not level or items > _MAX_ITEMS:
            return items > _MAX_ITEMS
    return True


def _note(left_out: list[str], *, too_large: bool) -> str:
    names = ", ".join(mime for mime in left_out if _MIME_NAME.match(mime)) or "no known type"
    if too_large:
        return f"[Output not shown: too large ({names})]"
    return f"[Output not shown: Jupyter ZT does not run active content ({names})]"
