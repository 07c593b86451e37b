"""Who is asking, whoever answers that for this server: our OpenID login, or JupyterHub's."""

from __future__ import annotations

from typing import Any, Final, Protocol

from jupyter_server.base.handlers import APIHandler
from tornado import web

from jupyter_zt.model import Human

__all__ = ["PEOPLE", "Asked", "person_of", "refuse_api_call"]

PEOPLE: Final = "zt_people"
"""Name of the web application's setting that holds who answers (`Asked`)."""


class Asked(Protocol):
    """Who knows the person of a request."""

    def person(self, handler: Any) -> Human | None:
        """The person of a request; None when nobody is logged in."""


def person_of(handler: Any) -> Human | None:
    """The person of a request; None when nobody is logged in."""
    asked: Asked = handler.settings.get(PEOPLE, handler.identity_provider)
    return asked.person(handler)


def refuse_api_call(handler: web.RequestHandler, code: str) -> None:
    """JSON instead of a redirect to a page, where somebody must be logged in.

    Raises:
        HTTPError: 401 with the code as its reason, for a call of the API.
    """
    method = getattr(handler, str(handler.request.method).lower(), None)
    if isinstance(handler, APIHandler) and not getattr(method, "__allow_unauthenticated", False):
        text = "Your login has ended. Log in again."
        raise web.HTTPError(401, text, reason=code)
