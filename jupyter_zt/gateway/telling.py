"""The events that tell the requester what became of an action."""

from __future__ import annotations

from jupyter_zt.approvals import HeldAction
from jupyter_zt.errors import ZTError
from jupyter_zt.gateway.deliver import Delivered
from jupyter_zt.gateway.stream import AnswerStream
from jupyter_zt.model import ApprovalState, Decision, Facts, Record


def refuse(stream: AnswerStream, decision: Decision, facts: Facts, record: Record) -> None:
    """Policy says no."""
    stream.event(
        "error",
        status="denied",
        code=decision.code,
        message=decision.message,
        hint=decision.hint,
        who=f"whoever keeps the policy ({', '.join(decision.policies)})"
        if decision.policies
        else "",
        record=str(record.leaf),
        position=facts.position,
        **({"remedies": [it.to_json() for it in decision.remedies]} if decision.remedies else {}),
    )


def tell_held(stream: AnswerStream, held: HeldAction) -> None:
    """It waits, and for whom."""
    approval = held.approval
    stream.event(
        "held",
        approval={
            "id": approval.id,
            "reviewer_role": approval.reviewer_role,
            "quorum": str(approval.quorum),
            "reasons": list(held.reasons),
            "expires_at": approval.expires_at.isoformat(),
            "digest": approval.digest,
        },
    )


def tell_closed(stream: AnswerStream, held: HeldAction) -> None:
    """It will not run: denied, expired or cancelled."""
    approval = held.approval
    status, message, hint = "denied", "", "Run the cell again to ask again."
    if approval.state is ApprovalState.DENIED:
        last = approval.votes[-1]
        message = f"{last.human.name} denied this: {last.reason}"
        hint = ""
    elif approval.state is ApprovalState.EXPIRED:
        status, message = "expired", "Nobody decided in time, so this was not run."
    elif approval.state is ApprovalState.CANCELLED:
        status, message = "cancelled", "This request was cancelled."
    else:
        message = f"This request is {approval.state.value}."
    stream.event(
        "error",
        status=status,
        code=f"approval_{approval.state.value}",
        message=message,
        hint=hint,
        who=f"People with the role {approval.reviewer_role}",
        record="",
    )


def tell_void(stream: AnswerStream, error: ZTError) -> None:
    """It was approved, and what would run is no longer that."""
    stream.event(
        "error",
        status="denied",
        code="approval_void",
        message=f"The approval no longer holds: {error.message}",
        hint="Run the cell again to ask again.",
        who="",
        record="",
    )


def tell_failed(
    stream: AnswerStream, connection: str, error: ZTError, record: Record | None
) -> None:
    """The target, or a part of the gateway, failed."""
    stream.event(
        "error",
        status="limit" if error.code.startswith("over_") else "failed",
        code=error.code,
        message=error.message,
        hint=error.hint,
        who=f"The owner of connection {connection}",
        record=str(record.leaf) if record else "",
        position=getattr(error, "position", 0),
    )


def completed(
    stream: AnswerStream,
    facts: Facts,
    delivered: Delivered,
    held: HeldAction | None,
    seconds: float,
) -> None:
    """It is done: how much, recorded where, approved by whom."""
    stream.event(
        "result",
        status="completed",
        verb=facts.verb.value,
        rows=str(delivered.rows),
        bytes=str(delivered.size_bytes),
        record=str(delivered.record.leaf),
        seconds=round(seconds, 6),
        truncated=delivered.truncated,
        approved_by=[vote.human.name for vote in held.approval.votes] if held else [],
        command_tag=delivered.command_tag,
        **({"body": delivered.body} if delivered.body is not None else {}),
    )
