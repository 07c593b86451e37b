"""JupyterLab's workspaces and settings, apart for each person.

JupyterLab keeps one set of both for a whole server: a reviewer would get the analyst's open tabs,
with kernels, and the shortcuts that somebody else has chosen. Here each person has a folder of
their own below the usual ones.

The stock handlers are replaced in the routes that they have, once every extension has registered
its own (JupyterLab and Notebook both do), and before the server answers its first request.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from jupyter_server.base.handlers import APIHandler
from jupyterlab_server.settings_handler import SettingsHandler
from jupyterlab_server.translations_handler import TranslationsHandler
from jupyterlab_server.workspaces_handler import WorkspacesHandler, WorkspacesManager
from tornado.routing import Rule, RuleRouter, URLSpec
from tornado.web import Application, HTTPError

from jupyter_zt.errors import ConfigError

__all__ = [
    "OwnSettingsHandler",
    "OwnTranslationsHandler",
    "OwnWorkspacesHandler",
    "give_each_person_their_own",
]

_PEOPLE: Final = "people"
_READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class _OwnFolder(APIHandler):
    """Once it is known who asks, the request goes on in that person's folder."""

    async def prepare(self) -> None:  # type: ignore[override]  # as APIHandler's own
        """As the base class, then `settle` in the person's folder."""
        await super().prepare()
        if self.current_user is None:
            raise HTTPError(401, "You are not logged in.", reason="not_logged_in")
        self.settle()

    def settle(self) -> None:
        """Set the folder that the base class works in."""
        raise NotImplementedError

    def own(self, shared: str | Path) -> Path:
        """The person's folder below one that is the server's; made before something is written."""
        person = hashlib.sha256(self.current_user.username.encode()).hexdigest()[:32]
        folder = Path(shared, _PEOPLE, person)
        if self.request.method not in _READS:
            folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            folder.mkdir(exist_ok=True, mode=0o700)
        return folder


class OwnWorkspacesHandler(_OwnFolder, WorkspacesHandler):
    """``/lab/api/workspaces``: which tabs are open, and where."""

    def settle(self) -> None:
        """A manager of the person's workspaces."""
        self.manager = WorkspacesManager(str(self.own(self.manager.workspaces_dir)))


class _OwnSettingsFolder(_OwnFolder):
    settings_dir: str

    def settle(self) -> None:
        """The person's settings. The administrator's overrides and all schemas are everybody's."""
        if ".." in self.path_kwargs.get("schema_name", "").split("/"):
            raise HTTPError(404, "There are no such settings.")
        self.settings_dir = str(self.own(self.settings_dir)) if self.settings_dir else ""


class OwnSettingsHandler(_OwnSettingsFolder, SettingsHandler):
    """``/lab/api/settings``: themes, shortcuts, and what else a person chooses."""


class OwnTranslationsHandler(_OwnSettingsFolder, TranslationsHandler):
    """``/lab/api/translations``: in the language of the person's settings."""


_REPLACEMENTS: Final[dict[type, type]] = {
    WorkspacesHandler: OwnWorkspacesHandler,
    SettingsHandler: OwnSettingsHandler,
    TranslationsHandler: OwnTranslationsHandler,
}


def give_each_person_their_own(web_app: Application) -> None:
    """Replace every handler of shared workspaces and settings. Again is fine.

    Raises:
        ConfigError: Another extension serves them in a way of its own.
    """
    for rule in _rules(web_app.default_router):
        handler = rule.target
        if not (isinstance(handler, type) and issubclass(handler, tuple(_REPLACEMENTS))):
            continue
        if issubclass(handler, _OwnFolder):
            continue
        own = _REPLACEMENTS.get(handler)
        if own is None:
            raise ConfigError(
                f"{handler.__module__}.{handler.__qualname__} keeps JupyterLab's workspaces or "
                "settings for everybody on this server.",
                code="shared_lab_state",
                hint="Take its extension out: jupyter server extension disable "
                f"{handler.__module__.partition('.')[0]}",
            )
        rule.target = own
        if isinstance(rule, URLSpec):
            rule.handler_class = own


def _rules(router: RuleRouter) -> Iterator[Rule]:
    """Every route of the server, from all routers below this one."""
    for rule in router.rules:
        if isinstance(rule.target, RuleRouter):
            yield from _rules(rule.target)
        else:
            yield rule
