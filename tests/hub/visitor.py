"""Somebody at the Hub with a browser that shows nothing: cookies and forms only."""

from __future__ import annotations

import base64
import html
import re
from typing import Any
from urllib.parse import urljoin

import httpx

from tests.hub import stand


class Visitor:
    """A person of the Hub.

    Attributes:
        http: Keeps the browser's cookies and follows redirects.
    """

    def __init__(self, hub: stand.Hub, name: str) -> None:
        self.hub = hub
        self.name = name
        self.http = httpx.Client(base_url=hub.url, follow_redirects=True, timeout=60)
        page = self.http.get("/hub/login")
        fields = {"username": name, "password": stand.PASSWORD, "_xsrf": _xsrf_field(page)}
        self.http.post("/hub/login", data=fields)

    def visit(self, owner: str = "", path: str = "/lab") -> httpx.Response:
        """A page of somebody's server, through the Hub's question whether that is meant."""
        owner = owner or self.name
        self.hub.start_servers(owner)
        page = self.http.get(f"/user/{owner}{path}")
        if "oauth2/authorize" in str(page.url):
            fields = {"_xsrf": _xsrf_field(page), "scopes": _scopes(page)}
            page = self.http.post(urljoin(str(page.url), page.url.raw_path.decode()), data=fields)
        return page

    def call(self, method: str, path: str, owner: str = "", **options: Any) -> httpx.Response:
        """An API call of a server's page."""
        base = f"/user/{owner or self.name}/"
        xsrf = next((c.value for c in self._cookies(base) if c.name == "_xsrf"), "") or ""
        headers = {"X-XSRFToken": xsrf}
        return self.http.request(method, base + path, headers=headers, **options)

    def token(self, owner: str = "") -> str:
        """What the Hub gave a server for this browser; the browser holds it, signed."""
        base = f"/user/{owner or self.name}/"
        [cookie] = [c for c in self._cookies(base) if c.name.startswith("jupyterhub-user-")]
        signed = str(cookie.value).strip('"').split("|")
        return base64.b64decode(signed[4].partition(":")[2]).decode()

    def log_out(self) -> None:
        """As the Hub's own button does."""
        self.http.get("/hub/logout")

    def _cookies(self, path: str) -> list[Any]:
        return [cookie for cookie in self.http.cookies.jar if cookie.path == path]


def _xsrf_field(page: httpx.Response) -> str:
    found = re.search(r'name="_xsrf"\s+value="([^"]*)"', page.text)
    assert found, page.text
    return html.unescape(found[1])


def _scopes(page: httpx.Response) -> list[str]:
    fields = [tag for tag in re.findall(r"<input[^>]*>", page.text) if 'name="scopes"' in tag]
    return [html.unescape(re.findall(r'value="([^"]*)"', tag)[0]) for tag in fields]
