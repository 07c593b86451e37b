"""The files that the demo writes for its processes, anew at each start.

A file that a person has edited since is left as it is: the demo is there to be played with.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import yaml

from jupyter_zt.cli.demo import model, postgres
from jupyter_zt.cli.demo.layout import Layout, write_private
from jupyter_zt.cli.demo.loopback import HOST

CLIENT_ID = "jupyter-zt"
CLI_CLIENT_ID = "jupyter-zt-cli"
LOG_ORIGIN = "jupyter-zt-demo"
NOTEBOOKS = ("tour.ipynb", "react.ipynb")


@dataclass(frozen=True, slots=True)
class Plan:
    """What runs, and where it listens.

    Attributes:
        ports: By `jupyter_zt.cli.demo.layout.PORTS`.
        jupyter: Port of JupyterLab, chosen by the person.
        with_model: Whether the local language model runs.
        allow_unsandboxed: Whether kernels may run where there is no sandbox.
    """

    ports: dict[str, int]
    jupyter: int
    with_model: bool
    allow_unsandboxed: bool = False

    def url(self, name: str) -> str:
        """Base address of one of `ports`, or of ``jupyter``."""
        port = self.jupyter if name == "jupyter" else self.ports[name]
        return f"http://{HOST}:{port}"


class Writer:
    """Writes what was not edited since it last did."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._remembered = layout.root / "generated.json"
        self._hashes: dict[str, str] = (
            json.loads(self._remembered.read_text()) if self._remembered.exists() else {}
        )
        self.kept: list[str] = []
        """Files, relative to the demo's directory, that a person has edited."""

    def write(self, path: Path, text: str) -> None:
        """Writes `path` with mode 0600, unless a person has edited it."""
        name = str(path.relative_to(self._layout.root))
        if path.exists() and _digest(path.read_bytes()) != self._hashes.get(name):
            self.kept.append(name)
            return
        write_private(path, text)
        self._hashes[name] = _digest(text.encode())
        self._remembered.write_text(json.dumps(self._hashes, indent=1))


def write_all(layout: Layout, plan: Plan) -> list[str]:
    """Writes all configuration, and the notebooks that are not there yet.

    Returns:
        Names of edited files that were left as they are.
    """
    writer = Writer(layout)
    _write_gateway(layout, plan, writer)
    _write_identity(layout, plan)
    _write_jupyter(layout, plan, writer)
    for name in NOTEBOOKS:
        if not (layout.work / name).exists():
            shutil.copyfile(_notebooks() / name, layout.work / name)
    return writer.kept


def _write_gateway(layout: Layout, plan: Plan, writer: Writer) -> None:
    connections: dict[str, object] = {
        "warehouse": {
            "kind": "postgres",
            "description": "The shop: customers, products, orders, payments, support_tickets",
            "host": HOST,
            "port": plan.ports["postgres"],
            "database": postgres.DATABASE,
            "user": postgres.ADMIN,
            "password": {"file": "secrets/warehouse"},
            "schema": "public",
            "limits": {"max_rows": 2_000_000, "max_bytes": 1 << 30, "statement_seconds": 120},
        }
    }
    if plan.with_model:
        connections["llm"] = {
            "kind": "llm",
            "description": "A tiny language model on this machine: it proves the loop, not the wit",
            "url": f"{plan.url('model')}/v1",
            "model": model.NAME,
            "key": {"file": "secrets/llm"},
        }
    document = {
        "gateway": {
            "listen": f"{HOST}:{plan.ports['gateway']}",
            "state": "state",
            "name": LOG_ORIGIN,
        },
        "identity": {
            "issuer": plan.url("identity"),
            "audiences": [CLIENT_ID],
            "algorithms": ["RS256"],
            "roles": {
                "analyst": ["analysts"],
                "reviewer": ["reviewers"],
                "auditor": ["auditors"],
                "admin": ["admins"],
            },
            "cli_client_id": CLI_CLIENT_ID,
            "cli_scopes": ["profile", "groups", "offline_access"],
        },
        "broker": {"secret": {"file": "secrets/broker"}},
        "approvals": {"expires_seconds": 1800},
        "connections": connections,
        "agents": {
            "react": {
                "owner": "whoever runs this demo",
                "description": "%%react: a language model that proposes one action at a time",
                "connections": list(connections),
                "actions": ["read", "inspect", "insert", "update", "delete", "model"],
                "may_ask_for_approval": True,
                "max_rows": 1000,
            }
        },
    }
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
    writer.write(layout.gateway / "gateway.yaml", f"# Written by `jupyter zt demo`.\n{text}")
    package = files("jupyter_zt")
    classification = package.joinpath("cli", "demo", "classification.yaml")
    writer.write(layout.gateway / "classification.yaml", classification.read_text(encoding="utf-8"))
    policies = layout.gateway / "policies"
    policies.mkdir(exist_ok=True)
    pack = package.joinpath("policy", "packs", "demo.cedar")
    writer.write(policies / "demo.cedar", pack.read_text(encoding="utf-8"))


def _write_identity(layout: Layout, plan: Plan) -> None:
    jupyter = plan.url("jupyter")
    document = {
        "host": HOST,
        "port": plan.ports["identity"],
        "state_dir": str(layout.identity),
        "clients": [
            {
                "client_id": CLIENT_ID,
                "client_secret": layout.secret("jupyter_client"),
                "redirect_uris": [f"{jupyter}/zt/login/callback"],
                "post_logout_redirect_uris": [f"{jupyter}/zt/logged-out"],
            },
            {"client_id": CLI_CLIENT_ID},
        ],
    }
    write_private(layout.identity / "provider.json", json.dumps(document, indent=1))


def _write_jupyter(layout: Layout, plan: Plan, writer: Writer) -> None:
    secrets = layout.jupyter / "secrets"
    secrets.mkdir(mode=0o700, exist_ok=True)
    for name in ("broker", "jupyter_client"):
        write_private(secrets / name, layout.secret(name))
    lines = [
        "# Written by `jupyter zt demo`.",
        "from jupyter_zt.extension import configure",
        "",
        "configure(c)",
        f"c.ZT.gateway_url = {plan.url('gateway')!r}",
        f"c.ZT.broker_secret_file = {str(secrets / 'broker')!r}",
        *(["c.ZT.allow_unsandboxed = True"] if plan.allow_unsandboxed else []),
        f"c.ZTIdentityProvider.issuer = {plan.url('identity')!r}",
        f"c.ZTIdentityProvider.client_id = {CLIENT_ID!r}",
        f"c.ZTIdentityProvider.client_secret_file = {str(secrets / 'jupyter_client')!r}",
        f"c.ZTIdentityProvider.public_url = {plan.url('jupyter') + '/'!r}",
        "c.ZTIdentityProvider.scopes = ['profile', 'groups', 'offline_access']",
        f"c.ServerApp.ip = {HOST!r}",
        f"c.ServerApp.port = {plan.jupyter}",
        "c.ServerApp.port_retries = 0",
        f"c.ServerApp.root_dir = {str(layout.work)!r}",
        "c.ServerApp.open_browser = False",
        # As root, who else could run it.
        *(["c.ServerApp.allow_root = True"] if os.geteuid() == 0 else []),
    ]
    writer.write(layout.jupyter / "jupyter_server_config.py", "\n".join([*lines, ""]))
    labconfig = layout.jupyter / "labconfig"
    labconfig.mkdir(exist_ok=True)
    # Nothing asks the network for news: the demo works without one.
    disabled = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
    writer.write(labconfig / "page_config.json", json.dumps(disabled))


def pin_trust(layout: Layout) -> Path:
    """What an auditor pins: the gateway's own word when its log is new, and then kept.

    If the log were begun anew with another key, its recordings would not pass: that is the point.
    """
    path = layout.root / "trust.json"
    if not path.exists():
        shutil.copyfile(layout.gateway / "state" / "trust.json", path)
    return path


def jupyter_environment(layout: Layout) -> dict[str, str]:
    """Keeps the server away from the person's own Jupyter, and the reverse."""
    return {
        "JUPYTER_CONFIG_DIR": str(layout.jupyter),
        "JUPYTER_DATA_DIR": str(layout.jupyter / "data"),
        "JUPYTER_RUNTIME_DIR": str(layout.jupyter / "runtime"),
    }


def _notebooks() -> Path:
    """The tours: in the source tree, or where the wheel puts them."""
    source = Path(str(files("jupyter_zt"))).parent / "notebooks"
    return source if source.is_dir() else Path(sys.prefix) / "share" / "jupyter-zt" / "notebooks"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
