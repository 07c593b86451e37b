"""Notebooks full of payloads, and what people do with them in a browser."""

from __future__ import annotations

import json
from collections.abc import Iterable
from html import unescape
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from playwright.sync_api import Page

from tests.attacks.active_canary import POKE, filled
from tests.attacks.active_payloads import BUNDLES, HTML, MARKDOWN, PROGRAMS

BATCH = 48  # JupyterLab shows 50 outputs of a cell
OPEN_PANEL = ".jp-NotebookPanel:not(.lm-mod-hidden)"
SLOW = 60_000

Bundle = dict[str, Any]

PRELUDE = """
import json
from IPython.display import display
kernel = get_ipython().kernel
session, socket, parent = kernel.session, kernel.iopub_socket, kernel.get_parent("shell")
with open("payloads.json") as payloads:
    BATCHES, PROGRAMS = json.load(payloads)
SVG = next((i, j) for i, batch in enumerate(BATCHES) for j, bundle in enumerate(batch)
           if "image/svg+xml" in bundle)
def attack(number):
    for bundle in BATCHES[number]:
        display(bundle, raw=True)
def attack_by_programs():
    for program in PROGRAMS:
        try:
            exec(program, globals())
        except Exception:
            get_ipython().showtraceback()
"""


def prelude(folder: Path, batches: list[list[Bundle]], said: list[str]) -> str:
    """A first cell, after which `attack(n)` shows a batch, and `attack_by_programs()` the rest.

    Args:
        folder: That of the notebook. The payloads go into a file there, because a cell of that
            size takes seconds to highlight, wherever it is shown.
        batches: As of `batches_of`.
        said: The programs.
    """
    (folder / "payloads.json").write_text(json.dumps([batches, said]))
    return PRELUDE


def displays(net: str) -> dict[str, Bundle]:
    """Every payload that is a mime bundle, by name."""
    raw: dict[str, Bundle] = {
        **{f"html-{name}": {"text/html": text} for name, text in HTML.items()},
        **{f"markdown-{name}": {"text/markdown": text} for name, text in MARKDOWN.items()},
        **{f"bundle-{name}": dict(bundle) for name, bundle in BUNDLES.items()},
    }
    return {name: _filled(bundle, name, net) for name, bundle in raw.items()}


def batches_of(bundles: Iterable[Bundle]) -> list[list[Bundle]]:
    """As many outputs as one cell may have, and again."""
    ready = list(bundles)
    return [ready[at : at + BATCH] for at in range(0, len(ready), BATCH)]


def _filled(value: Any, name: str, net: str) -> Any:
    if isinstance(value, str):
        return filled(value, name, net)
    if isinstance(value, list):
        return [_filled(item, name, net) for item in value]
    if isinstance(value, dict):
        return {_filled(k, name, net): _filled(v, name, net) for k, v in value.items()}
    return value


def programs(net: str) -> dict[str, str]:
    """Every payload that is a program, by name."""
    again = 'parent = kernel.get_parent("shell")\n'
    return {name: again + filled(text, name, net).strip() for name, text in PROGRAMS.items()}


def as_markup(net: str) -> list[str]:
    """The text of every payload, as a careless renderer would write it into a page.

    As it is, decoded once more (which is what mutations wait for), and from Markdown that keeps
    every link and element.
    """
    careless = MarkdownIt("commonmark", {"html": True})
    vars(careless)["validateLink"] = lambda _url: True
    texts = [*programs(net).values()]
    for bundle in displays(net).values():
        for text in _texts(bundle):
            texts += [text, unescape(text)]
        texts += [careless.render(str(bundle.get("text/markdown", "")))]
    return list(dict.fromkeys(texts))


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        value = [*value, *value.values()]
    return [text for item in value for text in _texts(item)] if isinstance(value, list) else []


def notebook_of(sources: dict[str, str], kernel: str = "zt") -> dict[str, Any]:
    """A notebook with one code cell for each source; one that fails stops none of the others."""
    cells: list[dict[str, Any]] = [
        {
            "cell_type": "code",
            "id": name,
            "metadata": {"tags": ["raises-exception"]},
            "source": source.strip(),
            "outputs": [],
            "execution_count": None,
        }
        for name, source in sources.items()
    ]
    metadata = {"kernelspec": {"name": kernel, "display_name": kernel}}
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


_LOOK = """async () => {
  for (const cell of document.querySelectorAll('.jp-Cell')) {
    if (cell.offsetParent === null) continue;
    cell.scrollIntoView();
    await new Promise(done => requestAnimationFrame(done));
  }
}"""


def look_everywhere(page: Page, least: int = 100) -> None:
    """Brings every output of the open page into sight, and presses what can be pressed.

    Args:
        page: Shows a notebook, a console, or anything with outputs.
        least: How many elements there must be to press: until the cells have their outputs.
    """
    pressed = 0
    for _ in range(20):
        page.evaluate(_LOOK)
        pressed = page.evaluate(POKE)
        if pressed > least:
            return
        page.wait_for_timeout(250)
    raise AssertionError(f"only {pressed} elements to press")
