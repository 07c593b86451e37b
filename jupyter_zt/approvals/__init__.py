"""Consent of another person: the state machine, the digest it is bound to, and where it is kept.

The machine (`machine`) takes values and returns values; `digest` says what consent is bound to;
`store` writes approvals inside a transaction that the caller opens together with their records.
"""

from __future__ import annotations

from jupyter_zt.approvals.digest import approval_digest
from jupyter_zt.approvals.machine import (
    begin,
    cancel,
    expire,
    finish,
    may_decide,
    open_approval,
    restore,
    void,
    vote,
)
from jupyter_zt.approvals.store import ApprovalStore, HeldAction

__all__ = [
    "ApprovalStore",
    "HeldAction",
    "approval_digest",
    "begin",
    "cancel",
    "expire",
    "finish",
    "may_decide",
    "open_approval",
    "restore",
    "void",
    "vote",
]
