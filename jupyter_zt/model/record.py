"""One entry of the evidence log, before and after it has its place in the tree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class RecordKind(StrEnum):
    """Kinds of record (recording format v1)."""

    SESSION_OPEN = "session_open"
    INTENT = "intent"
    DECISION = "decision"
    APPROVAL_OPENED = "approval_opened"
    APPROVAL_VOTE = "approval_vote"
    APPROVAL_CLOSED = "approval_closed"
    LEASE = "lease"
    EXECUTE_START = "execute_start"
    RESULT = "result"
    ERROR = "error"
    UNKNOWN_OUTCOME = "unknown_outcome"
    CELL = "cell"
    MODEL_CALL = "model_call"
    ADMIN = "admin"
    ACCESS = "access"
    SUSPEND = "suspend"
    RESUME = "resume"
    REVOKE = "revoke"
    SEAL = "seal"
    KEY_ROTATE = "key_rotate"
    RECOVERY = "recovery"


@dataclass(frozen=True, slots=True)
class RecordDraft:
    """What a room wants recorded. The log adds `v`, `origin`, `seq`, `prev`, `at` and body hashes.

    Attributes:
        session: Session id, or "" for records of the gateway itself.
        fields: JSON values; counters and numbers that matter are strings.
        bodies: Name -> bytes. Each enters the record as a salted hash under ``bodies``.
        attested_by: ``gateway``, ``broker`` or ``kernel``: who vouches.
    """

    kind: RecordKind
    session: str
    fields: Mapping[str, object] = field(default_factory=dict)
    bodies: Mapping[str, bytes] = field(default_factory=dict)
    attested_by: str = "gateway"


@dataclass(frozen=True, slots=True)
class Record:
    """A record with its place in the log.

    Attributes:
        leaf: Index in the Merkle tree.
        seq: Position in its session, from 0.
        data: The exact canonical JSON bytes that were hashed.
    """

    leaf: int
    seq: int
    session: str
    kind: RecordKind
    data: bytes
