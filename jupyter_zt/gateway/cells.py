"""Cells that ran in the kernel, as the broker saw them, on their way into the log."""

from __future__ import annotations

from jupyter_zt.errors import ConflictError
from jupyter_zt.gateway.records import Records
from jupyter_zt.gateway.sessions import LiveSession
from jupyter_zt.gateway.wire import CellReport
from jupyter_zt.model import Record, RecordDraft, RecordKind
from jupyter_zt.recording import cell_projection


async def record_cell(records: Records, session: LiveSession, report: CellReport) -> Record:
    """Appends a broker-attested `cell` record whose body is the cell's projection.

    Raises:
        ConflictError: The recording is sealed.
        LogUnavailableError: It is not durable; the broker tries again.
    """
    if session.state == "sealed":
        raise ConflictError("This session's recording is sealed.", code="session_over")
    body = cell_projection(report.cell_id, "code", report.source, report.outputs)
    draft = RecordDraft(
        RecordKind.CELL,
        session.id,
        fields={
            "cell": report.cell_id,
            "message": report.msg_id,
            "status": report.status,
            # Which of the gateway's own records belong to this cell, by sequence number.
            "actions": list(session.cell_actions.get(report.msg_id, [])),
        },
        bodies={"cell": body},
        attested_by=session.reporter,
    )
    return (await records.append([draft]))[0]
