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
from typing import Final

from jupyter_zt.extension.safe_markup import (
    clean_html,
    inert_tex,
    markdown_to_html,
    svg_to_html,
)

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
# Deeper JSON is valid, but stops a notebook from being saved: what reads it there is recursive.
_MAX_DEPTH: Final = 50
_MIME_NAME: Final = re.compile(r"[A-Za-z0-9.+/-]{1,80}\Z")


def safe_bundle(data: Mapping[str, object], max_bytes: int) -> dict[str, object]:
    """The bundle that may be shown.

    Args:
        data: Mime type -> value, as the kernel sent it.
        max_bytes: Entries over this size are left out, with a note. So is JSON nested too deeply.

    Returns:
        Safe entries. Where nothing safe is left, a ``text/plain`` line that says what was not
        shown.

    Raises:
        TypeError: An entry is not of its type's form.
    """
    safe: dict[str, object] = {}
    left_out: list[str] = []
    too_large = False
    for mime, value in data.items():
        if _size(value) > max_bytes or _is_deep(value):
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
        return {mime: _text(value)}
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
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return "".join(value)
    msg = f"expected text, got {type(value).__name__}"
    raise TypeError(msg)


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


def _is_deep(value: object) -> bool:
    """Whether lists and objects stand in each other more than `_MAX_DEPTH` times."""
    level = [value]
    for _ in range(_MAX_DEPTH + 1):
        level = [
            inner
            for outer in level
            if isinstance(outer, list | dict)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return False
    return True


def _note(left_out: list[str], *, too_large: bool) -> str:
    names = ", ".join(mime for mime in left_out if _MIME_NAME.match(mime)) or "no known type"
    if too_large:
        return f"[Output not shown: too large ({names})]"
    return f"[Output not shown: Jupyter ZT does not run active content ({names})]"
