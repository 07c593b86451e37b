"""Words that every room shares. No IO."""

from __future__ import annotations

from jupyter_zt.model.action import Action
from jupyter_zt.model.agent import Agent, Ceiling, Service
from jupyter_zt.model.approval import Approval, ApprovalState, Vote
from jupyter_zt.model.decision import Decision, Obligation, Obligations, Remedy, Verdict
from jupyter_zt.model.facts import READING_VERBS, Facts, Risk, Verb
from jupyter_zt.model.history import HISTORY_FIELDS, History
from jupyter_zt.model.http import HttpFacts
from jupyter_zt.model.kubernetes import KubernetesFacts
from jupyter_zt.model.lease import Lease, LeaseKind
from jupyter_zt.model.masks import ColumnMask, LeastMasks, MaskKind, strictened, strictest
from jupyter_zt.model.postgres import (
    MaskedColumn,
    PostgresEndpoint,
    SourceColumn,
    TypeFamily,
    quote_identifier,
    quote_literal,
)
from jupyter_zt.model.principal import (
    ADMIN,
    ANALYST,
    AUDITOR,
    REVIEWER,
    ROLES,
    SERVICES,
    Human,
    Principal,
)
from jupyter_zt.model.record import Record, RecordDraft, RecordKind

__all__ = [
    "ADMIN",
    "ANALYST",
    "AUDITOR",
    "HISTORY_FIELDS",
    "READING_VERBS",
    "REVIEWER",
    "ROLES",
    "SERVICES",
    "Action",
    "Agent",
    "Approval",
    "ApprovalState",
    "Ceiling",
    "ColumnMask",
    "Decision",
    "Facts",
    "History",
    "HttpFacts",
    "Human",
    "KubernetesFacts",
    "Lease",
    "LeaseKind",
    "LeastMasks",
    "MaskKind",
    "MaskedColumn",
    "Obligation",
    "Obligations",
    "PostgresEndpoint",
    "Principal",
    "Record",
    "RecordDraft",
    "RecordKind",
    "Remedy",
    "Risk",
    "Service",
    "SourceColumn",
    "TypeFamily",
    "Verb",
    "Verdict",
    "Vote",
    "quote_identifier",
    "quote_literal",
    "strictened",
    "strictest",
]
