"""The log's Ed25519 key: its file, its signatures, and the vkey that an auditor pins."""

from __future__ import annotations

import base64
import os
import stat
from functools import lru_cache
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from jupyter_zt.errors import ConfigError
from jupyter_zt.recording.verify.note import ED25519, Checkpoint, key_id

__all__ = ["load_or_create_key", "sign_checkpoint", "verifier_key"]


def load_or_create_key(path: Path) -> Ed25519PrivateKey:
    """Read the signing key (PKCS #8, PEM), or make one that only its owner may read.

    Raises:
        ConfigError: It can't be read or made, is no Ed25519 key, or others may read it.
    """
    path = Path(path)
    try:
        pem = _read(path) if path.exists() else _create(path)
        key = serialization.load_pem_private_key(pem, password=None)
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(
            f"The log's signing key can't be used: {error}",
            file=str(path),
            hint="Restore it from a backup. A new key would not verify against the pinned one.",
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError("The log's signing key is not an Ed25519 key.", file=str(path))
    return key


def sign_checkpoint(checkpoint: Checkpoint, key: Ed25519PrivateKey) -> str:
    """The checkpoint as a C2SP signed note; the key's name is the origin."""
    text = checkpoint.text()
    signature = key_id(checkpoint.origin, _public(key)) + key.sign(text.encode())
    return f"{text}\n\u2014 {checkpoint.origin} {base64.b64encode(signature).decode()}\n"


def verifier_key(origin: str, key: Ed25519PrivateKey) -> str:
    """The vkey of this log: what goes into an auditor's trust policy."""
    public = _public(key)
    encoded = base64.b64encode(bytes([ED25519]) + public).decode()
    return f"{origin}+{key_id(origin, public).hex()}+{encoded}"


@lru_cache(maxsize=8)
def _public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise ConfigError(
                "Others may read the log's signing key.",
                file=str(path),
                hint=f"If nobody has: chmod 600 {path}",
            )
        return file.read(16 * 1024)


def _create(path: Path) -> bytes:
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
            return _read(path)
    finally:
        draft.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return pem
