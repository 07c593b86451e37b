"""`gateway:` in gateway.yaml: where it listens, how it is called, and how it speaks."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator, model_validator

from jupyter_zt.errors import ConfigError
from jupyter_zt.gateway.section import Section
from jupyter_zt.identity import is_protected

MAX_PORT = 65535
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


class Tls(Section):
    """`gateway.tls:` its certificate, with those of the authorities in between, and its key."""

    certificate: Path
    key: Path


class Listen(Section):
    """Where it listens, and where it keeps its state.

    Attributes:
        url: Its address as clients write it, where that is not what it listens on.
        tls: Without it, it speaks http: on this host alone, or behind a proxy that speaks https.
    """

    listen: str = "127.0.0.1:8900"
    url: str = Field(default="", pattern=r"^(https?://[^/?#]+/?)?$")
    tls: Tls | None = None
    state: Path = Path("state")
    runtime: Path | None = None
    name: str = Field(default="jupyter-zt", pattern=r"^[A-Za-z0-9._-]{1,64}$")

    @field_validator("listen")
    @classmethod
    def _is_an_address(cls, listen: str) -> str:
        host, _, port = listen.rpartition(":")
        if not host or not port.isdecimal() or int(port) > MAX_PORT:
            msg = "it is HOST:PORT, for example 127.0.0.1:8900"
            raise ValueError(msg)
        return listen

    @model_validator(mode="after")
    def _is_protected(self) -> Listen:
        if not is_protected(self.origins[0]):
            msg = (
                f"tokens would travel to {self.origins[0]} in clear: add tls: with certificate: and"
                " key:, or url: with the https address of the proxy in front"
            )
            raise ValueError(msg)
        return self

    @property
    def host(self) -> str:
        """It listens on."""
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """It listens on."""
        return int(self.listen.rpartition(":")[2])

    @property
    def origins(self) -> list[str]:
        """Addresses that mean this gateway, the one that it calls itself first."""
        scheme = "https" if self.tls else "http"
        host = f"[{self.host}]" if ":" in self.host else self.host
        others = _LOOPBACK if host in _LOOPBACK else ()
        hosts = dict.fromkeys([host, *others])
        named = [self.url.rstrip("/")] if self.url else []
        return [*named, *(f"{scheme}://{host}:{self.port}" for host in hosts)]

    def tls_files(self, directory: Path) -> dict[str, Any]:
        """Certificate and key, as uvicorn names them; nothing without `tls:`.

        Args:
            directory: What the paths are relative to.

        Raises:
            ConfigError: They can't be read, or others may read the key.
        """
        if self.tls is None:
            return {}
        certificate, key = directory / self.tls.certificate, directory / self.tls.key
        for path, forbidden in ((certificate, 0), (key, stat.S_IRWXG | stat.S_IRWXO)):
            try:
                with path.open("rb"):
                    mode = path.stat().st_mode
            except OSError as error:
                raise ConfigError(
                    f"gateway.tls: it can't be read: {error.strerror}.", file=str(path)
                ) from error
            if mode & forbidden:
                raise ConfigError(
                    "gateway.tls: others may read the key.",
                    file=str(path),
                    hint=f"chmod 600 {path}",
                )
        return {"ssl_certfile": str(certificate), "ssl_keyfile": str(key)}
