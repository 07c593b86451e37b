"""Alarms around a reader's browser: what ran, what left, what was asked of the approvals API."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from playwright.sync_api import BrowserContext, Error, Page, Request, Response, Route

# Neither holds a space or a quote, so that both fit wherever a value is expected.
CALL = "(self.ztCanary||top.ztCanary)(/{name}/.source)"
SCRIPT = (
    CALL + ";document.title=`ran:{name}`;fetch(`{net}`);"
    "fetch(`/zt/api/approvals/p_0/votes?payload={name}`,{{method:`POST`,body:`[]`}})"
)
# The page's own scripts may call the API to read; nobody in these tests votes.
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_WORD = re.compile(r"[\w-]+")

# A click that bubbles is heard by JupyterLab, which is slow: for what acts by it only.
POKE = """() => {
  const heard = '[data-commandlinker-command], [onclick], a, button, summary, label, maction, x-y';
  let poked = 0;
  const outputs = [...document.querySelectorAll(
    '.jp-OutputArea-output, .jp-RenderedMarkdown, .jp-RenderedHTMLCommon, .output_area')];
  // Before the first click, which may bring something else to the front.
  for (const output of outputs.filter(output => output.offsetParent !== null)) {
    const frames = [...output.querySelectorAll('iframe')].map(f => f.contentDocument);
    for (const root of [output, ...frames.map(d => d?.body)]) {
      if (root == null) continue;
      for (const node of [...root.querySelectorAll('*')].slice(0, 500)) {
        if (Element.prototype.closest.call(node, 'a[href^=http]') !== null) continue;
        for (const type of ['mouseover', 'mouseenter', 'focus', 'blur', 'toggle', 'error', 'load'])
          node.dispatchEvent(new Event(type));
        const bubbles = Element.prototype.matches.call(node, heard);
        node.dispatchEvent(new MouseEvent('click', {bubbles, cancelable: true}));
        if (node.localName === 'form') node.ownerDocument.defaultView.HTMLFormElement.prototype
          .requestSubmit.call(node);
        poked += 1;
      }
    }
  }
  return poked;
}"""


def filled(text: str, name: str, net: str) -> str:
    """A payload's text with its JavaScript and its address put in."""
    call = CALL.format(name=name)
    loud = SCRIPT.format(name=name, net=f"{net}/{name}")
    text = text.replace("CALL", call).replace("JS", loud)
    return text.replace("NET", f"{net}/{name}").replace("HERE", name)


class OtherPlace:
    """Somewhere that no page has any business with. Each connection is noted."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.visits: list[str] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(1)
                try:
                    said = connection.recv(4096)
                except OSError:
                    said = b""
                self.visits.append(said.split(b"\r\n")[0].decode(errors="replace"))

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@contextmanager
def other_place() -> Iterator[OtherPlace]:
    place = OtherPlace()
    try:
        yield place
    finally:
        place.close()


class Alarms:
    """Watches everything that one person's browser does.

    Args:
        context: The person's browser, logged in already.
        home: Where requests may go, as the beginning of an address.
    """

    def __init__(self, context: BrowserContext, home: str) -> None:
        self._home = home
        self.ran: list[str] = []
        self.left: list[str] = []
        self.asked: list[str] = []
        context.expose_binding("ztCanary", lambda _source, name: self.ran.append(str(name)))
        # Only what no policy of the page has stopped gets as far as a route.
        context.route(lambda url: not url.startswith(home), self._leaves)
        context.on("request", self._request)
        context.on("response", self._response)
        context.on("page", self._page)
        for page in context.pages:
            self._listen(page)

    def heard(self, place: OtherPlace) -> set[str]:
        """The names of what has sounded an alarm, and other words."""
        said = [*self.ran, *self.left, *self.asked, *place.visits]
        return {word for line in said for word in _WORD.findall(line)}

    def _leaves(self, route: Route) -> None:
        if not route.request.url.startswith(("data:", "blob:", "about:")):
            self.left.append(route.request.url)
        if route.request.is_navigation_request():
            # No content (RFC 9110, section 15.3.5): the page stays, and more can be heard.
            route.fulfill(status=204)
        else:
            route.abort()

    def _request(self, request: Request) -> None:
        path = request.url.removeprefix(self._home)
        if path.startswith("/zt/api") and request.method not in _READING:
            self.asked.append(f"{request.method} {path}")
        # A person who types an address sends none; a link and a form do.
        if request.is_navigation_request() and "referer" in request.headers:
            with suppress(Error):  # a frame that is not there yet
                if request.frame.parent_frame is None:
                    self.ran.append(f"a navigation: {request.method} {request.url}")

    def _response(self, response: Response) -> None:
        # A picture's address may be asked for; the answer is no.
        if "payload=" in response.url and response.url.startswith(self._home) and response.ok:
            self.asked.append(f"{response.request.method} {response.url}")

    def _page(self, page: Page) -> None:
        self._listen(page)
        if page.opener() is not None:
            self.ran.append(f"a new page: {page.url}")

    def _listen(self, page: Page) -> None:
        page.on("download", lambda download: self.ran.append(f"a download: {download.url}"))
        page.on("websocket", lambda ws: self._socket(ws.url))
        page.on("framenavigated", lambda frame: self._navigated(frame.url))

    def _socket(self, url: str) -> None:
        if not url.replace("ws", "http", 1).startswith(self._home):
            self.left.append(url)

    def _navigated(self, url: str) -> None:
        if "payload=" in url or url.startswith(("data:", "javascript:")):
            self.ran.append(f"a navigation: {url}")

    def silent(self, page: Page, place: OtherPlace) -> None:
        """Asserts that nothing has happened so far."""
        page.wait_for_timeout(500)
        titles = [page.title()] if page.title().startswith("ran:") else []
        shows = page.evaluate("getComputedStyle(document.body).display")
        assert shows != "none", "the page was repainted"
        happened = (self.ran + titles, self.left, self.asked, place.visits)
        assert happened == ([], [], [], []), happened
