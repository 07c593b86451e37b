"""Secrets by reference. A configuration names where a secret is; it never holds one."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from jupyter_zt.errors import ConfigError

MAX_SECRET_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class SecretReference:
    """Where a secret is: exactly one of the two.

    Attributes:
        file: Path of a file that only its owner can read.
        env: Name of an environment variable of the gateway.
    """

    file: Path | None = None
    env: str = ""


def read_secret(reference: SecretReference) -> str:
    """The secret's value, without a trailing newline. Read at each use, so it can be rotated.

    Raises:
        ConfigError: There is none, it is empty, or other users could read the file.
    """
    if reference.file is None:
        value = os.environ.get(reference.env, "")
        if not value:
            msg = f"The environment variable {reference.env} is not set."
            raise ConfigError(msg, code="secret_missing")
        return value
    path = reference.file
    try:
        # One open file for check and read, so that no other file can slip in between.
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if mode & (stat.S_IRWXG | stat.S_IRWXO):
                msg = f"{path} can be read by other users (mode {mode:04o})."
                raise ConfigError(msg, code="secret_exposed", hint=f"Run: chmod 600 {path}")
            value = file.read(MAX_SECRET_BYTES).decode().rstrip("\n")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"The secret file {path} can't be read: {type(error).__name__}."
        raise ConfigError(msg, code="secret_missing") from error
    if not value:
        msg = f"The secret file {path} is empty."
        raise ConfigError(msg, code="secret_missing")
    return value
