"""The log's Ed25519 key: its file, its signatures, and the vkey that an auditor pins."""

from __future__ import annotations

import base64
from functools import lru_cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from jupyter_zt import storage
from jupyter_zt.recording.verify.note import ED25519, Checkpoint, key_id

__all__ = ["load_or_create_key", "sign_checkpoint", "verifier_key"]


def load_or_create_key(path: Path) -> Ed25519PrivateKey:
    """Read the log's signing key, or make one that only its owner may read.

    Raises:
        ConfigError: It can't be read or made, is no Ed25519 key, or others may read it.
    """
    return storage.load_or_create_key(
        path,
        "log's signing key",
        "Restore it from a backup. A new key would not verify against the pinned one.",
    )


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
