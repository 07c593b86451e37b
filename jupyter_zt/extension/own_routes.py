"""Routes of the server that would show a person what is another's, given to handlers that don't.

The stock handlers are replaced in the routes that they have, once every extension has registered
its own (JupyterLab and Notebook both do), and before the server answers its first request.
"""

from __future__ import annotations

from typing import Final

from jupyter_server.services.events.handlers import SubscribeWebsocket
from jupyterlab_server.licenses_handler import LicensesHandler
from jupyterlab_server.settings_handler import SettingsHandler
from jupyterlab_server.translations_handler import TranslationsHandler
from jupyterlab_server.workspaces_handler import WorkspacesHandler
from tornado.routing import URLSpec
from tornado.web import Application

from jupyter_zt.errors import ConfigError
from jupyter_zt.extension.guarded_routes import rules_of
from jupyter_zt.extension.own_events import OwnEventsHandler
from jupyter_zt.extension.own_lab import (
    AnsweringLicensesHandler,
    OwnSettingsHandler,
    OwnTranslationsHandler,
    OwnWorkspacesHandler,
)

__all__ = ["give_each_person_their_own"]

_REPLACEMENTS: Final[dict[type, type]] = {
    SubscribeWebsocket: OwnEventsHandler,
    WorkspacesHandler: OwnWorkspacesHandler,
    SettingsHandler: OwnSettingsHandler,
    TranslationsHandler: OwnTranslationsHandler,
    LicensesHandler: AnsweringLicensesHandler,
}
_OURS: Final = tuple(_REPLACEMENTS.values())


def give_each_person_their_own(web_app: Application) -> None:
    """Replace every handler that serves everybody the same. Again is fine.

    Raises:
        ConfigError: Another extension does so in a way of its own.
    """
    for rule in rules_of(web_app.default_router):
        handler = rule.target
        if not (isinstance(handler, type) and issubclass(handler, tuple(_REPLACEMENTS))):
            continue
        if issubclass(handler, _OURS):
            continue
        own = _REPLACEMENTS.get(handler)
        if own is None:
            raise ConfigError(
                f"{handler.__module__}.{handler.__qualname__} shows everybody on this server the "
                "same workspaces, settings or events.",
                code="shared_state",
                hint="Take its extension out: jupyter server extension disable "
                f"{handler.__module__.partition('.')[0]}",
            )
        rule.target = own
        if isinstance(rule, URLSpec):
            rule.handler_class = own
