"""What the same payloads, and the same good outputs, do where nothing of ours is.

The alarms of `test_active_content` are heard here, so their silence there means something.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser

from tests.attacks.active_canary import POKE, Alarms, other_place
from tests.attacks.active_notebooks import (
    OPEN_PANEL,
    as_markup,
    batches_of,
    displays,
    look_everywhere,
    notebook_of,
    prelude,
    programs,
)
from tests.attacks.active_payloads import HTML
from tests.attacks.good_outputs import GOOD, OUR_RESULT, looks
from tests.attacks.stock_jupyter import StockJupyterLab, run_all, stock_jupyterlab
from tests.fixtures_demo import Demo, Person

# What ends or hides a stock page, or keeps it busy for ever, so that nothing else could be heard.
ENDS_A_STOCK_PAGE: Final = (
    *("html-base", "html-form", "html-link-data", "html-link-relative", "html-link-javascript"),
    *("html-meta-refresh", "html-css-repaints", "html-iframe-javascript", "html-area", "huge"),
    *("html-fetch-xhr", "unknown-messages", "answers-to-the-page"),
)


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StockJupyterLab]:
    with stock_jupyterlab(tmp_path_factory.mktemp("stock")) as server:
        yield server


@pytest.fixture(scope="module")
def heard_in_stock(stock: StockJupyterLab, chromium: Browser) -> set[str]:
    """The payloads that act in JupyterLab as it comes."""
    context = stock.visitor(chromium)
    with other_place() as place:
        lives = {
            n: b for n, b in displays(place.url).items() if not n.startswith(ENDS_A_STOCK_PAGE)
        }
        batches = batches_of(lives.values())
        said = {n: p for n, p in programs(place.url).items() if not n.startswith(ENDS_A_STOCK_PAGE)}
        attacks = {f"batch-{number}": f"attack({number})" for number in range(len(batches))}
        sources = {"prelude": prelude(stock.work, batches, []), **attacks, **said}
        book = notebook_of(sources, kernel="python3")
        (stock.work / "active.ipynb").write_text(json.dumps(book))
        page = stock.open(context, "active.ipynb")
        alarms = Alarms(context, stock.url)
        # Where a link or a form leads: the page stays, so that more can be heard.
        context.route("**/*payload=*", lambda route: route.fulfill(status=204))
        page.on("dialog", lambda dialog: dialog.accept())
        run_all(page)
        page.locator(f"{OPEN_PANEL} mjx-container a").first.wait_for()
        look_everywhere(page)
        page.wait_for_timeout(1000)
        # A command opened a tab of this name.
        tabs = page.locator(".lm-DockPanel-tabBar .lm-TabBar-tabLabel").all_text_contents()
        heard = {*alarms.heard(place), *tabs}
    context.close()
    return heard


@pytest.fixture(scope="module")
def heard_in_a_page(chromium: Browser) -> set[str]:
    """The payloads that act where their text is written into a page as markup."""
    context = chromium.new_context()
    page = context.new_page()
    with other_place() as place:
        frames = [
            f'<div class="output_area"><iframe srcdoc="{escape(text)}"></iframe></div>'
            for text in as_markup(place.url)
        ]
        home = "http://home.example"
        page.route(f"{home}/**", lambda route: route.fulfill(body="", content_type="text/html"))
        alarms = Alarms(context, home)
        page.goto(home)
        page.set_content("".join(frames), wait_until="commit")
        page.wait_for_timeout(1500)
        page.evaluate(POKE)
        page.wait_for_timeout(500)
        heard = alarms.heard(place)
    context.close()
    return heard


def test_outputs_act_in_a_stock_jupyterlab(heard_in_stock: set[str]) -> None:
    names = {*displays(""), *programs("")}
    assert len(names & heard_in_stock) >= 50, names - heard_in_stock


def test_every_payload_acts_without_a_defence(
    heard_in_stock: set[str], heard_in_a_page: set[str]
) -> None:
    names = {*displays(""), *programs("")}
    assert names - heard_in_stock - heard_in_a_page <= {"html-css-repaints-the-page"}


def test_a_repainted_page_is_noticed(chromium: Browser) -> None:
    context = chromium.new_context()
    page = context.new_page()
    alarms = Alarms(context, "about:")
    page.set_content(HTML["css-repaints-the-page"])
    with other_place() as place, pytest.raises(AssertionError, match="repainted"):
        alarms.silent(page, place)
    context.close()


def test_good_outputs_look_as_in_a_stock_jupyterlab(
    stock: StockJupyterLab, demo: Demo, chromium: Browser, tmp_path: Path
) -> None:
    # (1) How they look where nothing of ours is.
    name = "good-active.ipynb"
    sources = {kind: source for kind, (source, _) in GOOD.items()}
    (stock.work / name).write_text(json.dumps(notebook_of(sources, kernel="python3")))
    context = stock.visitor(chromium)
    page = stock.open(context, name)
    run_all(page)
    reference = looks(page, GOOD, tmp_path / "stock")
    context.close()

    # (2) How they look here: live, and reopened in Notebook 7.
    everything = GOOD | OUR_RESULT
    sources |= {kind: source for kind, (source, _) in OUR_RESULT.items()}
    (demo.directory / "work" / name).write_text(json.dumps(notebook_of(sources)))
    analyst = Person(demo, chromium, "analyst")
    analyst.log_in(f"/lab/workspaces/{Path(name).stem}/tree/{name}")
    page = analyst.page
    page.wait_for_selector(f"{OPEN_PANEL} .jp-Cell")
    analyst.wait_idle()
    run_all(page)
    seen = {"live": looks(page, everything, tmp_path / "live")}
    analyst.save_notebook(name)
    page.goto(f"{demo.url}/notebooks/{name}")
    page.wait_for_selector(f"{OPEN_PANEL} .jp-Cell")
    seen["reopened"] = looks(page, everything, tmp_path / "reopened")
    analyst.close()

    # (3) The same pictures, and as much ink where fonts and borders differ.
    for where, pictures in seen.items():
        for kind, expected in reference.items():
            likeness = pictures[kind].ink / expected.ink
            least = 0.98 if kind in {"png", "svg"} else 0.5
            assert least < likeness < 1 / least, f"{kind}, {where}"
        assert "#ff0000" in pictures["styler"].colours, where
