"""The verifier's verdicts on whole recordings."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbconvert import NotebookExporter

from jupyter_zt.model import RecordKind
from jupyter_zt.recording import Log, build_recording, seal, trust_policy
from jupyter_zt.recording.verify import CellVerdict, Verdict, verify
from tests.fixtures_recording import (
    cell,
    change,
    draft,
    open_log,
    opened,
    record_session,
    run_action,
)


async def test_a_sealed_recording_is_valid_and_says_what_is_not_proven(log: Log) -> None:
    report = verify(await record_session(log), trust_policy(log))
    assert report.verdict is Verdict.VALID
    assert report.exit_code == 0
    assert report.messages == []
    assert [verdict for _, verdict in report.cells] == [CellVerdict.MATCH] * 3
    text = "\n".join(report.not_proven)
    assert "witness" in text
    assert "inside of the kernel" in text
    assert report.facts["session"] == "s_1"
    assert report.facts["human"].endswith(")")


async def test_a_path_and_its_bytes_have_one_verdict(log: Log, tmp_path: Path) -> None:
    recording = await record_session(log)
    path = tmp_path / "tour.zt.ipynb"
    path.write_bytes(recording)
    assert verify(path, trust_policy(log)) == verify(recording, trust_policy(log))
    assert verify(str(path), trust_policy(log)).verdict is Verdict.VALID


async def test_a_recording_is_readable_and_says_incomplete_until_sealed(log: Log) -> None:
    await log.append([opened()])
    for number in range(3):
        place = await run_action(log, action=f"a_{number}")
        await log.append([cell(source=f"select {number}", actions=(place,))])
        recording = build_recording(log, "s_1")
        notebook = nbformat.reads(recording.decode(), as_version=4)
        nbformat.validate(notebook)
        assert "INCOMPLETE" in notebook.cells[0].source
        assert notebook.cells[-1].source == f"select {number}"
        assert len(notebook.cells) == number + 2
        report = verify(recording, trust_policy(log))
        assert report.verdict is Verdict.INCOMPLETE
        assert {verdict for _, verdict in report.cells} == {CellVerdict.MATCH}
    await seal(log, "s_1", 3)
    notebook = nbformat.reads(build_recording(log, "s_1").decode(), as_version=4)
    nbformat.validate(notebook)
    assert "INCOMPLETE" not in notebook.cells[0].source
    assert "analyst (7 at https://id.test)" in notebook.cells[0].source
    assert notebook.cells[1].metadata.zt.leaf.isdecimal()


async def test_one_cell_that_ran_twice_is_there_twice(log: Log) -> None:
    await log.append([opened(), cell(source="x = 1"), cell(source="x = 1")])
    await seal(log, "s_1", 2)
    recording = build_recording(log, "s_1")
    identifiers = [item["id"] for item in json.loads(recording)["cells"]]
    assert len(set(identifiers)) == 3
    assert verify(recording, trust_policy(log)).verdict is Verdict.VALID


RESAVES = {
    "nbformat": lambda text: nbformat.writes(nbformat.reads(text, as_version=4)),
    "nbformat current": lambda text: nbformat.writes(
        nbformat.reads(text, as_version=nbformat.current_nbformat)
    ),
    "nbconvert": lambda text: NotebookExporter().from_notebook_node(
        nbformat.reads(text, as_version=4)
    )[0],
    "compact": lambda text: json.dumps(json.loads(text), separators=(",", ":")),
    "escaped, sorted, crlf": lambda text: json.dumps(
        json.loads(text), sort_keys=True, indent=4
    ).replace("\n", "\r\n"),
}

RICH: list[dict[str, Any]] = [
    {"output_type": "stream", "name": "stdout", "text": "1%\r2%\n"},
    {"output_type": "stream", "name": "stdout", "text": "done\n"},
    {"output_type": "stream", "name": "stderr", "text": "warning: \u00e9\u2028\U0001f600\n"},
    {
        "output_type": "display_data",
        "metadata": {"image/png": {"width": 10}},
        "data": {
            "image/png": "iVBORw0KGgo=\n",
            "image/svg+xml": ["<svg>\n", "</svg>\n"],
            "text/html": "<table>\n<tr/>\n</table>\n",
            "text/plain": ["a\n", "b"],
            "application/vnd.zt.result+json": {"v": "1", "rows": [["1", None]], "seconds": 0.010},
            "application/vnd.vega.v5+json": {"width": 2.0, "data": [1e21, -0.0, 5e-324]},
        },
    },
    {"output_type": "error", "ename": "E", "evalue": "v", "traceback": ["\x1b[31mE\x1b[0m", "v"]},
]


@pytest.mark.parametrize("name", RESAVES)
async def test_a_plain_resave_is_never_tampering(log: Log, name: str) -> None:
    await log.append([opened(), cell(source="a\nb\n", outputs=RICH)])
    await seal(log, "s_1", 1)
    text = build_recording(log, "s_1").decode()
    resaved = RESAVES[name](text)
    report = verify(resaved.encode(), trust_policy(log))
    assert report.verdict is Verdict.VALID, report.messages


async def test_execution_state_that_editors_keep_is_no_evidence(log: Log) -> None:
    def edit(notebook: dict[str, Any]) -> None:
        notebook["nbformat_minor"] = 9
        notebook["metadata"]["kernelspec"] = {"name": "zt", "display_name": "ZT"}
        for item in notebook["cells"][1:]:
            item["execution_count"] = 7
            item["metadata"] |= {"collapsed": True, "scrolled": True, "jupyter": {}, "tags": []}
            item["outputs"] = [output | {"metadata": {"x": 1}} for output in item["outputs"]]

    assert verify(change(await record_session(log), edit), trust_policy(log)).exit_code == 0


async def test_a_cell_that_the_broker_saw_and_nobody_recorded_is_a_gap(log: Log) -> None:
    recording = await record_session(log, cells=2, cells_seen=3)
    notebook = json.loads(recording)
    assert notebook["cells"][-1]["id"] == "zt-gap"
    assert "saw 3 cells run, and 2 were recorded" in notebook["cells"][-1]["source"]
    report = verify(recording, trust_policy(log))
    assert report.verdict is Verdict.INCOMPLETE
    assert any("GAP" in message for message in report.messages)
    hidden = change(recording, lambda it: it["cells"].pop())
    assert verify(hidden, trust_policy(log)).verdict is Verdict.TAMPERED


async def test_an_erased_body_is_shown_as_erased_and_never_as_tampered(tmp_path: Path) -> None:
    with open_log(tmp_path) as log:
        await record_session(log)
        named = json.loads(
            next(it for it in log.session_records("s_1") if it.kind is RecordKind.CELL).data
        )["bodies"]["cell"]
        database = sqlite3.connect(tmp_path / "state.sqlite")
        database.execute("update log_bodies set body = null where hash = ?", [bytes.fromhex(named)])
        database.commit()
        database.close()
        recording = build_recording(log, "s_1")
        report = verify(recording, trust_policy(log))
        assert report.verdict is Verdict.INCOMPLETE
        verdicts = [verdict for _, verdict in report.cells]
        assert verdicts == [CellVerdict.ERASED, CellVerdict.MATCH, CellVerdict.MATCH]

        def put_something_else_there(notebook: dict[str, Any]) -> None:
            notebook["cells"][1]["source"] = "select 1"

        forged = change(recording, put_something_else_there)
        assert verify(forged, trust_policy(log)).verdict is Verdict.TAMPERED
    with open_log(tmp_path) as log:  # the log is whole without it
        assert verify(build_recording(log, "s_1"), trust_policy(log)).cells == report.cells


async def test_what_ran_without_a_sandbox_or_outside_of_cells_is_said(log: Log) -> None:
    session = draft(RecordKind.SESSION_OPEN, sandbox={"state": "unsandboxed", "detail": "off"})
    await log.append([session])
    await run_action(log)
    await seal(log, "s_1", 0)
    report = verify(build_recording(log, "s_1"), trust_policy(log))
    assert report.verdict is Verdict.VALID
    text = "\n".join(report.not_proven)
    assert "without a sandbox" in text
    assert "no recorded cell claims" in text


async def test_a_kept_checkpoint_shows_that_the_log_goes_on(log: Log) -> None:
    await log.append([draft(RecordKind.ADMIN, "s_0", n=str(n)) for n in range(5)])
    kept = log.checkpoint()
    recording = await record_session(log)
    trust = trust_policy(log)
    alone = verify(recording, trust, kept)
    assert alone.verdict is Verdict.INCOMPLETE
    assert "from size 5" in alone.messages[0]
    proven = verify(build_recording(log, "s_1", previous_size=5), trust, kept)
    assert proven.verdict is Verdict.VALID
    assert verify(recording, trust, log.checkpoint()).verdict is Verdict.VALID
    await log.append([draft(RecordKind.ADMIN, "s_0")])
    older = verify(recording, trust, log.checkpoint())
    assert older.verdict is Verdict.INCOMPLETE
    assert verify(recording, trust, "no checkpoint").verdict is Verdict.INCOMPLETE
    assert verify(recording, None, kept).verdict is Verdict.UNTRUSTED


async def test_only_pinned_keys_of_that_log_count(log: Log) -> None:
    recording = await record_session(log)
    trust = trust_policy(log)
    assert verify(recording).verdict is Verdict.UNTRUSTED
    assert "--trust" in verify(recording).messages[0]
    other = {"v": "1", "logs": [{"origin": "other.test", "vkey": log.vkey()}]}
    assert verify(recording, other).verdict is Verdict.UNTRUSTED
    both = {"v": "1", "logs": [*other["logs"], *trust["logs"]]}
    assert verify(recording, both).verdict is Verdict.VALID


@pytest.mark.parametrize(
    "trust",
    [
        {},
        {"v": "1"},
        {"v": "1", "logs": [5]},
        {"v": "1", "logs": [{"origin": "x", "vkey": "y"}]},
        [],
    ],
)
async def test_a_broken_trust_policy_trusts_nobody(log: Log, trust: Any) -> None:
    assert verify(await record_session(log, cells=1), trust).verdict is Verdict.UNTRUSTED


async def test_a_long_session_verifies_in_seconds(log: Log) -> None:
    await log.append([opened()])
    for start in range(0, 2000, 100):
        await log.append([cell(source=f"x = {n}") for n in range(start, start + 100)])
    await seal(log, "s_1", 2000)
    report = verify(build_recording(log, "s_1"), trust_policy(log))
    assert report.verdict is Verdict.VALID
    assert len(report.cells) == 2000


def test_the_verifier_brings_in_nothing_of_the_gateway() -> None:
    code = (
        "import sys, jupyter_zt.recording.verify, jupyter_zt.cli.verify;"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    names = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    outside = {name for name in names if not name.startswith("_")} - set(sys.stdlib_module_names)
    allowed = {"jupyter_zt", "cryptography", "cffi", "sitecustomize"}
    bare = subprocess.run(
        [sys.executable, "-c", "import sys; print(*{n.partition('.')[0] for n in sys.modules})"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert outside - set(bare) <= allowed
