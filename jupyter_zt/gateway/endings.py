"""How an action ends that did not complete: recorded first, then told."""

from __future__ import annotations

import logging

from jupyter_zt.approvals import HeldAction
from jupyter_zt.errors import (
    ConfigError,
    InvalidInputError,
    PermissionDeniedError,
    TargetError,
    ZTError,
)
from jupyter_zt.gateway.rooms import Rooms
from jupyter_zt.gateway.sessions import LiveSession
from jupyter_zt.gateway.stream import AnswerStream
from jupyter_zt.gateway.telling import tell_failed
from jupyter_zt.gateway.understood import Understood
from jupyter_zt.model import Action, Approval, ApprovalState, Record, RecordDraft, RecordKind

_NOTHING_CHANGED = (TargetError, InvalidInputError, PermissionDeniedError, ConfigError)
"""Errors that come before a write is committed, or that say themselves that it may have been."""

logger = logging.getLogger(__name__)


async def abandon(
    rooms: Rooms,
    session: LiveSession,
    action: Action,
    held: HeldAction | None,
    executing: Approval | None,
) -> None:
    """The requester went away: a waiting approval is cancelled, a running statement is stopped."""
    if held is not None and executing is None:
        held = rooms.approvals.get(held.approval.id)
        if held.approval.state is not ApprovalState.EXECUTING:
            await rooms.consent.cancel(held, "requester_gone")
            return
        executing = held.approval
    # Whether a write that was cut off had been committed, only the target knows.
    kind = RecordKind.ERROR if executing is None else RecordKind.UNKNOWN_OUTCOME
    await rooms.close_execution(
        RecordDraft(
            kind,
            session.id,
            fields={"action": action.id, "status": "cancelled", "code": "cancelled"},
        ),
        executing,
        outcome_known=executing is None,
    )


async def fail(
    rooms: Rooms,
    session: LiveSession,
    understood: Understood,
    error: ZTError,
    held: HeldAction | None,
    executing: Approval | None,
    stream: AnswerStream,
) -> None:
    """The target refused or failed, or a part of the gateway did: recorded, then told."""
    try:
        record = await _record_failure(rooms, session, understood, error, held, executing)
    except ZTError as unrecorded:
        # The action stays open in the log: the seal, or the next start, says so.
        logger.error("the end of %s is not recorded: %s", understood.action.id, unrecorded)  # noqa: TRY400
        record = None
    tell_failed(stream, understood.action.connection, error, record)


async def _record_failure(
    rooms: Rooms,
    session: LiveSession,
    understood: Understood,
    error: ZTError,
    held: HeldAction | None,
    executing: Approval | None,
) -> Record | None:
    if held is not None and executing is None:
        # It failed while it waited: nobody is to consent to it any more.
        await rooms.consent.cancel(rooms.approvals.get(held.approval.id), error.code)
        return None
    unknown = getattr(error, "outcome_unknown", False) or (
        executing is not None and not isinstance(error, _NOTHING_CHANGED)
    )
    draft = RecordDraft(
        RecordKind.UNKNOWN_OUTCOME if unknown else RecordKind.ERROR,
        session.id,
        fields={
            "action": understood.action.id,
            "status": "failed",
            "code": error.code,
            "sqlstate": getattr(error, "sqlstate", ""),
        },
    )
    return await rooms.close_execution(draft, executing, outcome_known=not unknown)
