"""Every route of a real server, one by one: who may come in, and what the authorizer is asked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from jupyter_server.auth.identity import IdentityProvider
from tornado.web import Application, FallbackHandler

from jupyter_zt.errors import ConfigError
from jupyter_zt.extension.guarded_routes import guard
from tests.identity import world
from tests.identity.jupyter import Jupyter, Person, jupyter_with_demo_provider

# Whoever is not logged in may come so far, and no further.
PUBLIC = {
    "jupyter_zt.extension.login.LoginHandler",
    "jupyter_zt.extension.login.CallbackHandler",
    "jupyter_zt.extension.login.LogoutHandler",
    "jupyter_zt.extension.login.LoggedOutHandler",
    "jupyter_zt.extension.backchannel.BackChannelLogoutHandler",
    "jupyter_server.base.handlers.FileFindHandler",
    "jupyter_server.base.handlers.PublicStaticFileHandler",
    "jupyterlab_server.themes_handler.ThemesHandler",
}

# An extension as careless as they come: open to everybody, and late.
CARELESS = """
import asyncio
from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.utils import url_path_join
from jupyter_zt.extension.guarded_routes import GuardedHandler, rules_of
from tornado.web import RequestHandler

missing = JupyterHandler._unimplemented_method

class Plain(RequestHandler):
    def get(self):
        self.finish("open to everybody")

class Open(JupyterHandler):
    @allow_unauthenticated
    def get(self):
        self.finish("open to everybody")

class Late(Open):
    pass

class Routes(JupyterHandler):
    @allow_unauthenticated
    def get(self):
        self.finish({"routes": [
            {
                "pattern": rule.matcher.regex.pattern,
                "handler": f"{rule.target.__module__}.{rule.target.__qualname__}",
                "resource": getattr(rule.target, "resource", ""),
                "guarded": issubclass(rule.target, GuardedHandler),
                "methods": [
                    method for method in rule.target.SUPPORTED_METHODS
                    if getattr(rule.target, method.lower()) is not missing
                ],
            }
            for rule in rules_of(self.application.default_router)
            if hasattr(rule.matcher, "regex")
        ]})

def _jupyter_server_extension_points():
    return [{"module": "careless"}]

def _load_jupyter_server_extension(app):
    routes = {"open": Open, "routes": Routes, "plain": Plain}
    app.web_app.add_handlers(".*$", [(f"/careless/{name}", routes[name]) for name in routes])

async def _start_jupyter_server_extension(app):
    later = lambda: app.web_app.add_handlers(".*$", [("/careless/late", Late)])
    asyncio.get_running_loop().call_later(0.5, later)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jupyter]:
    folder = tmp_path_factory.mktemp("routes")
    (folder / "careless.py").write_text(CARELESS)
    setting = 'c.ServerApp.jpserver_extensions.update({"careless": True, "notebook": True})'
    with jupyter_with_demo_provider(folder, setting, extension=True) as running:
        yield running


@pytest.fixture(scope="module")
def routes(server: Jupyter) -> list[dict[str, Any]]:
    person = server.person("analyst")
    world.wait_until(lambda: person.call("GET", "/careless/late").status_code == 200, seconds=30)
    found = person.call("GET", "/careless/routes").json()["routes"]
    assert len(found) > 60
    handlers = {route["handler"] for route in found}
    assert {"careless.Open", "careless.Late", "notebook.app.TreeHandler"} <= handlers
    assert "jupyter_zt.extension.handlers.VotesHandler" in handlers
    return list(found)


def example(pattern: str) -> str:
    """An address that a route's pattern matches."""
    path = pattern.removesuffix("$")
    for part, value in (
        (r"\\w+-\\w+-\\w+-\\w+-\\w+", "0a-1b-2c-3d-4e"),
        (r"\(\?:\(\?:/\[\^/\]\+\)\+\|/\?\)", "/a.ipynb"),
        (r"\(\?P<mode>lab\|doc\)", "lab"),
        (r"\(\?P<(workspace|tree)>[^)]*\)\?", ""),
        (r"p_\[0-9a-f\]\{8,64\}", "p_00000000"),
        (r"restart\|interrupt", "restart"),
        (r"robots\\.txt\|favicon\\.ico", "favicon.ico"),
        (r"\[[^\]]*\]\+|\\w\+", "python3"),
        (r"\.[+*]", "x"),
        (r"/\?$", ""),
        (r"\\(.)", r"\1"),
        (r"\(\?P<\w+>|[()]", ""),
    ):
        path = re.sub(part, value, path)
    assert re.fullmatch(pattern, path), (pattern, path)
    return path


def test_every_route_names_what_it_is_about_and_only_the_login_and_static_files_are_public(
    routes: list[dict[str, Any]],
) -> None:
    assert {route["handler"] for route in routes if not route["guarded"]} == PUBLIC
    unnamed = [route for route in routes if route["guarded"] and not route["resource"]]
    assert unnamed == []
    resources = {route["handler"].rpartition(".")[2]: route["resource"] for route in routes}
    assert resources["ContentsHandler"] == "contents"
    assert resources["ExtensionHandler"] == "extensions"
    assert resources["VotesHandler"] == "zt"
    assert resources["OwnWorkspacesHandler"] == "workspaces"
    assert resources["LabHandler"] == "jupyterlab_server"


def test_no_route_answers_somebody_who_is_not_logged_in(
    server: Jupyter, routes: list[dict[str, Any]]
) -> None:
    # With a valid pair of XSRF tokens, which anybody can make up: it must not be that.
    token = "0123456789abcdef" * 2
    headers = {"Cookie": f"_xsrf={token}", "X-XSRFToken": token}
    tried = 0
    with httpx.Client(base_url=server.url, headers=headers) as nobody:
        for route in routes:
            if not route["guarded"]:
                continue
            for method in route["methods"]:
                path = example(route["pattern"])
                answer = nobody.request(method, path, json={} if method != "GET" else None)
                led = answer.is_redirect and answer.headers["location"].startswith("/login?")
                refused = answer.status_code in {401, 403, 404}
                assert led or refused, (method, path, answer.status_code, answer.text[:300])
                # 404 only where nothing is for anybody.
                assert answer.status_code != 404 or path == "x", (method, path)
                tried += 1
    assert tried > 90


@pytest.mark.parametrize(
    "path",
    [
        "/careless/open",
        "/careless/plain",
        "/careless/late",
        "/metrics",
        "/api",
        "/lab/api/licenses/",
    ],
)
def test_a_route_that_others_left_open_is_closed(path: str, server: Jupyter) -> None:
    answer = httpx.get(server.url + path)
    assert "everybody" not in answer.text
    assert answer.status_code in {302, 401, 403}
    allowed = server.person("admin").call("GET", path)
    assert allowed.status_code == 200


def test_what_runs_in_the_server_is_the_administrators(server: Jupyter) -> None:
    analyst: Person = server.person("analyst")
    assert analyst.call("GET", "/metrics").status_code == 403
    for path in ("/lab/api/extensions", "/lab/api/build", "/lab/api/plugins"):
        answer = analyst.call("POST", path, {})
        assert (answer.status_code, answer.json()["reason"]) == (403, "not_permitted"), path


def test_a_route_that_can_not_be_guarded_ends_the_server() -> None:
    route = ("/free", FallbackHandler, {"fallback": lambda _: None})
    with pytest.raises(ConfigError) as refusal:
        guard(Application([route]), IdentityProvider())
    assert refusal.value.code == "unguarded_route"
    late = Application()
    guard(late, IdentityProvider())
    with pytest.raises(ConfigError):
        late.add_handlers(".*", [route])
