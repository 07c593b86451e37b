"""Ed25519 keys of the gateway's state: each in a file that only its owner may read."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from jupyter_zt.errors import ConfigError

__all__ = ["load_or_create_key"]


def load_or_create_key(path: Path, what: str, hint: str = "") -> Ed25519PrivateKey:
    """Read a private key (PKCS #8, PEM), or make one. Processes that start together get the same.

    Args:
        path: Its file.
        what: Which key it is, for errors.
        hint: What to do when it can't be used.

    Raises:
        ConfigError: It can't be read or made, is no Ed25519 key, or others may read it.
    """
    path = Path(path)
    try:
        pem = _read(path, what) if path.exists() else _create(path, what)
        key = serialization.load_pem_private_key(pem, password=None)
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(
            f"The {what} can't be used: {error}", file=str(path), hint=hint
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(f"The {what} is not an Ed25519 key.", file=str(path), hint=hint)
    return key


def _read(path: Path, what: str) -> bytes:
    with path.open("rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise ConfigError(
                f"Others may read the {what}.",
                file=str(path),
                hint=f"If nobody has: chmod 600 {path}",
            )
        return file.read(16 * 1024)


def _create(path: Path, what: str) -> bytes:
    """Write a new key under another name, make it durable, then give it its name."""
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)  # unlike rename, never over a key that another process just made
        except FileExistsError:
            return _read(path, what)
    finally:
        draft.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return pem
