"""Verifies a recording offline: no network, no kernel, nothing in the file is run or rendered.

It trusts nothing but the pinned keys. The order, as `verify` walks it:

1. read the file within limits, as JSON that means one thing;
2. read the bundle: each record follows the one before it by hash, each body fits its record;
3. the seal: it commits to the records before it and to the cells;
4. the proof: the last record, and through the chain all of them, is under the checkpoint;
5. the checkpoint: a pinned key of that log signed it;
6. an earlier checkpoint, where the auditor has one: this log continues it;
7. the notebook's cells: each is what its record says, in order, none added, none missing;
8. what none of this proves.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

from jupyter_zt.errors import EvidenceError
from jupyter_zt.recording.verify.bundle import Bundle, parse_bundle
from jupyter_zt.recording.verify.cells import check_cells
from jupyter_zt.recording.verify.header import actor, endings
from jupyter_zt.recording.verify.merkle import check_inclusion, root_of
from jupyter_zt.recording.verify.note import (
    Checkpoint,
    Proof,
    open_note,
    split_note,
)
from jupyter_zt.recording.verify.previous import check_previous
from jupyter_zt.recording.verify.projection import hash_projections
from jupyter_zt.recording.verify.report import CellVerdict, Report, Verdict
from jupyter_zt.recording.verify.strict_json import parse_json
from jupyter_zt.recording.verify.trust import keys_of

__all__ = ["MAX_FILE_BYTES", "verify"]

MAX_FILE_BYTES = 128 * 1024 * 1024


def verify(
    recording: str | Path | bytes,
    trust: dict[str, Any] | None = None,
    previous: str | None = None,
) -> Report:
    """Verify a recording. Never raises: whatever is wrong is in the report.

    Args:
        recording: The notebook: its path, or its bytes.
        trust: The pinned trust policy; without one nothing is trusted.
        previous: A checkpoint of the same log that the auditor kept from earlier.
    """
    report = Report()
    try:
        # (1) and (2): what can't be read ends here.
        notebook = _read_notebook(recording)
        evidence = _evidence(notebook)
        bundle = parse_bundle(evidence["recording"])
        proof = Proof.parse(evidence["proof"])
        checkpoint = Checkpoint.parse(split_note(proof.note)[0])
    except EvidenceError as error:
        report.add(Verdict.MALFORMED, error.message)
        return report
    for fault in bundle.broken:
        report.add(Verdict.TAMPERED, fault)
    _describe(report, bundle, checkpoint)
    _check_seal(report, bundle)  # (3)
    _check_inclusion(report, bundle, proof, checkpoint)  # (4)
    _check_signature(report, proof.note, checkpoint, trust)  # (5)
    if previous is not None:
        check_previous(report, previous, checkpoint, evidence, trust)  # (6)
    check_cells(report, bundle, notebook["cells"])  # (7)
    _say_what_is_not_proven(report, bundle, witnessed_before=previous is not None)  # (8)
    return report


def _read_notebook(recording: str | Path | bytes) -> dict[str, Any]:
    data = recording if isinstance(recording, bytes) else _read_file(Path(recording))
    if len(data) > MAX_FILE_BYTES:
        raise _malformed(f"it is larger than {MAX_FILE_BYTES // 1024**2} MiB")
    notebook = parse_json(data)
    if not isinstance(notebook, dict) or notebook.get("nbformat") != 4:
        raise _malformed("it is no notebook of format 4")
    if not isinstance(notebook.get("cells"), list):
        raise _malformed("it has no cells")
    return notebook


def _read_file(path: Path) -> bytes:
    try:
        with open(path, "rb", opener=_open_without_waiting) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise _malformed("it is no regular file")
            return file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        raise _malformed(f"it can't be opened ({error})") from error


def _open_without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))  # a named pipe must not hang us


def _evidence(notebook: dict[str, Any]) -> dict[str, str]:
    metadata = notebook.get("metadata")
    evidence = metadata.get("zt") if isinstance(metadata, dict) else None
    if not isinstance(evidence, dict) or evidence.get("v") != "1":
        raise _malformed("it holds no evidence of version 1")
    if not all(isinstance(evidence.get(name), str) for name in ("recording", "proof")):
        raise _malformed("its evidence is no text")
    return evidence


def _describe(report: Report, bundle: Bundle, checkpoint: Checkpoint) -> None:
    kind, who = actor(bundle)
    report.facts.update(
        log=bundle.origin,
        session=bundle.session,
        **{kind: who},
        records=str(len(bundle.entries)),
        log_size=str(checkpoint.size),
        opened=bundle.entries[0].text("at"),
        **endings(bundle),
    )


def _check_seal(report: Report, bundle: Bundle) -> None:
    seal = bundle.entries[-1]
    if seal.kind != "seal":
        report.add(
            Verdict.INCOMPLETE, "There is no seal: the session went on, or its end is cut off."
        )
        return
    before = bundle.entries[:-1]
    cells, intents = bundle.of_kind("cell"), bundle.of_kind("intent")
    expected = {
        "count": str(len(before)),
        "root": root_of([entry.hash for entry in before]).hex(),
        "cells": str(len(cells)),
        "actions": str(len(intents)),
    }
    bodies = [bundle.body(entry, "cell") for entry in cells]
    if None not in bodies:
        expected["projection"] = hash_projections(body for body in bodies if body is not None)
    wrong = [name for name, value in expected.items() if seal.text(name) != value]
    if wrong:
        report.add(Verdict.TAMPERED, f"The seal does not fit the records: {', '.join(wrong)}.")
    elif seal.text("cells_seen") != seal.text("cells"):
        seen = seal.text("cells_seen")
        report.add(
            Verdict.INCOMPLETE,
            f"GAP: the Jupyter server saw {seen} cells run, and {len(cells)} were recorded.",
        )


def _check_inclusion(report: Report, bundle: Bundle, proof: Proof, checkpoint: Checkpoint) -> None:
    last = bundle.entries[-1]
    if checkpoint.origin != bundle.origin or proof.leaf != last.leaf:
        report.add(Verdict.TAMPERED, "The proof is about another log or another record.")
        return
    try:
        check_inclusion(last.leaf, checkpoint.size, last.hash, proof.hashes, checkpoint.root)
    except EvidenceError as error:
        report.add(
            Verdict.TAMPERED, f"The records are not those of the checkpoint. {error.message}"
        )


def _check_signature(
    report: Report, note: str, checkpoint: Checkpoint, trust: dict[str, Any] | None
) -> None:
    if trust is None:
        report.add(
            Verdict.UNTRUSTED,
            "No trust policy was given, so nobody's signature counts. Get trust.json from the "
            "log's operator over a way that you trust, keep it, and pass it with --trust.",
        )
        return
    try:
        _, signers = open_note(note, keys_of(trust, checkpoint.origin))
    except EvidenceError as error:
        kind = Verdict.UNTRUSTED if error.code == "bad_trust" else Verdict.TAMPERED
        report.add(kind, error.message)
        return
    if not signers:
        report.add(Verdict.UNTRUSTED, f"No key of the trust policy signed for {checkpoint.origin}.")


def _say_what_is_not_proven(report: Report, bundle: Bundle, *, witnessed_before: bool) -> None:
    say = report.not_proven.append
    say("When it happened: the times are the gateway's own, and no witness countersigned.")
    if not witnessed_before:
        say(
            "That everybody is shown the same log: without a witness its operator could keep two. "
            "Keep checkpoints and compare with --previous."
        )
    cells = bundle.of_kind("cell")
    if any(cell.text("attested_by") == "kernel" for cell in cells):
        say(
            "Which code ran and what came out: the process that started the kernel says so, and no "
            "Jupyter server vouches for it. The gateway vouches for each action and its result."
        )
    elif cells:
        say(
            "What code did inside of the kernel: the Jupyter server vouches for what was run and "
            "what came out, the gateway for each action and its result."
        )
    sandbox = bundle.entries[0].fields.get("sandbox")
    if not isinstance(sandbox, dict) or sandbox.get("state") != "sandboxed":
        say("That the gateway was the only way out: the kernel ran without a sandbox.")
    loose = _actions_without_cell(bundle)
    if loose:
        say(f"Which cell caused {loose} of the actions: no recorded cell claims them.")
    erased = sum(CellVerdict.ERASED is verdict for _, verdict in report.cells)
    missing = {name for entry in bundle.entries for name in entry.bodies.values()} - set(
        bundle.bodies
    )
    if missing:
        say(f"What {len(missing)} erased bodies said.")
        report.add(
            Verdict.INCOMPLETE, f"{len(missing)} bodies were erased, {erased} of them cells."
        )


def _actions_without_cell(bundle: Bundle) -> int:
    claimed: set[str] = set()
    for cell in bundle.of_kind("cell"):
        actions = cell.fields.get("actions")
        if isinstance(actions, list):
            claimed.update(item for item in actions if isinstance(item, str))
    return sum(str(intent.seq) not in claimed for intent in bundle.of_kind("intent"))


def _malformed(why: str) -> EvidenceError:
    return EvidenceError(f"This is no recording: {why}.", code="bad_recording")
