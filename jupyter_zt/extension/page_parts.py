"""What a page that a kernel wrote may ask of this server, with the reader's cookies: pictures."""

from __future__ import annotations

from typing import Final

from jupyter_server.base.handlers import APIHandler
from tornado import web

__all__ = ["refuse_parts_of_a_page"]

# "document": somebody looks at the JSON. Clients that are no browsers say nothing.
_ASKED_BY_SCRIPTS_OR_PEOPLE: Final = frozenset({"", "empty", "document"})


def refuse_parts_of_a_page(handler: web.RequestHandler, logout: type[web.RequestHandler]) -> None:
    """A picture's address neither logs out nor asks an API.

    Args:
        handler: A request, before anybody has looked at its cookies.
        logout: What serves the address at which people log out.

    Raises:
        HTTPError: 403: the browser says (Fetch Metadata, ``Sec-Fetch-Dest``) that the answer would
            be an image, a style, a frame or another part of a page.
    """
    meant_for = handler.request.headers.get("Sec-Fetch-Dest", "")
    acts = isinstance(handler, APIHandler | logout)
    if acts and meant_for not in _ASKED_BY_SCRIPTS_OR_PEOPLE:
        raise web.HTTPError(403, "This address is no part of a page.", reason="not_permitted")
