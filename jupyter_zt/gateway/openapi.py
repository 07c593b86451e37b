"""Prints the control API's OpenAPI document: the one source of the front end's types."""

from __future__ import annotations

import json
import sys
from typing import cast

from jupyter_zt.gateway.app import create_app
from jupyter_zt.gateway.rooms import Rooms


def document() -> str:
    """The OpenAPI document as JSON text."""
    # No request is served here, so no room is needed.
    app = create_app(cast("Rooms", None))
    return json.dumps(app.openapi(), indent=2) + "\n"


if __name__ == "__main__":
    sys.stdout.write(document())
