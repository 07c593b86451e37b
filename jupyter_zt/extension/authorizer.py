"""May this person do this here? Decided on what a request names, never on a handler's class alone.

Each request asks with the resource of its own handler (`jupyter_zt.extension.guarded_routes`). A
handler may ask a second time with jupyter_server's ``@authorized``, which without arguments
remembers the resource of the first class that ran: so kernel ids, session ids and paths decide.

1. A kernel, and a session on it, is its owner's: for everybody else it does not exist (404).
2. Files: below the server's root only, also through symbolic links, which a kernel can make.
   Recordings are never written; their owner and auditors read them. Folders are not copied.
3. Nothing else runs code or reads files here: no terminals, no language servers, no LaTeX.
4. The server's own state is the administrators'.
"""

from __future__ import annotations

import os
import posixpath
from pathlib import Path
from typing import Any

from jupyter_server.auth.authorizer import Authorizer
from jupyter_server.auth.identity import User
from tornado.web import HTTPError
from traitlets import Unicode

from jupyter_zt.extension import ownership
from jupyter_zt.extension.people import person_of
from jupyter_zt.extension.recording_access import is_recording, may_read, recordings_folder
from jupyter_zt.model import ADMIN, Human

__all__ = ["ZTAuthorizer"]

_NOBODY = frozenset({"terminals", "lsp"})
_SERVER_STATE = frozenset({"server", "config", "extensions"})
_FOR_ADMINISTRATORS = frozenset({"metrics"})
_FILES = frozenset({"contents", "nbconvert"})
# The other exporters run LaTeX or a browser on the server, on text that a kernel wrote.
_EXPORTS = frozenset({"html", "notebook", "markdown", "rst", "script", "python", "asciidoc"})


class ZTAuthorizer(Authorizer):
    """Each person their own kernels, everybody the work folder, nobody a way around."""

    recordings_folder = Unicode(help="Folder of recordings; set by c.ZT.recordings_dir.").tag(
        config=True
    )

    async def is_authorized(self, handler: Any, user: User, action: str, resource: str) -> bool:
        """Whether this request may go on.

        Raises:
            HTTPError: 404 for a kernel or session that is not this person's.
        """
        human = person_of(handler)
        if human is None or human.key != user.username or resource in _NOBODY:
            return False
        if resource in _FOR_ADMINISTRATORS or (resource in _SERVER_STATE and action != "read"):
            return ADMIN in human.roles
        if resource == "events" and handler.request.method == "POST":
            # Every page acts on events, so only the server makes them; pages subscribe.
            return False
        await self._check_kernel(handler, human)
        names_file = resource in _FILES or "path" in handler.path_kwargs or handler.path_args
        if names_file and not self._may_touch(handler, human, action):
            return False
        export = handler.path_kwargs.get("format")
        return not (resource == "nbconvert" and export is not None and export not in _EXPORTS)

    # ------------------------------------------------------------------ kernels

    async def _check_kernel(self, handler: Any, human: Human) -> None:
        kernels = [handler.path_kwargs.get("kernel_id")]
        session_id = handler.path_kwargs.get("session_id")
        if session_id is not None:
            session = await handler.session_manager.get_session(session_id=session_id)
            kernels.append(session["kernel"]["id"])
        if "kernels" in handler.request.path or "sessions" in handler.request.path:
            kernels.append(_kernel_of(_body(handler), handler))
        for kernel_id in kernels:
            if kernel_id is not None and ownership.owner_of(str(kernel_id)) != human.key:
                raise HTTPError(404, "Kernel does not exist")

    # ------------------------------------------------------------------ files

    def _may_touch(self, handler: Any, human: Human, action: str) -> bool:
        root = Path(os.path.realpath(getattr(handler.contents_manager, "root_dir", ".")))
        body = _body(handler) if handler.request.method in {"POST", "PATCH"} else {}
        # /files/ doesn't name its argument. A copy reads its source, a rename writes both names.
        wanted = [(path, action) for path in (handler.path_kwargs.get("path"), *handler.path_args)]
        wanted.append((body.get("copy_from"), "copy"))
        if handler.request.method == "PATCH":
            wanted.append((body.get("path"), "write"))
        return all(
            self._may_touch_path(root, path, human, one_action)
            for path, one_action in wanted
            if path is not None
        )

    def _may_touch_path(self, root: Path, path: object, human: Human, action: str) -> bool:
        if not isinstance(path, str) or "\0" in path:
            return False
        named = posixpath.normpath("/" + path.strip("/")).lstrip("/")
        target = Path(os.path.realpath(root / named))
        if not target.is_relative_to(root):
            return False
        if action == "copy" and target.is_dir():
            # The stock manager copies what the links in a folder lead to: recordings, secrets.
            return False
        recordings = recordings_folder(self.recordings_folder, root)
        if not is_recording(root / named, recordings):
            return True
        if action not in {"read", "copy"}:
            return False
        return target.is_dir() or may_read(target, human)


def _body(handler: Any) -> dict[str, Any]:
    """The JSON object of a request; empty when it has none."""
    try:
        body = handler.get_json_body()
    except HTTPError:
        return {}
    return body if isinstance(body, dict) else {}


def _kernel_of(body: dict[str, Any], handler: Any) -> str | None:
    """The running kernel that a request about kernels or sessions names in its body."""
    kernel = body.get("kernel")
    named = kernel.get("id") if isinstance(kernel, dict) else body.get("kernel_id")
    return named if isinstance(named, str) and named in handler.kernel_manager else None
