"""Files of the work folder, served so that none of them acts in the reader's page.

A kernel writes to the work folder. A script that it wrote would be the server's own under a content
security policy of ``script-src 'self'``, so nothing is served as a script, a style sheet or a page.
"""

from __future__ import annotations

import mimetypes
from typing import Final

from jupyter_server.base.handlers import AuthenticatedFileHandler

__all__ = ["InertFilesHandler"]

_SHOWN: Final = ("image/", "audio/", "video/")
_DATA: Final = frozenset({"application/json", "application/pdf"})
_POLICY: Final = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; sandbox"


class InertFilesHandler(AuthenticatedFileHandler):
    """Pictures, sound and films as what they are, text as plain text, the rest as bytes."""

    @property
    def content_security_policy(self) -> str:
        """Whatever is opened has no origin, no script and no network."""
        return f"{_POLICY}; frame-ancestors 'self'"

    def get_content_type(self) -> str:
        """By the file's name, and never one that a browser runs."""
        if self.absolute_path is None:
            return "application/octet-stream"
        guessed, encoding = mimetypes.guess_type(self.absolute_path)
        if guessed is None or encoding is not None:
            return "application/octet-stream"
        if guessed.startswith(_SHOWN):
            return guessed
        if guessed.startswith("text/"):
            return "text/plain; charset=UTF-8"
        return guessed if guessed in _DATA else "application/octet-stream"
