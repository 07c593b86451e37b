"""Where the demo keeps what: one directory, its secrets and its ports, the same at each start."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from jupyter_zt.cli.demo.loopback import free_port, is_free
from jupyter_zt.errors import ConflictError, UnavailableError

GATEWAY_SECRETS = ("warehouse", "broker", "llm")
"""Read by the gateway: what opens the targets, and what its brokers show."""
OWN_SECRETS = ("postgres_superuser", "jupyter_client")
"""Never given to the gateway."""
PORTS = ("postgres", "identity", "gateway", "model")


@dataclass(frozen=True, slots=True)
class Layout:
    """The demo's directory.

    Attributes:
        root: Absolute path.
        work: Notebooks: the one folder here that a kernel sees.
        gateway: The gateway's configuration directory.
    """

    root: Path

    @property
    def work(self) -> Path:  # noqa: D102
        return self.root / "work"

    @property
    def gateway(self) -> Path:  # noqa: D102
        return self.root / "gateway"

    @property
    def jupyter(self) -> Path:
        """Configuration, data and runtime files of the Jupyter server."""
        return self.root / "jupyter"

    @property
    def identity(self) -> Path:
        """The demo identity provider's accounts and key."""
        return self.root / "identity"

    @property
    def postgres(self) -> Path:
        """PostgreSQL's data directory."""
        return self.root / "postgres"

    def log(self, name: str) -> Path:
        """The log of one process."""
        return self.root / "logs" / f"{name}.log"

    def prepare(self) -> None:
        """Makes the folders and the secrets that are not there yet."""
        self.root.mkdir(parents=True, exist_ok=True)
        for private in (
            self.root / "secrets",
            self.gateway,
            self.gateway / "secrets",
            self.jupyter,
            self.identity,
        ):
            private.mkdir(mode=0o700, parents=True, exist_ok=True)
        for public in (self.work, self.root / "logs"):
            public.mkdir(exist_ok=True)
        for name in GATEWAY_SECRETS + OWN_SECRETS:
            path = self.secret_file(name)
            if not path.exists():
                write_private(path, secrets.token_urlsafe(32))

    def secret_file(self, name: str) -> Path:
        """The file that holds this secret, mode 0600."""
        owner = self.gateway if name in GATEWAY_SECRETS else self.root
        return owner / "secrets" / name

    def secret(self, name: str) -> str:
        """One of `GATEWAY_SECRETS` or `OWN_SECRETS`."""
        return self.secret_file(name).read_text(encoding="ascii")

    def ports(self, taken: int) -> dict[str, int]:
        """A port for each of `PORTS`: last time's where it is free, but not `taken`."""
        remembered = self.root / "ports.json"
        before = json.loads(remembered.read_text()) if remembered.exists() else {}
        ports: dict[str, int] = {}
        for name in PORTS:
            used = {taken, *ports.values()}
            last = before.get(name)
            if isinstance(last, int) and last not in used and is_free(last):
                ports[name] = last
            else:
                ports[name] = free_port(used)
        remembered.write_text(json.dumps(ports))
        return ports

    def lock(self) -> int:
        """Takes this directory for this process, until it ends.

        Returns:
            The file descriptor that holds the lock.

        Raises:
            ConflictError: Another demo runs here.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(descriptor, 20).decode() or "unknown"
            raise ConflictError(
                f"A demo is already running in {self.root} (process {owner}).",
                code="demo_running",
                hint="Stop it with Ctrl-C in its terminal, or use another folder: --dir DIR",
            ) from None
        os.truncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        return descriptor


def make_layout(directory: Path) -> Layout:
    """The layout of a directory that can be written.

    Raises:
        UnavailableError: It can't.
    """
    root = directory.expanduser().absolute()
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnavailableError(
            f"{root} can't be used: {error.strerror}.",
            code="demo_directory",
            hint="Give a folder that you may write: --dir DIR",
        ) from error
    return Layout(root)


def write_private(path: Path, text: str) -> None:
    """Writes a file that only this user can read, from its first moment on."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
