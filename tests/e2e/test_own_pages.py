"""Two people's JupyterLab on one server: quiet, and neither shows what is the other's."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.fixtures_demo import Demo, Person


def listen(page: Page) -> tuple[list[str], list[str]]:
    """What the page's console complains of, and the addresses of its web sockets."""
    complaints: list[str] = []
    sockets: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("websocket", lambda socket: sockets.append(socket.url))
    return complaints, sockets


def test_a_page_subscribes_to_events_once_and_nothing_is_refused(
    people: dict[str, Person],
) -> None:
    reviewer = people["reviewer"]
    complaints, sockets = listen(reviewer.page)
    reviewer.log_in()
    reviewer.open_panel()
    reviewer.page.wait_for_timeout(10_000)  # a refused socket is tried again after some seconds

    assert [url for url in sockets if "/api/events/subscribe" in url] != []
    assert len(sockets) == 1, sockets
    assert [text for text in complaints if "403" in text or "WebSocket" in text] == []


def test_a_colleague_sees_neither_tabs_nor_theme_of_another(
    demo: Demo, people: dict[str, Person]
) -> None:
    analyst, reviewer = people["analyst"], people["reviewer"]
    analyst.open_notebook("tour.ipynb")
    analyst.menu("Settings", "Theme", "JupyterLab Dark")
    expect(analyst.page.locator("body")).to_have_attribute("data-jp-theme-light", "false")
    analyst.page.wait_for_timeout(2_000)  # JupyterLab saves its layout a second later
    tabs = analyst.page.locator(".jp-NotebookPanel").count()  # other stories may have left some
    assert tabs >= 1

    reviewer.log_in()
    reviewer.page.wait_for_timeout(2_000)

    expect(reviewer.page.locator("body")).to_have_attribute("data-jp-theme-light", "true")
    assert reviewer.page.locator(".jp-NotebookPanel").count() == 0
    mine = reviewer.context.request.get(f"{demo.url}/api/kernels")
    assert mine.json() == []
    analyst.page.goto(f"{demo.url}/lab")
    expect(analyst.page.locator(".jp-NotebookPanel")).to_have_count(tabs, timeout=30_000)
    expect(analyst.page.locator("body")).to_have_attribute("data-jp-theme-light", "false")
    analyst.menu("Settings", "Theme", "JupyterLab Light")
    expect(analyst.page.locator("body")).to_have_attribute("data-jp-theme-light", "true")
    analyst.wait_idle()
    analyst.menu("Kernel", "Shut Down All Kernels")
    analyst.page.locator(".jp-Dialog .jp-mod-accept").click()
