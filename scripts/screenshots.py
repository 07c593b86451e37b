"""Makes the pictures of the documents: docs/images/*.png, from a demo of its own, in Chromium.

.venv/bin/python scripts/screenshots.py
"""

from __future__ import annotations

import base64
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from playwright.sync_api import Browser, Locator, Page  # noqa: E402

from tests.fixtures_demo import (  # noqa: E402
    Demo,
    Person,
    folder_for_a_demo,
    headless_chromium,
    running_demo,
)
from tests.identity import world  # noqa: E402

IMAGES = ROOT / "docs" / "images"
MAX_BYTES = 300_000
OPEN = ".jp-NotebookPanel:not(.lm-mod-hidden)"
SETTLED_MILLISECONDS = 700

BESIDE = """<body style="margin: 0; padding: 14px; display: inline-flex; gap: 14px;
  background: {background}">{pictures}</body>"""
PICTURE = '<img style="border:1px solid #8888;border-radius:6px" src="data:image/png;base64,{}">'


def main() -> None:
    """Lives the tour once and takes the pictures on the way."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with (
        folder_for_a_demo() as folder,
        running_demo(folder) as demo,
        headless_chromium() as browser,
    ):
        take_all(demo, browser)
    for image in sorted(IMAGES.glob("*.png")):
        size = image.stat().st_size
        print(f"{image.relative_to(ROOT)}  {size / 1000:.0f} kB")
        assert size < MAX_BYTES, image  # noqa: S101 - a picture of a document is small


def take_all(demo: Demo, browser: Browser) -> None:
    """Every picture, in the order of the story."""
    analyst, reviewer = Person(demo, browser, "analyst"), Person(demo, browser, "reviewer")
    analyst.page.set_viewport_size({"width": 900, "height": 640})
    reviewer.page.set_viewport_size({"width": 900, "height": 640})
    analyst.open_notebook("tour.ipynb")
    analyst.page.keyboard.press("Control+b")  # the file browser gives way
    analyst.run_all()
    analyst.page.locator(".jp-ZT-Held.jp-mod-waiting").wait_for()
    reviewer.log_in("/lab/workspaces/reviewer")
    reviewer.request("4711")

    for theme in ("Light", "Dark"):
        for person in (analyst, reviewer):
            use_theme(person.page, theme)
        held = analyst.page.locator(".jp-ZT-Held")
        held.evaluate("card => card.scrollIntoView({block: 'center'})")
        analyst.page.wait_for_timeout(SETTLED_MILLISECONDS)
        picture = analyst.page.screenshot(clip={"x": 0, "y": 0, "width": 900, "height": 640})
        panel = reviewer.page.locator("#jupyter-zt-panel").screenshot()
        beside(browser, f"held-{theme.lower()}", [picture, panel], theme)
    for person in (analyst, reviewer):
        use_theme(person.page, "Light")

    reviewer.page.locator(".jp-ZT-Decision-ask .jp-mod-accept").first.click()
    reviewer.page.locator(".jp-ZT-Decision-confirm .jp-mod-accept").click()
    analyst.wait_last_cell()
    analyst.page.set_viewport_size({"width": 1180, "height": 640})
    cell_of(analyst.page, 3).screenshot(path=IMAGES / "masked.png")
    [recording] = demo.recordings("tour")
    analyst.menu("Kernel", "Shut Down Kernel")
    world.wait_until(lambda: "INCOMPLETE" not in recording.read_text(), seconds=30)
    analyst.close()

    agent = Person(demo, browser, "analyst2")
    agent.page.set_viewport_size({"width": 900, "height": 800})
    agent.open_notebook("react.ipynb")
    agent.page.keyboard.press("Control+b")
    agent.run_all()
    agent.wait_last_cell(120_000)
    cell_of(agent.page, 2).screenshot(path=IMAGES / "react.png")
    agent.close()

    auditor = Person(demo, browser, "auditor")
    auditor.page.set_viewport_size({"width": 900, "height": 640})
    auditor.log_in(f"/lab/tree/recordings/{recording.name}")
    auditor.page.locator(f"{OPEN} .jp-Cell").first.wait_for()
    auditor.page.keyboard.press("Control+b")
    auditor.page.wait_for_timeout(SETTLED_MILLISECONDS)
    auditor.page.screenshot(path=IMAGES / "recording.png")
    auditor.close()
    reviewer.close()


def cell_of(page: Page, index: int) -> Locator:
    """A cell of the open notebook, in sight."""
    cell = page.locator(f"{OPEN} .jp-Cell").nth(index)
    cell.scroll_into_view_if_needed()
    page.wait_for_timeout(SETTLED_MILLISECONDS)
    return cell


def use_theme(page: Page, name: str) -> None:
    """Switches JupyterLab's theme by its menu."""
    for item in ("Settings", "Theme", f"JupyterLab {name}"):
        bar = page.locator(".lm-MenuBar-itemLabel", has_text=item)
        entry = page.locator(".lm-Menu-itemLabel").get_by_text(item, exact=True)
        (bar if item == "Settings" else entry).first.click()
    page.wait_for_timeout(2 * SETTLED_MILLISECONDS)


def beside(browser: Browser, name: str, pictures: list[bytes], theme: str) -> None:
    """Puts pictures next to one another in one file."""
    tags = "".join(PICTURE.format(base64.b64encode(picture).decode()) for picture in pictures)
    page = browser.new_page(viewport={"width": 1400, "height": 700})
    background = "#fff" if theme == "Light" else "#111"
    page.set_content(BESIDE.format(background=background, pictures=tags))
    page.locator("body").screenshot(path=IMAGES / f"{name}.png")
    page.close()


if __name__ == "__main__":
    main()
