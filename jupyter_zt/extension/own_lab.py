"""JupyterLab's workspaces and settings, apart for each person.

JupyterLab keeps one set of both for a whole server: a reviewer would get the analyst's open tabs,
with kernels, and the shortcuts that somebody else has chosen. Here each person has a folder of
their own below the usual ones.
"""

from __future__ import annotations

import hashlib
from asyncio import Future
from pathlib import Path
from typing import Any, Final

from jupyter_server.base.handlers import APIHandler
from jupyterlab_server.licenses_handler import LicensesHandler
from jupyterlab_server.settings_handler import SettingsHandler
from jupyterlab_server.translations_handler import TranslationsHandler
from jupyterlab_server.workspaces_handler import WorkspacesHandler, WorkspacesManager
from tornado.web import HTTPError

__all__ = [
    "AnsweringLicensesHandler",
    "OwnSettingsHandler",
    "OwnTranslationsHandler",
    "OwnWorkspacesHandler",
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

    auth_resource = "workspaces"

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

    auth_resource = "settings"


class OwnTranslationsHandler(_OwnSettingsFolder, TranslationsHandler):
    """``/lab/api/translations``: in the language of the person's settings."""

    auth_resource = "translations"


class AnsweringLicensesHandler(LicensesHandler):
    """``/lab/api/licenses``, refusals included: the stock one never ends such a request."""

    def finish(  # type: ignore[override]  # of the stock one, which is a coroutine
        self, chunk: Any = None, _mime_type: str = "application/json"
    ) -> Future[None]:
        """End the request with the report, or with the JSON of an error."""
        self.update_api_activity()
        self.set_header("Content-Type", _mime_type)
        return super(APIHandler, self).finish(chunk)
