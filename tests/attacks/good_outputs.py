"""Outputs that people want to see, and how they look."""

from __future__ import annotations

import base64
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Page, expect

from tests.attacks.active_notebooks import OPEN_PANEL


def _picture() -> str:
    """A PNG of 64 x 64 pixels (PNG, third edition, section 5), as base64."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    rows = b"".join(b"\0" + bytes((4 * y, 128, 255 - 4 * y)) * 64 for y in range(64))
    header = struct.pack(">IIBBBBB", 64, 64, 8, 2, 0, 0, 0)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + chunks).decode()


# What each is made by, and what in the output shows it.
GOOD: Final = {
    "dataframe": (
        """
import pandas as pd
pd.DataFrame({"city": ["Rome", "Oslo"], "n": [1, 2]})""",
        "table",
    ),
    "styler": (
        """pd.DataFrame({"n": [1, 2]}).style.map(lambda _: "background-color: rgb(255, 0, 0)")""",
        "table",
    ),
    "png": (
        f"""
import base64
from IPython.display import Image, Latex, Markdown, SVG
Image(base64.b64decode({_picture()!r}))""",
        "img",
    ),
    "svg": (
        """
SVG('<svg xmlns="http://www.w3.org/2000/svg" width="80" height="80">'
    '<circle cx="40" cy="40" r="30" fill="green"/></svg>')""",
        "img, svg",
    ),
    "markdown": (
        """Markdown("# Title\\n\\n*so* it is $e^{i x_1}$ and `code`")""",
        "mjx-container",
    ),
    "latex": ("""Latex(r"$$\\frac{1}{2} + \\sum_i x_i$$")""", "mjx-container"),
}
OUR_RESULT: Final = {
    "result": (
        "%%sql warehouse\nSELECT id, email, country FROM customers WHERE id <= 3",
        ".jp-ZT-Result-table",
    ),
}

_MEASURE = """async data => {
  const image = new Image();
  image.src = 'data:image/png;base64,' + data;
  await image.decode();
  const canvas = new OffscreenCanvas(image.width, image.height).getContext('2d');
  canvas.drawImage(image, 0, 0);
  const pixels = new Uint32Array(
    canvas.getImageData(0, 0, image.width, image.height).data.buffer);
  const counts = {};
  for (const pixel of pixels) {
    const colour = '#' + [0, 8, 16]
      .map(shift => ((pixel >> shift) & 255).toString(16).padStart(2, '0')).join('');
    counts[colour] = (counts[colour] ?? 0) + 1;
  }
  return {width: image.width, height: image.height, colours: counts};
}"""


@dataclass(frozen=True, slots=True)
class Look:
    """A picture of one output, in numbers.

    Attributes:
        width: In pixels, as `height`.
        colours: How many pixels have each colour (``#rrggbb``).
    """

    width: int
    height: int
    colours: dict[str, int]

    @property
    def ink(self) -> int:
        """Pixels that are not of the background, which is the most frequent colour."""
        return sum(self.colours.values()) - max(self.colours.values())


# A theme comes after the notebook, and may be loaded once more when the settings are there.
_THEMED = """() => {
    const set = getComputedStyle(document.body).getPropertyValue('--jp-content-font-family') !== '';
    const now = performance.now();
    window.themedSince = set ? (window.themedSince ?? now) : undefined;
    return set && now - window.themedSince > 1500;
}"""


def looks(page: Page, good: dict[str, tuple[str, str]], pictures: Path) -> dict[str, Look]:
    """Asserts that each good output of the open notebook shows, and keeps a picture of it.

    Args:
        page: Shows a notebook with one cell for each output.
        good: Which they are, as in `GOOD`.
        pictures: Folder for them.
    """
    pictures.mkdir()
    page.wait_for_function(_THEMED)
    seen = {}
    for at, (kind, (_, selector)) in enumerate(good.items()):
        output = (
            page.locator(f"{OPEN_PANEL} .jp-CodeCell")
            .nth(at)
            .locator(".jp-Cell-outputArea .jp-OutputArea-output")
            .first
        )
        output.evaluate("node => node.scrollIntoView({block: 'center'})")
        # What JupyterLab lays out a little later: frames and formulas.
        shown: Any = output.frame_locator("iframe") if output.locator("iframe").count() else output
        thing = shown.locator(selector).first
        expect(thing).to_be_visible()
        page.mouse.move(0, 0)
        picture = thing.screenshot(path=pictures / f"{kind}.png", animations="disabled")
        seen[kind] = Look(**page.evaluate(_MEASURE, base64.b64encode(picture).decode()))
        assert seen[kind].ink > 0, f"{kind} is blank"
    return seen
