"""Finds the formulas in a text as the page's typesetter would, in time linear in the text.

A kernel chooses the text, and the server waits while it is read: an opening delimiter whose closing
one is missing is looked for once, not once for each place where it might have opened.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

__all__ = ["formula_spans"]

_START: Final = re.compile(
    r"(?P<whole>(?<![\\$])\$(?=[^\s$])[^$\n]+(?<=\S)(?<!\\)\$(?![\d$]))"
    r"|(?P<dollars>(?<!\\)\$\$)|(?P<round>\\\()|(?P<square>\\\[)|\\begin\{(?P<name>[a-z]+\*?)\}"
)
_END: Final = {"round": re.compile(r"\\\)"), "square": re.compile(r"\\\]")}
_DOLLARS: Final = re.compile(r"(?<!\\)\$\$")


def formula_spans(text: str) -> Iterator[tuple[int, int]]:
    r"""Where formulas begin and end: ``$x$``, ``$$x$$``, ``\(x\)``, ``\[x\]``, environments."""
    unclosed: set[str] = set()
    position = 0
    while start := _START.search(text, position):
        position = start.end()
        kind = start.lastgroup or ""
        if kind == "whole":
            yield start.span()
            continue
        delimiter = start.group()
        if delimiter in unclosed:
            continue
        # A formula holds at least one character.
        end = _end(kind, start.group("name")).search(text, start.end() + 1)
        if end is None:
            unclosed.add(delimiter)
            continue
        position = end.end()
        yield start.start(), position


def _end(kind: str, name: str) -> re.Pattern[str]:
    if kind == "name":
        return re.compile(r"\\end\{" + re.escape(name) + r"\}")
    return _END.get(kind, _DOLLARS)
