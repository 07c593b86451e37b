"""What JupyterHub tells a single-user server, in its environment, about the Hub.

The Hub makes these variables; nothing else in them is believed than what the Hub's own extension
believes. Whether that extension runs is checked before the server serves (`preconditions`).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

__all__ = ["hub_address", "is_hubs_provider", "keeps_user_config", "runs_under_hub", "work_folder"]

_PROVIDER: Final = "jupyterhub.singleuser.extension.JupyterHubIdentityProvider"


def runs_under_hub() -> bool:
    """Whether a Hub started this process as somebody's single-user server."""
    return bool(os.environ.get("JUPYTERHUB_USER") and os.environ.get("JUPYTERHUB_API_TOKEN"))


def hub_address() -> str:
    """The Hub as browsers know it (``https://hub.example.org/hub/``); "" when it does not say."""
    return os.environ.get("JUPYTERHUB_PUBLIC_HUB_URL", "")


def keeps_user_config() -> bool:
    """Whether files in the person's home may configure this server, and so run code in it."""
    return os.environ.get("JUPYTERHUB_DISABLE_USER_CONFIG", "").lower() not in {"1", "true"}


def work_folder() -> Path | None:
    """``c.Spawner.notebook_dir``; None when it is not set."""
    folder = os.environ.get("JUPYTERHUB_ROOT_DIR", "")
    return Path(folder).expanduser() if folder else None


def is_hubs_provider(provider: object) -> bool:
    """Whether this is the Hub's own identity provider."""
    # By name: JupyterHub need not be installed for a server that runs without it.
    names = (f"{kind.__module__}.{kind.__qualname__}" for kind in type(provider).__mro__)
    return _PROVIDER in names
