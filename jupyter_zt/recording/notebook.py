"""Builds a session's recording: a plain notebook that carries its own evidence."""

from __future__ import annotations

import base64
import json
from collections.abc import Collection
from typing import Any

from jupyter_zt.errors import NotFoundError
from jupyter_zt.model import Record
from jupyter_zt.recording.cells import outputs_of
from jupyter_zt.recording.log import Log
from jupyter_zt.recording.verify.bundle import Bundle, Entry, encode_bundle, parse_bundle
from jupyter_zt.recording.verify.header import (
    ERASED_SOURCE,
    GAP_ID,
    HEADER_ID,
    cell_id,
    gap_source,
    header_source,
)
from jupyter_zt.recording.verify.note import Checkpoint, split_note

__all__ = ["build_recording", "trust_policy"]


def build_recording(log: Log, session: str, previous_size: int = 0) -> bytes:
    """The session's recording as it stands: INCOMPLETE until it is sealed.

    Args:
        log: Where the session is recorded.
        session: Its id.
        previous_size: Size of a checkpoint that an auditor kept; above 0 the recording also
            carries the proof that the log continues it.

    Returns:
        A notebook (nbformat 4.5), UTF-8.

    Raises:
        NotFoundError: The session has no records.
        EvidenceError: The log never had `previous_size` records.
    """
    size = Checkpoint.parse(split_note(log.checkpoint())[0]).size
    # What was committed a moment ago may not be acknowledged yet: it comes with the next call.
    records = [record for record in log.session_records(session) if record.leaf < size]
    if not records:
        raise NotFoundError("There is no such session.", code="unknown_session")
    named = {name for record in records for name in _body_names(record)}
    bodies = {name: it for name, it in log.session_bodies(session).items() if name in named}
    encoded = encode_bundle(session, [record.data for record in records], bodies)
    proof = log.proof(records[-1].leaf)
    evidence = {"v": "1", "recording": encoded, "proof": proof.text()}
    if previous_size:
        new_size = Checkpoint.parse(split_note(proof.note)[0]).size
        hashes = log.consistency(previous_size, new_size)
        lines = [base64.b64encode(item).decode() for item in hashes]
        evidence["consistency"] = "\n".join([f"old {previous_size}", *lines])
    notebook = {
        "cells": _cells(parse_bundle(encoded)),
        "metadata": {"language_info": {"name": "python"}, "zt": evidence},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return (json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()


def trust_policy(log: Log) -> dict[str, Any]:
    """What an auditor pins to trust this log: its origin and its verifier key."""
    return {"v": "1", "logs": [{"origin": log.origin, "vkey": log.vkey()}]}


def _body_names(record: Record) -> Collection[str]:
    names: dict[str, str] = json.loads(record.data).get("bodies", {})
    return names.values()


def _cells(bundle: Bundle) -> list[dict[str, Any]]:
    cells = [_markdown(HEADER_ID, header_source(bundle))]
    cells += [_code(bundle, entry) for entry in bundle.of_kind("cell")]
    gap = gap_source(bundle)
    return [*cells, _markdown(GAP_ID, gap)] if gap else cells


def _code(bundle: Bundle, entry: Entry) -> dict[str, Any]:
    body = bundle.body(entry, "cell")
    _, _, source, projected = ("", "", ERASED_SOURCE, []) if body is None else json.loads(body)
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": cell_id(entry),
        "metadata": {"zt": {"leaf": str(entry.leaf)}},
        "outputs": outputs_of(projected),
        "source": source,
    }


def _markdown(identifier: str, source: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "id": identifier, "metadata": {}, "source": source}
