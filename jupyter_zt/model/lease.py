"""The short-lived identity at the target."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class LeaseKind(StrEnum):
    """What a lease is good for."""

    READ = "read"
    WRITE = "write"


@dataclass(frozen=True, slots=True)
class Lease:
    """The short-lived, least-privilege identity at the target.

    Attributes:
        role: Name at the target (``zt_<kind>_<random>``).
        secret: Its password. Never shown, logged or recorded (kept out of `repr`).
        expires_at: When the target itself stops accepting it. UTC.
        privileges: What it may do, one line each, for the record (``SELECT zt_masked.*``).
    """

    connection: str
    session: str
    kind: LeaseKind
    role: str
    secret: str = field(repr=False)
    expires_at: datetime
    privileges: tuple[str, ...] = ()
