"""The gateway's application: rooms opened at start, closed at the end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from jupyter_zt._version import __version__
from jupyter_zt.gateway.control import Control, health
from jupyter_zt.gateway.problems import install_problem_handlers
from jupyter_zt.gateway.remote import RemoteSessions
from jupyter_zt.gateway.rooms import Rooms


def create_app(rooms: Rooms) -> FastAPI:
    """The control API over these rooms."""
    control = Control(rooms)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await rooms.start(control.session_app)
        yield
        await rooms.stop()

    app = FastAPI(
        title="Jupyter ZT gateway",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        # The document is printed by `python -m jupyter_zt.gateway.openapi`, not served.
        openapi_url=None,
    )
    install_problem_handlers(app)
    app.add_middleware(RemoteSessions, session_app=control.session_app, rooms=rooms)
    app.add_api_route("/healthz", health, methods=["GET"])
    app.include_router(control.router())
    return app
