"""One held action's request for consent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from jupyter_zt.model.principal import Human


class ApprovalState(StrEnum):
    """Where an approval stands. Only `APPROVED` may become `EXECUTING`, and only once."""

    OPEN = "open"
    APPROVED = "approved"
    EXECUTING = "executing"
    EXECUTED = "executed"
    DENIED = "denied"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    VOIDED = "voided"
    OUTCOME_UNKNOWN = "outcome_unknown"


@dataclass(frozen=True, slots=True)
class Vote:
    """One person's word on one approval."""

    human: Human
    approve: bool
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Approval:
    """One held action's request for consent.

    Attributes:
        id: ``p_`` + 128 random bits in hex.
        digest: Hex SHA-256 over everything that the consent is bound to.
        requester: The human whose session holds the action.
        reviewer_role: Role whose members may decide, other than the requester.
        quorum: Distinct approvals needed.
        expires_at: After this it is a denial; no setting makes a timeout consent. UTC.
    """

    id: str
    action: str
    session: str
    digest: str
    requester: Human
    reviewer_role: str
    quorum: int
    state: ApprovalState
    opened_at: datetime
    expires_at: datetime
    votes: tuple[Vote, ...] = ()
