"""Roll-back and fork: does the log continue a checkpoint that was kept from earlier? No IO."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from jupyter_zt.errors import EvidenceError
from jupyter_zt.recording.verify.merkle import check_consistency
from jupyter_zt.recording.verify.note import Checkpoint, open_note, parse_hashes
from jupyter_zt.recording.verify.report import Report, Verdict
from jupyter_zt.recording.verify.trust import keys_of

__all__ = ["check_previous"]

_CONSISTENCY = re.compile(r"old ([1-9][0-9]{0,18})((?:\n[A-Za-z0-9+/=]{44})*)")
_FORKED = "The log does not continue your earlier checkpoint: it was rolled back or forked."


def check_previous(
    report: Report,
    previous: str,
    checkpoint: Checkpoint,
    evidence: Mapping[str, object],
    trust: dict[str, Any] | None,
) -> None:
    """Check that the recording's log continues the checkpoint that the auditor kept.

    The proof for it may be in the recording, as ``old <size>`` and one hash per line. It needs no
    signature: both roots are signed.
    """
    try:
        text, signers = open_note(previous, keys_of(trust, checkpoint.origin))
        kept = Checkpoint.parse(text)
    except EvidenceError as error:
        report.add(Verdict.INCOMPLETE, f"The earlier checkpoint is of no use. {error.message}")
        return
    if kept.origin != checkpoint.origin or (trust is not None and not signers):
        report.add(Verdict.INCOMPLETE, "The earlier checkpoint is not one of this log.")
    elif kept.size == checkpoint.size:
        if kept.root != checkpoint.root:
            report.add(Verdict.TAMPERED, _FORKED)
    elif kept.size > checkpoint.size:
        report.add(
            Verdict.INCOMPLETE,
            f"This recording's checkpoint ({checkpoint.size} records) is older than yours "
            f"({kept.size}). Ask the gateway for the recording again: if its log is still "
            "shorter, records were removed from it.",
        )
    elif kept.size > 0:
        _check_continues(report, kept, checkpoint, evidence.get("consistency"))


def _check_continues(
    report: Report, kept: Checkpoint, checkpoint: Checkpoint, consistency: object
) -> None:
    match = _CONSISTENCY.fullmatch(consistency) if isinstance(consistency, str) else None
    if match is None or int(match[1]) != kept.size:
        report.add(
            Verdict.INCOMPLETE,
            "Nothing here shows that the log continues your earlier checkpoint. Ask the gateway "
            f"for the recording with the proof from size {kept.size}.",
        )
        return
    try:
        proof = parse_hashes(match[2].split("\n")[1:])
        check_consistency(kept.size, checkpoint.size, proof, kept.root, checkpoint.root)
    except EvidenceError as error:
        report.add(Verdict.TAMPERED, f"{_FORKED} {error.message}")
