"""Somebody else's page, or a script, says yes in the name of a reviewer who is logged in."""

from __future__ import annotations

import http.server
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.test_bad_input import write_notebook
from tests.fixtures_demo import Demo, Person

UPDATE = "UPDATE orders SET status = 'paid' WHERE id = 2002"


@dataclass(frozen=True, slots=True)
class Waiting:
    """A request that waits, and a reviewer who is logged in and has done nothing."""

    demo: Demo
    reviewer: Person
    approval: dict[str, Any]

    @property
    def votes(self) -> str:
        return f"{self.demo.url}/zt/api/approvals/{self.approval['id']}/votes"

    @property
    def ballot(self) -> str:
        return json.dumps({"approve": True, "reason": "", "digest": self.approval["digest"]})

    def assert_undecided(self) -> None:
        self.reviewer.page.wait_for_timeout(300)
        answer = self.reviewer.page.request.get(self.votes.removesuffix("/votes")).json()
        assert (answer["state"], answer["votes"]) == ("open", [])
        assert self.demo.statements("id = 2002") == []


@pytest.fixture(scope="module")
def waiting(demo: Demo, chromium: Browser) -> Iterator[Waiting]:
    analyst = Person(demo, chromium, "analyst")
    analyst.open_notebook(write_notebook(demo, "forged.ipynb"))
    held = analyst.run_cell(f"%%sql warehouse\n{UPDATE}")
    expect(held).to_contain_text("waiting for the approval", timeout=60_000)
    reviewer = Person(demo, chromium, "reviewer")
    reviewer.log_in("/lab/workspaces/reviewer")
    listed = reviewer.page.request.get(f"{demo.url}/zt/api/approvals").json()["approvals"]
    [approval] = [a for a in listed if a["command"] == UPDATE]
    yield Waiting(demo, reviewer, approval)
    reviewer.close()
    analyst.close()


@contextmanager
def evil_page(content: str, host: str) -> Iterator[str]:
    """A page of another origin; with `localhost` of another site, too."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(content.encode())

        def log_message(self, *_arguments: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://{host}:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_page_of_another_origin_votes_with_the_reviewers_cookies(
    waiting: Waiting, host: str
) -> None:
    ballot = json.dumps(waiting.ballot)
    # A form's text/plain body that is JSON, fetch without and with preflight, and a beacon.
    content = f"""<body><form method=post enctype=text/plain action="{waiting.votes}"
      target=sink><input name='{waiting.ballot[:-1]}, "x": "' value='"}}'></form>
    <iframe name=sink></iframe><script>
    const ballot = {ballot}, votes = "{waiting.votes}";
    document.forms[0].submit();
    const token = {{"X-XSRFToken": "0", "Content-Type": "application/json"}};
    Promise.allSettled([
      fetch(votes, {{method: "POST", mode: "no-cors", credentials: "include", body: ballot}}),
      fetch(votes, {{method: "POST", credentials: "include", body: ballot, headers: token}}),
      fetch(votes + "?_xsrf=0", {{method: "POST", mode: "no-cors", credentials: "include",
        body: new URLSearchParams({{_xsrf: "0"}})}}),
      Promise.resolve(navigator.sendBeacon(votes, ballot)),
    ]).then(() => document.title = "tried");</script>"""
    with evil_page(content, host) as address:
        page = waiting.reviewer.context.new_page()
        page.goto(address)
        page.wait_for_function("document.title === 'tried'")
        page.wait_for_timeout(500)
        page.close()
    waiting.assert_undecided()


def test_page_of_the_reviewer_in_a_foreign_frame(waiting: Waiting) -> None:
    inside = f"{waiting.demo.url}/lab/workspaces/reviewer"
    with evil_page(
        f"<iframe id=f src='{inside}' width=900 height=700></iframe>", "127.0.0.1"
    ) as at:
        page = waiting.reviewer.context.new_page()
        page.goto(at)
        page.wait_for_timeout(1500)
        frame = page.query_selector("#f")
        assert frame is not None
        content = frame.content_frame()
        assert content is None or content.query_selector("#jp-main-dock-panel") is None
        page.close()
    waiting.assert_undecided()


def test_vote_of_the_own_page_without_its_xsrf_token(waiting: Waiting) -> None:
    status = waiting.reviewer.page.evaluate(
        """async ([url, body]) => (await fetch(url, {method: "POST", body,
            headers: {"Content-Type": "application/json"}})).status""",
        [waiting.votes, waiting.ballot],
    )
    assert status == 403
    waiting.assert_undecided()


def test_forged_clicks_and_keys(waiting: Waiting) -> None:
    reviewer = waiting.reviewer
    card = reviewer.request("id = 2002")
    # A person asks; scripts try to answer.
    card.get_by_role("button", name=re.compile("^Approve")).click()
    accept = reviewer.page.locator(".jp-ZT-Decision-confirm .jp-mod-accept")
    accept.wait_for()
    reviewer.page.wait_for_timeout(1000)  # whatever keeps a double click off is over
    accept.evaluate(
        """button => {
          button.click();
          for (const type of ['pointerdown', 'mousedown', 'pointerup', 'mouseup', 'click'])
            button.dispatchEvent(new MouseEvent(type, {bubbles: true, cancelable: true}));
          for (const type of ['keydown', 'keypress', 'keyup'])
            for (const key of ['Enter', ' ', 'a', 'y'])
              button.dispatchEvent(new KeyboardEvent(type, {key, bubbles: true}));
          button.form?.requestSubmit();
        }"""
    )
    waiting.assert_undecided()
    expect(accept).to_be_visible()
