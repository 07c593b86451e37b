"""Files of the work folder: whose recordings are listed, and that no notebook is trusted."""

# mypy: disable-error-code="no-untyped-call"
# (jupyter_server's managers are partly untyped.)

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

from jupyter_server.base.call_context import CallContext
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from traitlets import Unicode

from jupyter_zt.extension.people import person_of
from jupyter_zt.extension.recording_access import is_recording, may_list, recordings_folder
from jupyter_zt.model import Human

__all__ = ["ZTContentsManager"]


class ZTContentsManager(AsyncLargeFileManager):
    """The stock files, but for whose recordings are listed and for trust.

    Set as ``c.ServerApp.contents_manager_class``. What a person may open, the authorizer decides.

    A kernel can write a notebook, and one person's *Trust Notebook* would have its HTML repaint the
    page, and so the request to decide on, for everybody who opens it later. What the broker lets
    through needs no trust to be shown.
    """

    recordings_folder = Unicode(help="Folder of recordings; set by c.ZT.recordings_dir.").tag(
        config=True
    )

    async def get(
        self,
        path: str,
        content: bool = True,  # noqa: FBT001, FBT002 - the base class's signature
        type: str | None = None,  # noqa: A002 - as above
        format: str | None = None,  # noqa: A002 - as above
        require_hash: bool = False,  # noqa: FBT001, FBT002 - as above
    ) -> dict[str, Any]:
        """As the stock manager; a folder's content without recordings of others."""
        model: dict[str, Any] = await super().get(path, content, type, format, require_hash)
        if model["type"] == "directory" and content:
            model["content"] = await asyncio.to_thread(self._listed, model["content"], _person())
        return model

    def check_and_sign(self, nb: Any, path: str = "", *, _retrying: bool = False) -> None:
        """Signs nothing: a signature is what a stock server takes for trust."""

    def mark_trusted_cells(self, nb: Any, path: str = "") -> None:
        """Marks every cell as not trusted, whatever the file or an older signature says."""
        self.notary.mark_cells(nb, trusted=False)

    def _listed(self, entries: list[dict[str, Any]], person: Human | None) -> list[dict[str, Any]]:
        root = Path(os.path.realpath(self.root_dir))
        recordings = recordings_folder(self.recordings_folder, root)

        def is_listed(entry: dict[str, Any]) -> bool:
            path = root / entry["path"].strip("/")
            if entry["type"] == "directory" or not is_recording(path, recordings):
                return True
            return person is not None and may_list(Path(os.path.realpath(path)), person)

        return [entry for entry in entries if is_listed(entry)]


def _person() -> Human | None:
    """Whose request this is."""
    handler = CallContext.get(CallContext.JUPYTER_HANDLER)
    return person_of(handler) if handler else None
