"""The configuration directory: `gateway.yaml`, `classification.yaml`, `policies/*.cedar`.

Everything is checked when it is loaded. An error names file, line and what to write instead.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import (
    Discriminator,
    Field,
    Tag,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from jupyter_zt.access.secrets import SecretReference
from jupyter_zt.errors import ConfigError
from jupyter_zt.gateway.agents import AgentSettings
from jupyter_zt.gateway.budget_settings import Budget
from jupyter_zt.gateway.hub_settings import HUB, OPENID, HubIdentity, provider_of
from jupyter_zt.gateway.identity_settings import IdentitySettings
from jupyter_zt.gateway.listening import Listen
from jupyter_zt.gateway.section import Name, Section
from jupyter_zt.gateway.services import ServiceSettings

FILE = "gateway.yaml"
MAX_SOCKET_PATH_BYTES = 107
"""`sockaddr_un.sun_path` holds 108 bytes with its NUL (unix(7))."""


class Secret(Section):
    """Where a secret is: `{file: secrets/x}` or `{env: NAME}`; never the secret itself."""

    file: Path | None = None
    env: str = ""

    @model_validator(mode="before")
    @classmethod
    def _is_a_reference(cls, value: object) -> object:
        if isinstance(value, str):
            msg = "write where the secret is, never the secret: {file: secrets/name} or {env: NAME}"
            raise ValueError(msg)  # noqa: TRY004 (pydantic turns only ValueError into its report)
        return value

    @model_validator(mode="after")
    def _names_one_place(self) -> Secret:
        if (self.file is None) == (not self.env):
            msg = "write either {file: secrets/name} or {env: NAME}"
            raise ValueError(msg)
        return self


class Broker(Section):
    """`broker:` the secret by which Jupyter servers are known at the token endpoint."""

    secret: Secret


class Approvals(Section):
    """`approvals:` how long a held action waits. A timeout is a denial."""

    expires_seconds: int = Field(default=1800, ge=5, le=7 * 24 * 3600)


class Limits(Section):
    """Limits of one action. Beyond rows and bytes a result is cut, and says so."""

    max_rows: int = Field(default=1_000_000, ge=1)
    max_bytes: int = Field(default=1 << 30, ge=1024)
    statement_seconds: float = Field(default=120, gt=0, le=24 * 3600)


class Postgres(Section):
    """A connection of kind postgres.

    Attributes:
        untrusted: Relations whose rows strangers may write (tickets, messages), or ["*"]: an agent
            that has read them may have been told what to do.
    """

    kind: Literal["postgres"]
    description: str = ""
    host: str = "127.0.0.1"
    port: int = Field(default=5432, ge=1, le=65535)
    database: str
    user: str
    password: Secret
    sslmode: Literal["disable", "prefer", "require", "verify-ca", "verify-full"] = "prefer"
    sslrootcert: Path | None = None
    schema_: str = Field(default="public", alias="schema")
    limits: Limits = Limits()
    untrusted: list[str] = Field(default_factory=list)


class Llm(Section):
    """A connection of kind llm: an OpenAI-compatible endpoint, up to and including `/v1`."""

    kind: Literal["llm"]
    description: str = ""
    url: str = Field(pattern=r"^https?://")
    model: str
    key: Secret | None = None
    timeout_seconds: float = Field(default=120, gt=0, le=3600)


Connection = Annotated[Postgres | Llm, Field(discriminator="kind")]


class GatewayConfig(Section):
    """The whole of `gateway.yaml`."""

    gateway: Listen = Listen()
    identity: Annotated[
        Annotated[IdentitySettings, Tag(OPENID)] | Annotated[HubIdentity, Tag(HUB)],
        Discriminator(provider_of),
    ]
    broker: Broker
    approvals: Approvals = Approvals()
    connections: dict[Name, Connection]
    agents: dict[Name, AgentSettings] = Field(default_factory=dict)
    services: dict[Name, ServiceSettings] = Field(default_factory=dict)
    budgets: list[Budget] = Field(default_factory=list)

    @field_validator("budgets")
    @classmethod
    def _are_told_apart(cls, budgets: list[Budget], info: ValidationInfo) -> list[Budget]:
        known = info.data.get("connections", {})
        for number, budget in enumerate(budgets):
            if budget.connection and budget.connection not in known:
                msg = f"budget {budget.name}: there is no connection {budget.connection}"
                raise ValueError(msg)
            if budget.name in {other.name for other in budgets[:number]}:
                msg = f"two budgets are called {budget.name}"
                raise ValueError(msg)
        return budgets


class Configuration:
    """A loaded configuration directory.

    Attributes:
        directory: Absolute path.
        values: The validated `gateway.yaml`.
        state: Where database and keys are.
        runtime: Where session sockets are: short enough for a Unix socket's path.
    """

    def __init__(self, directory: Path, values: GatewayConfig) -> None:
        self.directory = directory
        self.values = values
        self.state = directory / values.gateway.state
        self.runtime = self._runtime()

    @classmethod
    def load(cls, directory: Path) -> Configuration:
        """Reads and checks `gateway.yaml`.

        Raises:
            ConfigError: With file and line.
        """
        directory = directory.resolve()
        path = directory / FILE
        try:
            text = path.read_text(encoding="utf-8")
            node = yaml.compose(text, Loader=yaml.SafeLoader)
            raw = yaml.safe_load(text)
        except OSError as error:
            msg = f"{FILE} can't be read: {error.strerror}."
            raise ConfigError(
                msg,
                file=str(path),
                hint="jupyter zt gateway --config DIR wants a directory that holds it.",
            ) from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            mark = getattr(error, "problem_mark", None)
            msg = f"Not YAML: {getattr(error, 'problem', None) or 'not UTF-8 text'}."
            raise ConfigError(
                msg, file=str(path), line=mark.line + 1 if mark else 0, code="not_yaml"
            ) from error
        try:
            values = GatewayConfig.model_validate(raw if raw is not None else {})
            _check_names(values, path, node)
            return cls(directory, values)
        except ValidationError as error:
            raise _as_config_error(error, path, node) from error

    def secret(self, secret: Secret) -> SecretReference:
        """The reference with its path made absolute."""
        return SecretReference(
            file=self.directory / secret.file if secret.file is not None else None, env=secret.env
        )

    def _runtime(self) -> Path:
        configured = self.values.gateway.runtime
        if configured is not None:
            base = self.directory / configured
        else:
            user = os.getuid()
            base = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()) / f"zt-{user}"
            # The same after a restart: a running kernel has this folder in its sandbox.
            base /= hashlib.sha256(os.fsencode(self.directory)).hexdigest()[:8]
        longest = len(os.fsencode(base)) + len("/0123456789abcdef/gateway.sock")
        if longest > MAX_SOCKET_PATH_BYTES:
            msg = f"gateway.runtime is too long for a Unix socket's path: {base}"
            raise ConfigError(msg, file=FILE, hint="Write a shorter one, such as /run/jupyter-zt.")
        return base


def _check_names(values: GatewayConfig, path: Path, node: yaml.Node | None) -> None:
    """What one section names of another is there."""
    programs = [("agents", *item) for item in values.agents.items()]
    programs += [("services", *item) for item in values.services.items()]
    for section, name, program in programs:
        for place, connection in enumerate(program.connections):
            if connection not in values.connections:
                raise ConfigError(
                    f"{section}.{name}.connections: there is no connection {connection!r}.",
                    file=str(path),
                    line=_line_of(node, [section, name, "connections", place]),
                    hint=f"There are: {', '.join(values.connections)}.",
                )


def _as_config_error(error: ValidationError, path: Path, node: yaml.Node | None) -> ConfigError:
    # A misspelt name is an extra one and a missing one: say the extra one.
    found = error.errors()
    first = next((one for one in found if one["type"] == "extra_forbidden"), found[0])
    location = list(first["loc"])
    tag = {"connections": 2, "identity": 1}.get(str(location[0])) if location else None
    if tag is not None and len(location) > tag:
        del location[tag]  # the discriminator's value, which pydantic puts after the name
    place = ".".join(str(part) for part in location) or "the file"
    hint = ""
    if first["type"] == "extra_forbidden":
        hint = "Remove it, or check its spelling."
    elif first["type"] == "missing":
        hint = f"Add {location[-1]}:"
    elif "union_tag" in first["type"]:
        is_identity = location == ["identity"]
        hint = (
            "Write provider: openid or provider: jupyterhub."
            if is_identity
            else "Write kind: postgres or kind: llm."
        )
    message = first["msg"].removeprefix("Value error, ")
    return ConfigError(
        f"{place}: {message}.", file=str(path), line=_line_of(node, location), hint=hint
    )


def _line_of(node: yaml.Node | None, location: list[str | int]) -> int:
    """1-based line of the deepest part of `location` that is there."""
    line = 1
    for part in location:
        if isinstance(node, yaml.MappingNode):
            found = next(((k, v) for k, v in node.value if k.value == str(part)), None)
            if found is None:
                break
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            node = node.value[part]
            line = node.start_mark.line + 1
    return line
