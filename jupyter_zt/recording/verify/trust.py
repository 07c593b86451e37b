"""The trust policy that an auditor pins: which logs, by which keys. Nothing of it is in the file.

``{"v": "1", "logs": [{"origin": "gateway.example.com/zt", "vkey": "<C2SP verifier key>"}]}``
"""

from __future__ import annotations

from typing import Any

from jupyter_zt.errors import EvidenceError
from jupyter_zt.recording.verify.note import VerifierKey

__all__ = ["keys_of"]


def keys_of(trust: dict[str, Any] | None, origin: str) -> list[VerifierKey]:
    """Pinned keys of the log named `origin`.

    Raises:
        EvidenceError: With code ``bad_trust``: the policy can't be read.
    """
    if trust is None:
        return []
    logs = trust.get("logs") if isinstance(trust, dict) else None
    if not isinstance(logs, list) or trust.get("v") != "1":
        raise _bad_trust('it must be {"v": "1", "logs": [...]}')
    keys: list[VerifierKey] = []
    for log in logs:
        name, vkey = (log.get("origin"), log.get("vkey")) if isinstance(log, dict) else (None, None)
        if not isinstance(name, str) or not isinstance(vkey, str):
            raise _bad_trust("each log has an origin and a vkey")
        try:
            key = VerifierKey.parse(vkey)
        except EvidenceError as error:
            raise _bad_trust(error.message) from error
        if name == origin and key.name == origin:
            keys.append(key)
    return keys


def _bad_trust(why: str) -> EvidenceError:
    return EvidenceError(f"The trust policy can't be read: {why}", code="bad_trust")
