"""The server-level settings that Jupyter ZT rests on.

The one documented line of ``jupyter_server_config.py``::

    from jupyter_zt.extension import configure; configure(c)

In a single-user server of JupyterHub the same line sets everything but the identity provider: the
Hub's own stays.

The wheel sets none of them by itself: an installed package must not take over the login of a server
whose administrator has not asked for it. A server with the extension but without these settings
does not start (`jupyter_zt.extension.preconditions`).
"""

from __future__ import annotations

import secrets
from typing import Any, Final

from jupyter_zt.extension.hub_environment import runs_under_hub, work_folder

__all__ = ["CONFIGURE_LINE", "configure"]

CONFIGURE_LINE: Final = "from jupyter_zt.extension import configure; configure(c)"

_HUB_CACHE_SECONDS: Final = 10
"""So long a request passes on what the Hub said before. JupyterHub's own default: five minutes."""

# Scripts come from the server's own files only; JupyterLab does not start without 'unsafe-eval'.
# Nothing is fetched from another place: a kernel has no network, and a notebook or document that it
# wrote must not use the reader's (an image's address can carry data). The named sites are those of
# JupyterLab's Help menu, which shows them in frames.
_CONTENT_SECURITY_POLICY: Final = (
    "default-src 'self'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; "
    "frame-src 'self' blob: https://jupyterlab.readthedocs.io https://jupyter.org"
    " https://commonmark.org; "
    "form-action 'self'; frame-ancestors 'self'; object-src 'none'; base-uri 'none'"
)


def configure(c: Any) -> None:
    """Set every server-level option that Jupyter ZT needs.

    Args:
        c: The configuration object of a Jupyter configuration file (``get_config()``). Settings
            made after this call win; those that would open a path make the server refuse to start.
    """
    extension = "jupyter_zt.extension"
    # (1) Who is asking: OpenID Connect or JupyterHub; each request authenticated and authorized.
    if runs_under_hub():
        _configure_for_hub(c)
    else:
        c.ServerApp.identity_provider_class = f"{extension}.identity_provider.ZTIdentityProvider"
        c.IdentityProvider.token = ""
    c.ServerApp.authorizer_class = f"{extension}.authorizer.ZTAuthorizer"
    c.ServerApp.allow_unauthenticated_access = False
    c.ServerApp.disable_check_xsrf = False
    # In memory only: the stock server's lies in a file that any process of its user can read.
    c.ServerApp.cookie_secret = secrets.token_bytes(32)

    # (2) What runs: our kernel, in its sandbox, on its own sockets. No other way to run code.
    c.ServerApp.kernel_manager_class = f"{extension}.kernels.ZTKernelManager"
    c.ServerApp.session_manager_class = f"{extension}.own_kernels.ZTSessionManager"
    c.AsyncMappingKernelManager.default_kernel_name = "zt"
    c.KernelSpecManager.ensure_native_kernel = False
    c.KernelManager.transport = "ipc"
    c.ServerApp.allow_external_kernels = False
    c.ServerApp.terminals_enabled = False
    # Language servers and the extension manager run programs beside the sandbox, not in it.
    c.ServerApp.jpserver_extensions.update({"jupyter_lsp": False})
    c.LabApp.extension_manager = "readonly"

    # (3) Whose recordings are listed.
    c.ServerApp.contents_manager_class = f"{extension}.own_files.ZTContentsManager"

    # (4) What the page is shown, and what may act in it.
    c.ServerApp.kernel_websocket_connection_class = f"{extension}.websocket.ZTWebsocketConnection"
    c.FileContentsManager.files_handler_class = f"{extension}.files.InertFilesHandler"
    headers = {
        "Content-Security-Policy": _CONTENT_SECURITY_POLICY,
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
    }
    settings = c.ServerApp.get("tornado_settings", {})
    headers = settings.get("headers", {}) | headers
    c.ServerApp.tornado_settings = {**settings, "headers": headers}

    # (5) Without the extension there is no server: a failure to load it is not only logged.
    c.ServerApp.jpserver_extensions.update({"jupyter_zt": True})
    c.ServerApp.reraise_server_extension_failures = True


def _configure_for_hub(c: Any) -> None:
    """The Hub's extension sets its identity provider; what is left is to make it forget soon."""
    c.HubOAuth.cache_max_age = _HUB_CACHE_SECONDS
    c.HubOAuth.allow_token_in_url = False
    folder = work_folder()
    if folder is not None:
        # The Hub's extension says so too, but later than our parts ask for it.
        c.ServerApp.root_dir = str(folder)
