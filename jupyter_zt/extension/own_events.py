"""The server's events, for each person what concerns them.

Jupyter Server tells every page of every kernel that starts and every file that is looked at: other
people's kernels and the names of their recordings.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

from jupyter_server.services.events.handlers import SubscribeWebsocket

from jupyter_zt.extension import ownership
from jupyter_zt.extension.recording_access import is_recording, recordings_folder

__all__ = ["OwnEventsHandler"]

_KERNELS: Final = "https://events.jupyter.org/jupyter_server/kernel_actions/"
_FILES: Final = "https://events.jupyter.org/jupyter_server/contents_service/"


class OwnEventsHandler(SubscribeWebsocket):
    """``/api/events/subscribe``: changes of the shared files, and the person's own kernels."""

    async def event_listener(self, logger: Any, schema_id: str, data: dict[str, Any]) -> None:
        """Pass on an event, or keep it. What is not known is kept."""
        if self._concerns_them(schema_id, data):
            await super().event_listener(logger, schema_id, data)

    def _concerns_them(self, schema_id: str, data: dict[str, Any]) -> bool:
        if schema_id.startswith(_KERNELS):
            kernel = str(data.get("kernel_id", ""))
            return bool(ownership.owner_of(kernel) == self.current_user.username)
        if schema_id.startswith(_FILES) and data.get("action") != "get":
            paths = (data.get("path"), data.get("source_path"))
            return not any(self._is_recording(path) for path in paths if path)
        return False

    def _is_recording(self, path: str) -> bool:
        files: Any = self.contents_manager
        root = Path(os.path.realpath(files.root_dir))
        recordings = recordings_folder(files.recordings_folder, root)
        return is_recording(Path(os.path.normpath(root / path.strip("/"))), recordings)
