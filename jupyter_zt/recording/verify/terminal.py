r"""Stream text as JupyterLab keeps it: carriage returns and backspaces are carried out. No IO.

JupyterLab rewrites stream outputs when it loads a notebook (`processText` in
@jupyterlab/outputarea's model), so a plain re-save changes ``10%\r20%`` to ``20%``. The projection
holds what is left afterwards; doing it twice changes nothing.
"""

from __future__ import annotations

__all__ = ["settle"]


def settle(text: str) -> str:
    r"""Carry out ``\r`` (back to the line's start, then overwrite) and ``\b`` (rub out)."""
    if "\r" not in text and "\b" not in text:
        return text
    # JavaScript counts UTF-16 code units: characters beyond the BMP are overwritten by halves.
    units = _split_pairs(text)
    settled = "\n".join(_settle_line(line) for line in units.split("\n"))
    return settled.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def _settle_line(line: str) -> str:
    if "\r" not in line and "\b" not in line:
        return line
    left: list[str] = []  # before the cursor
    right: list[str] = []  # after the cursor, nearest last
    for unit in line:
        if unit == "\r":
            right += reversed(left)
            left.clear()
        elif unit == "\b":
            if left:
                left.pop()
                if right:  # JupyterLab drops the character under the cursor too
                    right.pop()
        else:
            left.append(unit)
            if right:
                right.pop()
    return "".join(left) + "".join(reversed(right))


def _split_pairs(text: str) -> str:
    encoded = text.encode("utf-16-le", "surrogatepass")
    return "".join(chr(encoded[at] | encoded[at + 1] << 8) for at in range(0, len(encoded), 2))
