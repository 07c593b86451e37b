"""A kernel's text, for whoever reads it in a terminal.

`jupyter console`, papermill's log and ``cat`` of a notebook hand text to a terminal as it is. A
terminal obeys escape sequences in it (ECMA-48): links under another text, the clipboard, the title,
and with some terminals worse. Colours stay, and the two sequences that progress bars need.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["without_commands"]

# Left: CSI with m (colour), K (erase the line), A (a line up); backspace, tab, line, form feed.
_COMMANDS: Final = re.compile(
    r"\x1b(?!\[[0-9;:]{0,40}[AKm])|[\x00-\x07\x0b\x0e-\x1a\x1c-\x1f\x7f]|[\x80-\x9f]"
)


def without_commands(text: str) -> str:
    """The text, in which each character that would begin a terminal's command shows as �."""
    return _COMMANDS.sub("\N{REPLACEMENT CHARACTER}", text)
