"""The server extension: its options, and how it fails closed.

Jupyter Server only logs an extension that fails to load, and serves without it. This one ends the
server instead: a page without the broker would look the same and guard nothing.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from jupyter_server.extension.application import ExtensionApp
from jupyter_server.serverapp import ServerApp
from traitlets import Bool, Dict, Unicode
from traitlets.config import Config

from jupyter_zt.errors import ConfigError
from jupyter_zt.extension.broker import Broker
from jupyter_zt.extension.gateway_client import GatewayClient
from jupyter_zt.extension.guarded_routes import guard
from jupyter_zt.extension.handlers import api_handlers
from jupyter_zt.extension.hub_environment import runs_under_hub
from jupyter_zt.extension.hub_people import HubLoginHandler, ZTHub
from jupyter_zt.extension.own_routes import give_each_person_their_own
from jupyter_zt.extension.people import PEOPLE
from jupyter_zt.extension.preconditions import (
    check_gateway_url,
    check_issuer,
    check_recordings_folder,
    check_server,
    gateway_tls,
    read_broker_secret,
)
from jupyter_zt.extension.recording_access import recordings_folder
from jupyter_zt.extension.relays import Relays
from jupyter_zt.extension.sandbox import set_session_opener
from jupyter_zt.identity.exchange import ACCESS_TOKEN, ID_TOKEN

__all__ = ["ZT"]


class ZT(ExtensionApp):
    """Jupyter ZT's broker in a Jupyter server (``c.ZT...``)."""

    name = "zt"
    load_other_extensions = True

    gateway_url = Unicode(
        "http://127.0.0.1:8900",
        config=True,
        help="Address of the gateway's control API: https, or http on this host.",
    )
    gateway_ca_file = Unicode(
        config=True,
        help="PEM file with the authorities that may sign the gateway's certificate. Default: the "
        "system's.",
    )
    relay = Bool(
        None,
        allow_none=True,
        config=True,
        help="Reach sessions through relays of this server, not on sockets of the gateway. "
        "Default: where gateway_url is https. Needed too where the gateway is another user of this "
        "host.",
    )
    broker_secret_file = Unicode(
        config=True,
        help="File (mode 0600) with the secret that `broker.secret` in gateway.yaml names.",
    )
    recordings_dir = Unicode(
        config=True,
        help="Folder of recordings, which no kernel sees: directly in the server's root folder, or "
        "outside of it. Default: `recordings` in the root folder.",
    )
    allow_unsandboxed = Bool(
        False,
        config=True,
        help="Start kernels where there is no sandbox. They can then reach whatever this server's "
        "user can; every page and every record says so.",
    )
    allow_other_kernels = Bool(
        False,
        config=True,
        help="Allow kernels other than `zt`: neither confined, nor filtered, nor recorded.",
    )

    agents = Dict(
        value_trait=Unicode(),
        key_trait=Unicode(),
        config=True,
        help="Notebooks in which a registered agent acts, for their whole session: pattern of the "
        'path -> name of the agent, such as {"agents/*": "react"}. The first match counts.',
    )

    _broker: Broker | None = None
    _hub: ZTHub | None = None

    def _link_jupyter_server_extension(self, serverapp: ServerApp) -> None:
        """Pass on what the server's parts must know, before it makes them."""
        super()._link_jupyter_server_extension(serverapp)
        folder = {"recordings_folder": str(self._recordings(serverapp))}
        sandbox: dict[str, Any] = {**folder, "allow_unsandboxed": self.allow_unsandboxed}
        if self.broker_secret_file:
            secret = Path(self.broker_secret_file).expanduser().absolute()
            known = serverapp.config.SandboxProvisioner.get("protected_paths", [])
            sandbox["protected_paths"] = [*known, os.fspath(secret)]
        serverapp.update_config(
            Config(
                {
                    "SandboxProvisioner": sandbox,
                    "ZTAuthorizer": folder,
                    "ZTContentsManager": folder,
                }
            )
        )
        if not self.allow_other_kernels:
            serverapp.update_config(Config({"KernelSpecManager": {"allowed_kernelspecs": {"zt"}}}))

    def initialize(self) -> None:  # type: ignore[override]  # as ExtensionApp's own
        """Guard the server, or end it."""
        assert self.serverapp is not None  # noqa: S101 - linked before
        try:
            self._broker = self._make_broker(self.serverapp)
        except ConfigError as error:
            self._end_server(self.serverapp, error)
        super().initialize()

    async def _start_jupyter_server_extension(self, serverapp: ServerApp) -> None:
        """Every extension is loaded, and the server has not yet answered a request."""
        if self._hub is not None:
            self._hub.hide_token(serverapp)
        try:
            give_each_person_their_own(serverapp.web_app)
            guard(serverapp.web_app, serverapp.identity_provider)
        except ConfigError as error:
            self._end_server(serverapp, error)

    def initialize_handlers(self) -> None:
        """Add the broker's API."""
        if self._broker is not None:
            self.handlers.extend(api_handlers(self._broker))
        if self._hub is not None:
            self.handlers.append(("/login", HubLoginHandler))

    async def stop_extension(self) -> None:
        """End all kernels while the gateway can still be told, and seal their recordings."""
        if self._broker is None or self.serverapp is None:
            return
        kernels: Any = self.serverapp.kernel_manager
        try:
            await kernels.shutdown_all()
        finally:
            await self._broker.end_all()
            set_session_opener(None)

    @staticmethod
    def _end_server(server: ServerApp, error: ConfigError) -> None:
        server.log.critical("%s", error.diagnostics())
        server.exit(1)

    def _make_broker(self, server: ServerApp) -> Broker:
        """The broker, given to everything that asks it.

        Raises:
            ConfigError: This server can't be guarded as it is configured.
        """
        check_server(server)
        check_gateway_url(self.gateway_url)
        check_recordings_folder(self._recordings(server), Path(server.root_dir))
        secret = read_broker_secret(self.broker_secret_file)
        people = self._find_people(server)
        tls = gateway_tls(self.gateway_url, self.gateway_ca_file)
        token_type = ACCESS_TOKEN if self._hub else ID_TOKEN
        gateway = GatewayClient(
            self.gateway_url, secret, people.id_token, tls, token_type=token_type
        )
        relays = None
        if self.relay or (self.relay is None and tls is not None):
            relays = Relays(self.gateway_url, tls, gateway.held_sessions, server.log)
        broker = Broker(
            gateway=gateway,
            relays=relays,
            people=people,
            root=Path(server.root_dir),
            recordings=self._recordings(server),
            allow_other_kernels=self.allow_other_kernels,
            allow_unsandboxed=self.allow_unsandboxed,
            agents=dict(self.agents),
            log=server.log,
        )
        kernels: Any = server.kernel_manager
        kernels.care = broker
        set_session_opener(broker)
        return broker

    def _find_people(self, server: ServerApp) -> Any:
        """Who logs people in here: our identity provider, or the Hub.

        Raises:
            ConfigError: The Hub's address is not known.
        """
        people: Any = server.identity_provider
        if runs_under_hub():
            self._hub = people = ZTHub(parent=self)
            check_issuer(people.issuer)
            people.stand_around(server)
            # The Hub stops servers so, without a terminal; Python's default would skip the sealing.
            signal.signal(signal.SIGINT, server._signal_stop)  # noqa: SLF001 - meant for the Hub
        server.web_app.settings[PEOPLE] = people
        return people

    def _recordings(self, server: ServerApp) -> Path:
        return recordings_folder(self.recordings_dir, Path(server.root_dir).absolute())
