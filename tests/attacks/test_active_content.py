"""Output of an untrusted kernel does not act in the page of whoever looks at it.

A real kernel of the demo has every payload of `active_payloads` shown; people look at them in every
place that shows outputs, and press whatever can be pressed. Nothing may run, no request may leave
for another place, and nobody's vote may be cast. What the same payloads do elsewhere is in
`test_active_controls`.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.attacks.active_canary import POKE, Alarms, OtherPlace, filled, other_place
from tests.attacks.active_notebooks import (
    OPEN_PANEL,
    SLOW,
    Bundle,
    batches_of,
    displays,
    look_everywhere,
    notebook_of,
    prelude,
    programs,
)
from tests.attacks.active_payloads import BUNDLES, HTML, MARKDOWN, PROGRAMS, PROMPT, WRITES_FILES
from tests.fixtures_demo import Demo, Person

NOTEBOOK = "active.ipynb"
VISIBLE_EDITOR = ".jp-FileEditor:not(.lm-mod-hidden)"
# Saves a notebook with every cell marked as trusted: a stock server signs it then.
TRUST = """async address => {
  const book = await (await fetch(address)).json();
  for (const cell of book.content.cells) cell.metadata.trusted = true;
  const token = document.cookie.match(/_xsrf=([^;]*)/)[1];
  const answer = await fetch(address, {
    method: 'PUT',
    headers: {'X-XSRFToken': token, 'Content-Type': 'application/json'},
    body: JSON.stringify({type: 'notebook', format: 'json', content: book.content})
  });
  return answer.status;
}"""


@dataclass(frozen=True, slots=True)
class Attacked:
    """The notebook in which the kernel has said everything, its person, and the alarms."""

    demo: Demo
    place: OtherPlace
    analyst: Person
    alarms: Alarms
    batches: list[list[Bundle]]

    @property
    def saved(self) -> Path:
        return self.demo.directory / "work" / NOTEBOOK

    @property
    def recording(self) -> Path:
        return self.demo.recordings(Path(NOTEBOOK).stem)[-1]


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody else, who may see everything that there is to see."""

    attacked: Attacked
    page: Page
    alarms: Alarms

    def opens(self, path: str) -> None:
        self.page.goto(f"{self.attacked.demo.url}/{path}")

    def opens_in_jupyterlab(self, path: str) -> None:
        """In the page that is open, which is faster than a new one; in front of what it shows."""
        page = self.page
        if "/lab" not in page.url:
            self.opens(f"lab/workspaces/{uuid4().hex}")
        page.locator(".lm-MenuBar-item", has_text="File").click()
        page.locator(".lm-Menu-itemLabel", has_text="Open from Path").click()
        page.locator(".jp-Dialog input").fill(path)
        page.locator(".jp-Dialog .jp-mod-accept").click()
        name = path.rpartition("/")[2]
        page.locator(".lm-DockPanel-tabBar .lm-mod-current", has_text=name).wait_for()

    def heard_nothing(self) -> None:
        self.alarms.silent(self.page, self.attacked.place)


@pytest.fixture(scope="module")
def attacked(demo: Demo, chromium: Browser) -> Iterator[Attacked]:
    analyst = Person(demo, chromium, "analyst")
    with other_place() as place:
        batches = batches_of(displays(place.url).values())
        said = programs(place.url)
        attacks = {f"batch-{number}": f"attack({number})" for number in range(len(batches))}
        work = demo.directory / "work"
        sources = {"prelude": prelude(work, batches, list(said.values())), **attacks, **said}
        sources["files"] = filled(WRITES_FILES, "files", place.url)
        sources["over"] = "print('over')"
        (work / NOTEBOOK).write_text(json.dumps(notebook_of(sources)))
        # A workspace of its own: nothing that other tests left open.
        analyst.log_in(f"/lab/workspaces/{Path(NOTEBOOK).stem}/tree/{NOTEBOOK}")
        analyst.page.wait_for_selector(f"{OPEN_PANEL} .jp-Cell")
        analyst.wait_idle()
        alarms = Alarms(analyst.context, demo.url)
        analyst.run_all()
        analyst.wait_last_cell()
        analyst.save_notebook(NOTEBOOK)
        yield Attacked(demo, place, analyst, alarms, batches)
    analyst.close()


@pytest.fixture(scope="module")
def reader(attacked: Attacked, chromium: Browser) -> Iterator[Reader]:
    person = Person(attacked.demo, chromium, "auditor")
    person.log_in(f"/lab/workspaces/{uuid4().hex}")
    yield Reader(attacked, person.page, Alarms(person.context, attacked.demo.url))
    person.close()


def shown(page: Page, attacked: Attacked) -> None:
    """Asserts that the payloads are there, so that silence means something."""
    for number, batch in enumerate(attacked.batches):
        cell = page.locator(f"{OPEN_PANEL} .jp-CodeCell").nth(number + 1)
        cell.evaluate("node => node.scrollIntoView()")
        expect(cell.locator(".jp-OutputArea-output")).to_have_count(len(batch), timeout=SLOW)


def test_there_are_enough_payloads() -> None:
    assert len(HTML) + len(MARKDOWN) + len(BUNDLES) + len(PROGRAMS) >= 25


def test_live(attacked: Attacked) -> None:
    page = attacked.analyst.page
    shown(page, attacked)
    look_everywhere(page)
    cells = page.locator(f"{OPEN_PANEL} .jp-CodeCell")
    expect(cells).to_have_count(1 + len(attacked.batches) + len(PROGRAMS) + 2)
    expect(page.locator(".jp-Dialog")).to_have_count(0)
    attacked.alarms.silent(page, attacked.place)


def test_answers_and_prompts(attacked: Attacked) -> None:
    """Completion, help, the Help menu and the field of `input`, as the kernel wants them."""
    analyst, page = attacked.analyst, attacked.analyst.page
    cell = page.locator(f"{OPEN_PANEL} .jp-CodeCell").last
    cell.locator(".cm-content").click()
    page.keyboard.press("Control+End")
    page.keyboard.press("Shift+Tab")
    expect(page.locator(".jp-Tooltip")).to_contain_text("<img")
    page.keyboard.press("Escape")
    cell.locator(".cm-content").click()
    page.keyboard.press("Control+End")
    page.keyboard.type(".x")
    completer = page.locator(".jp-Completer:not(.lm-mod-hidden)", has_text="<script>")
    for _ in range(10):  # JupyterLab gives a kernel one second
        page.keyboard.press("Tab")
        page.wait_for_timeout(500)
        if completer.count():
            break
    expect(completer).to_be_visible()
    page.keyboard.press("Escape")
    analyst.menu("Help")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    output = analyst.run_cell(filled(PROMPT, "prompt", attacked.place.url))
    expect(output).to_contain_text("<script>")
    output.locator("input").fill("<script>")
    output.locator("input").press("Enter")
    expect(output).to_contain_text("'<script>'")
    attacked.alarms.silent(page, attacked.place)


def test_new_output_view(attacked: Attacked) -> None:
    page = attacked.analyst.page
    for number, batch in enumerate(attacked.batches):
        cell = page.locator(f"{OPEN_PANEL} .jp-CodeCell").nth(number + 1)
        cell.locator(".jp-InputArea-prompt").click()
        cell.locator(".jp-OutputArea-promptOverlay").first.dispatch_event("contextmenu")
        page.locator(".lm-Menu-itemLabel", has_text="Create New View for Cell Output").click()
        view = page.locator(".jp-LinkedOutputView").last
        expect(view.locator(".jp-OutputArea-output")).to_have_count(len(batch))
        assert page.evaluate(POKE) > len(batch)
        page.locator(".lm-DockPanel-tabBar .lm-TabBar-tab", has_text="Output View").locator(
            ".lm-TabBar-tabCloseIcon"
        ).click()
    attacked.alarms.silent(page, attacked.place)


def test_console_on_the_same_kernel(attacked: Attacked) -> None:
    page = attacked.analyst.page
    page.locator(f"{OPEN_PANEL} .jp-InputArea-prompt").last.click()
    page.locator(f"{OPEN_PANEL} .jp-CodeCell").last.dispatch_event("contextmenu")
    page.locator(".lm-Menu-itemLabel", has_text="New Console for Notebook").click()
    console = page.locator(".jp-CodeConsole")
    prompt = console.locator(".jp-CodeConsole-promptCell .cm-content")
    runs = [f"attack({n})" for n in range(len(attacked.batches))] + ["attack_by_programs()"]
    for number, code in enumerate(runs):
        prompt.click()
        page.keyboard.insert_text(code)
        page.keyboard.press("Shift+Enter")
        ran = console.locator(".jp-CodeConsole-content .jp-CodeCell").nth(number)
        expect(ran.locator(".jp-InputPrompt")).to_have_text(re.compile(r"\[\d+\]:"), timeout=SLOW)
    look_everywhere(page)
    attacked.alarms.silent(page, attacked.place)


def test_reopened_by_somebody_else(reader: Reader) -> None:
    reader.opens_in_jupyterlab(NOTEBOOK)
    shown(reader.page, reader.attacked)
    look_everywhere(reader.page)
    reader.heard_nothing()


def test_recording(reader: Reader) -> None:
    reader.opens_in_jupyterlab(f"recordings/{reader.attacked.recording.name}")
    reader.page.wait_for_selector(f"{OPEN_PANEL} .jp-CodeCell")
    look_everywhere(reader.page)
    reader.heard_nothing()


def test_a_notebook_that_the_kernel_wrote(reader: Reader) -> None:
    """The broker has seen none of it. The analyst saves it as JupyterLab does after *Trust*."""
    saved = reader.attacked.analyst.page.evaluate(TRUST, "/api/contents/written.ipynb")
    assert saved == 200
    page = reader.page
    reader.opens_in_jupyterlab("written.ipynb")
    page.wait_for_selector(f"{OPEN_PANEL} .jp-Cell")
    look_everywhere(page)
    reader.heard_nothing()

    # The reader trusts it, too.
    page.locator(".lm-MenuBar-item", has_text="View").click()
    page.locator(".lm-Menu-itemLabel", has_text="Activate Command Palette").click()
    page.locator(".lm-CommandPalette-input:visible").fill("Trust Notebook")
    page.locator(".lm-CommandPalette-item:visible", has_text="Trust Notebook").first.click()
    page.locator(".jp-Dialog .jp-mod-accept").click()
    expect(page.locator(".jp-Dialog")).to_have_count(0)
    look_everywhere(page)
    reader.heard_nothing()
    me = page.request.get(f"{reader.attacked.demo.url}/zt/api/me")
    assert me.ok, "a picture's address that is /logout logs nobody out"


def test_a_document_that_the_kernel_wrote(reader: Reader) -> None:
    page = reader.page
    reader.opens_in_jupyterlab("evil.md")
    page.locator(f"{VISIBLE_EDITOR} .cm-content").click(button="right")
    page.locator(".lm-Menu-itemLabel", has_text="Show Markdown Preview").click()
    preview = page.locator(".jp-MarkdownViewer .jp-RenderedMarkdown")
    expect(preview).to_contain_text("press")
    page.evaluate(POKE)
    reader.heard_nothing()


def test_pages_and_scripts_that_the_kernel_wrote(reader: Reader) -> None:
    page = reader.page
    reader.opens_in_jupyterlab("evil.js")
    page.wait_for_selector(f"{VISIBLE_EDITOR} .cm-line")
    with page.expect_response(re.compile("/files/evil.js")):
        page.evaluate(
            "const s = document.createElement('script'); s.src = '/files/evil.js';"
            "document.body.append(s)"
        )
    reader.opens_in_jupyterlab("evil.svg")
    page.wait_for_selector(".jp-ImageViewer img")
    # As text: a frame in it would have the browser look up whatever host it names.
    reader.opens_in_jupyterlab("evil.html")
    page.wait_for_selector(f"{VISIBLE_EDITOR} .cm-line")
    assert page.locator(".jp-HTMLViewer").count() == 0
    reader.heard_nothing()
    for name in ("evil.html", "evil.svg", "evil.md"):
        reader.opens(f"files/{name}")
    reader.heard_nothing()


def test_notebook_7(reader: Reader) -> None:
    reader.opens(f"notebooks/{NOTEBOOK}")
    reader.page.wait_for_selector(f"{OPEN_PANEL} .jp-Cell")
    shown(reader.page, reader.attacked)
    look_everywhere(reader.page)
    reader.heard_nothing()


def test_nbconvert(attacked: Attacked, chromium: Browser, tmp_path: Path) -> None:
    """The file on its own: what was saved is safe for whatever reads it."""
    empty = tmp_path / "empty.ipynb"
    empty.write_text(json.dumps(notebook_of({"nothing": ""})))
    notebooks = [empty, attacked.saved, attacked.recording]
    subprocess.run(
        [
            *(sys.executable, "-m", "nbconvert", "--to", "html", "--output-dir", tmp_path),
            *notebooks,
        ],
        capture_output=True,
        check=True,
    )
    left: dict[str, set[str]] = {}
    for notebook in notebooks:
        context = chromium.new_context()
        page = context.new_page()
        alarms = Alarms(context, "file://")
        page.goto((tmp_path / notebook.name).with_suffix(".html").as_uri())
        if notebook != empty:
            look_everywhere(page)
        left[notebook.name] = set(alarms.left)
        alarms.left.clear()
        alarms.silent(page, attacked.place)
        context.close()
    # The template itself asks for its libraries.
    assert left[attacked.saved.name] | left[attacked.recording.name] <= left[empty.name]
