"""Every route of the server asks who it is and whether they may; or the server does not start.

Jupyter Server asks where a handler asks for it. Several don't: ``/metrics``, ``/api``, OPTIONS,
JupyterLab's and Notebook's pages, and whatever another extension brings. And ``@authorized``
without arguments remembers the resource of the first class that it ran for. So here, once all
extensions have registered their routes, and for those that come later,

1. the routes that are there for people who are not logged in, and no others, are left alone:
   the identity provider's own (login, its callback, logout) and the static files of installed
   packages;
2. each other handler is replaced by a subclass of it that, after Jupyter's own checks, wants a
   login and asks the authorizer, with the action of the request and the resource of the handler;
3. a handler that can't be guarded in this way ends the server.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Final

from jupyter_core.utils import ensure_async
from jupyter_server.auth.identity import IdentityProvider
from jupyter_server.auth.utils import HTTP_METHOD_TO_AUTH_ACTION
from jupyter_server.base.handlers import (
    APIHandler,
    FileFindHandler,
    JupyterHandler,
    PrometheusMetricsHandler,
    PublicStaticFileHandler,
)
from jupyterlab.handlers.build_handler import BuildHandler
from jupyterlab.handlers.extension_manager_handler import ExtensionHandler
from jupyterlab.handlers.plugin_manager_handler import PluginHandler
from jupyterlab_server.themes_handler import ThemesHandler
from tornado.routing import Rule, RuleRouter, URLSpec
from tornado.web import Application, HTTPError, RequestHandler, authenticated
from tornado.websocket import WebSocketHandler

from jupyter_zt.errors import ConfigError

__all__ = ["STATIC_FILES", "GuardedHandler", "guard", "resource_of", "rules_of"]

STATIC_FILES: Final[frozenset[type]] = frozenset(
    {FileFindHandler, PublicStaticFileHandler, ThemesHandler}
)

_RESOURCES: Final[dict[type, str]] = {
    # They change what runs in the server, or in everybody's page.
    BuildHandler: "extensions",
    ExtensionHandler: "extensions",
    PluginHandler: "extensions",
    PrometheusMetricsHandler: "metrics",
}


class GuardedHandler(JupyterHandler):
    """Mixed in before every handler: a login, and the authorizer's yes.

    Attributes:
        resource: What the authorizer is asked about.
    """

    resource: ClassVar[str]

    async def prepare(self, **options: Any) -> None:
        """Before any method of the handler runs."""
        prepared: Any = super().prepare(**options)
        if prepared is not None:
            await prepared
        if self._finished:
            return
        user = self.current_user
        if user is None:
            self._refuse()
            return
        action = "execute" if isinstance(self, WebSocketHandler) else _action(self)
        allowed = self.authorizer.is_authorized(self, user, action, self.resource)
        if not await ensure_async(allowed):
            message = f"User is not authorized to {action} on resource: {self.resource}."
            raise HTTPError(403, message, reason="not_permitted")

    def _refuse(self) -> None:
        """Lead a browser to the login; tell anything else."""
        if isinstance(self, APIHandler | WebSocketHandler):
            raise HTTPError(401, "You are not logged in.", reason="not_logged_in")
        authenticated(lambda _: None)(self)


def guard(web_app: Application, people: IdentityProvider) -> None:
    """Guard every route of the server, and those that are still to come. Again is fine.

    Args:
        web_app: The server's.
        people: Its own handlers are for people who are not logged in.

    Raises:
        ConfigError: A route can't be guarded.
    """
    handlers = [handler for _, handler, *_ in people.get_handlers()]
    left_alone = STATIC_FILES | {handler for handler in handlers if isinstance(handler, type)}
    _guard_all(web_app, left_alone)
    add_handlers = web_app.add_handlers

    def add_guarded(host_pattern: str, host_handlers: Any) -> None:
        add_handlers(host_pattern, host_handlers)
        _guard_all(web_app, left_alone)

    web_app.add_handlers = add_guarded  # type: ignore[method-assign]


def rules_of(router: RuleRouter) -> Iterator[Rule]:
    """Every route of the server, from all routers below this one."""
    for rule in router.rules:
        if isinstance(rule.target, RuleRouter):
            yield from rules_of(rule.target)
        else:
            yield rule


def resource_of(handler: type) -> str:
    """What a handler is about: its own word, or the package that it comes from."""
    for known, resource in _RESOURCES.items():
        if issubclass(handler, known):
            return resource
    own = getattr(handler, "auth_resource", None)
    return own if isinstance(own, str) and own else handler.__module__.partition(".")[0]


def _guard_all(web_app: Application, left_alone: frozenset[type]) -> None:
    for rule in rules_of(web_app.default_router):
        target = rule.target
        if target in left_alone or (
            isinstance(target, type) and issubclass(target, GuardedHandler)
        ):
            continue
        if not (isinstance(target, type) and _can_be_guarded(target)):
            raise ConfigError(
                f"{rule.matcher!r} of this server leads to {target!r}, which asks nobody who they "
                "are.",
                code="unguarded_route",
                hint="Take its extension out: jupyter server extension disable "
                f"{getattr(target, '__module__', '').partition('.')[0]}",
            )
        rule.target = _guarded(target)
        if isinstance(rule, URLSpec):
            rule.handler_class = rule.target


def _can_be_guarded(handler: type) -> bool:
    """Whether nothing of it runs before it is asked: then Tornado's own becomes Jupyter's."""
    if issubclass(handler, JupyterHandler):
        return True
    return issubclass(handler, RequestHandler) and handler.prepare is RequestHandler.prepare


def _guarded(handler: type) -> type:
    members = {
        "resource": resource_of(handler),
        "__module__": handler.__module__,
        "__qualname__": handler.__qualname__,
        "__doc__": handler.__doc__,
    }
    return type(handler.__name__, (GuardedHandler, handler), members)


def _action(handler: JupyterHandler) -> str:
    return HTTP_METHOD_TO_AUTH_ACTION.get(str(handler.request.method).upper(), "write")
