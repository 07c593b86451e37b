"""What must hold before the server may serve: fail closed, and say which lines are missing."""

from __future__ import annotations

import ssl
import stat
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from jupyter_server.serverapp import ServerApp

from jupyter_zt.errors import ConfigError
from jupyter_zt.extension.authorizer import ZTAuthorizer
from jupyter_zt.extension.hub_environment import (
    is_hubs_provider,
    keeps_user_config,
    runs_under_hub,
)
from jupyter_zt.extension.identity_provider import ZTIdentityProvider
from jupyter_zt.extension.kernels import ZTKernelManager
from jupyter_zt.extension.own_files import ZTContentsManager
from jupyter_zt.extension.own_kernels import ZTSessionManager
from jupyter_zt.extension.server_settings import CONFIGURE_LINE
from jupyter_zt.extension.websocket import ZTWebsocketConnection
from jupyter_zt.identity.gateway_tls import tls_context

__all__ = [
    "check_gateway_url",
    "check_issuer",
    "check_recordings_folder",
    "check_server",
    "gateway_tls",
    "read_broker_secret",
]

_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


def check_server(server: ServerApp) -> None:
    """Whether each door of this server is the one that Jupyter ZT guards.

    Raises:
        ConfigError: With every setting that is missing or was changed.
    """
    identity = _hub_requirements(server) if runs_under_hub() else _login_requirements(server)
    wrong = [name for name, holds in (identity | _requirements(server)).items() if not holds]
    if not wrong:
        return
    settings = "\n    ".join(wrong)
    raise ConfigError(
        f"Jupyter ZT is installed in this server, but it does not guard it:\n    {settings}",
        code="server_not_guarded",
        hint=f"Write this line at the end of jupyter_server_config.py:\n    {CONFIGURE_LINE}\n"
        "  or take the extension out: jupyter server extension disable jupyter_zt",
    )


def _login_requirements(server: ServerApp) -> dict[str, bool]:
    return {
        "c.ServerApp.identity_provider_class is not ZTIdentityProvider": isinstance(
            server.identity_provider, ZTIdentityProvider
        )
    }


def _hub_requirements(server: ServerApp) -> dict[str, bool]:
    return {
        "c.ServerApp.identity_provider_class is not JupyterHub's: start `jupyterhub-singleuser`": (
            is_hubs_provider(server.identity_provider)
        ),
        "c.Spawner.disable_user_config is False (in jupyterhub_config.py): files in a person's "
        "home would configure the server": not keeps_user_config(),
    }


def _requirements(server: ServerApp) -> dict[str, bool]:
    """Setting, as an administrator writes it -> whether it holds."""
    websocket = server.kernel_websocket_connection_class
    return {
        "c.ServerApp.authorizer_class is not ZTAuthorizer": isinstance(
            server.authorizer, ZTAuthorizer
        ),
        "c.ServerApp.kernel_manager_class is not ZTKernelManager": isinstance(
            server.kernel_manager, ZTKernelManager
        ),
        "c.ServerApp.session_manager_class is not ZTSessionManager": isinstance(
            server.session_manager, ZTSessionManager
        ),
        "c.ServerApp.contents_manager_class is not ZTContentsManager": isinstance(
            server.contents_manager, ZTContentsManager
        ),
        "c.ServerApp.kernel_websocket_connection_class is not ZTWebsocketConnection": issubclass(
            websocket, ZTWebsocketConnection
        ),
        "c.ServerApp.allow_unauthenticated_access is True": not server.allow_unauthenticated_access,
        "c.ServerApp.disable_check_xsrf is True": not server.disable_check_xsrf,
        "c.ServerApp.terminals_enabled is True: a terminal has no sandbox": not (
            server.terminals_enabled
        ),
        "c.ServerApp.allow_external_kernels is True": not server.allow_external_kernels,
        "c.ServerApp.reraise_server_extension_failures is False": (
            server.reraise_server_extension_failures
        ),
    }


def check_gateway_url(url: str) -> None:
    """Tokens travel to the gateway over TLS, or on this host only.

    Raises:
        ConfigError: It is no such address.
    """
    parts = urlsplit(url)
    if parts.scheme == "https" and parts.hostname:
        return
    if parts.scheme == "http" and parts.hostname in _LOOPBACK:
        return
    raise ConfigError(
        f"c.ZT.gateway_url is {url!r}.",
        code="bad_gateway_url",
        hint="Write https://..., or http://127.0.0.1:<port> for a gateway on this host.",
    )


def check_issuer(issuer: str) -> None:
    """Records say whose Hub a person is of, and gateway and broker must call it the same.

    Raises:
        ConfigError: It is not known.
    """
    if not issuer.startswith(("https://", "http://")):
        raise ConfigError(
            "The Hub's public address is not known.",
            code="hub_unknown",
            hint="Write c.JupyterHub.public_url = 'https://hub.example.org/' in "
            "jupyterhub_config.py, or c.ZTHub.issuer here.",
        )


def gateway_tls(url: str, ca_file: str) -> ssl.SSLContext | None:
    """How the gateway's certificate is verified; None for http on this host.

    Args:
        url: The gateway's address.
        ca_file: Certificates of the authorities that are believed; "" for the system's.

    Raises:
        ConfigError: The file can't be used.
    """
    if urlsplit(url).scheme != "https":
        return None
    return tls_context(ca_file, "c.ZT.gateway_ca_file")


def check_recordings_folder(recordings: Path, root: Path) -> None:
    """A kernel could rename a folder between the root and the recordings, and so move them.

    Raises:
        ConfigError: There is one, or the root lies in the folder of recordings.
    """
    real = recordings.parent.resolve() / recordings.name
    top = root.resolve()
    if real.parent == top or not (real.is_relative_to(top) or top.is_relative_to(real)):
        return
    raise ConfigError(
        f"c.ZT.recordings_dir is {str(recordings)!r}, and the server's root is {str(root)!r}.",
        code="bad_recordings_dir",
        hint="Write a folder directly in the root, or one outside of it.",
    )


def read_broker_secret(path: str) -> str:
    """What proves to the gateway that this server is its broker.

    Raises:
        ConfigError: There is no such file, it is empty, or others may read it.
    """
    hint = "Write c.ZT.broker_secret_file = '<the file that broker.secret in gateway.yaml names>'."
    if not path:
        raise ConfigError("c.ZT.broker_secret_file is not set.", code="no_broker_secret", hint=hint)
    file = Path(path).expanduser()
    try:
        mode = file.stat().st_mode
        secret = file.read_text("ascii").strip()
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"The broker's secret can't be read: {error}", code="no_broker_secret", hint=hint
        ) from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigError(
            "The broker's secret may be read by others.",
            file=path,
            code="broker_secret_open",
            hint=f"chmod 600 {path}",
        )
    if not secret:
        raise ConfigError(
            "The broker's secret is empty.", file=path, code="no_broker_secret", hint=hint
        )
    return secret
