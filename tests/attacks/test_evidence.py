"""Attacks on the evidence: none may end as VALID, and none as a traceback."""

from __future__ import annotations

import base64
import copy
import json
import os
import random
import shutil
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_zt.model import RecordKind
from jupyter_zt.recording import Log, build_recording, seal, trust_policy
from jupyter_zt.recording.signing import sign_checkpoint, verifier_key
from jupyter_zt.recording.tree import inclusion_proof
from jupyter_zt.recording.verify import CellVerdict, Report, Verdict, verify
from jupyter_zt.recording.verify.bundle import encode_bundle
from jupyter_zt.recording.verify.merkle import leaf_hash, root_of
from jupyter_zt.recording.verify.note import Checkpoint, Proof
from jupyter_zt.storage import open_database
from tests.fixtures_recording import (
    ORIGIN,
    cell,
    change,
    draft,
    open_log,
    opened,
    record_session,
    run_action,
)

Notebook = dict[str, Any]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    folder = tmp_path / "gateway"
    folder.mkdir()
    with open_log(folder) as opened_log:
        yield opened_log


def verdicts(report: Report) -> list[CellVerdict]:
    return [verdict for _, verdict in report.cells]


def bundle_of(notebook: Notebook) -> dict[str, Any]:
    value = json.loads(base64.b64decode(notebook["metadata"]["zt"]["recording"]))
    assert isinstance(value, dict)
    return value


def put_bundle(notebook: Notebook, bundle: dict[str, Any]) -> None:
    text = json.dumps(bundle, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    notebook["metadata"]["zt"]["recording"] = base64.b64encode(text.encode()).decode()


def on_bundle(edit: Callable[[dict[str, Any]], None]) -> Callable[[Notebook], None]:
    def apply(notebook: Notebook) -> None:
        bundle = bundle_of(notebook)
        edit(bundle)
        put_bundle(notebook, bundle)

    return apply


# -- the notebook's cells ------------------------------------------------------------------------


async def test_edit_a_source(log: Log) -> None:
    attack = change(await record_session(log), lambda it: it["cells"][2].update(source="select 9"))
    report = verify(attack, trust_policy(log))
    assert report.verdict is Verdict.TAMPERED
    assert verdicts(report) == [CellVerdict.MATCH, CellVerdict.EDITED, CellVerdict.MATCH]
    assert report.cells[1][0] in report.messages[0]


async def test_edit_one_byte_of_an_output(log: Log) -> None:
    def attack(notebook: Notebook) -> None:
        data = notebook["cells"][1]["outputs"][1]["data"]
        data["text/plain"] = data["text/plain"].replace("a***", "b***")

    report = verify(change(await record_session(log), attack), trust_policy(log))
    assert verdicts(report) == [CellVerdict.EDITED, CellVerdict.MATCH, CellVerdict.MATCH]


async def test_delete_a_cell(log: Log) -> None:
    report = verify(
        change(await record_session(log), lambda it: it["cells"].pop(2)), trust_policy(log)
    )
    assert report.verdict is Verdict.TAMPERED
    assert verdicts(report) == [CellVerdict.MATCH, CellVerdict.MATCH, CellVerdict.MISSING]


async def test_insert_a_cell(log: Log) -> None:
    def attack(notebook: Notebook) -> None:
        forged = copy.deepcopy(notebook["cells"][1])
        notebook["cells"].insert(2, forged | {"id": "forged"})

    report = verify(change(await record_session(log), attack), trust_policy(log))
    assert report.verdict is Verdict.TAMPERED
    assert ("forged", CellVerdict.UNRECORDED) in report.cells


@pytest.mark.parametrize("kind", ["markdown", "raw"])
async def test_insert_a_note_among_the_evidence(log: Log, kind: str) -> None:
    note = {"cell_type": kind, "id": "note", "metadata": {}, "source": "All is well."}
    attack = change(await record_session(log), lambda it: it["cells"].append(note))
    report = verify(attack, trust_policy(log))
    assert report.verdict is Verdict.TAMPERED
    assert report.cells[-1] == ("note", CellVerdict.UNRECORDED)


async def test_reorder_cells(log: Log) -> None:
    def attack(notebook: Notebook) -> None:
        cells = notebook["cells"]
        cells[1], cells[3] = cells[3], cells[1]

    report = verify(change(await record_session(log), attack), trust_policy(log))
    assert report.verdict is Verdict.TAMPERED
    assert CellVerdict.EDITED in verdicts(report)


async def test_swap_outputs_between_cells(log: Log) -> None:
    await log.append(
        [opened(), cell(source="a"), cell(source="b", outputs=[])],
    )

    def attack(notebook: Notebook) -> None:
        _, one, two = notebook["cells"]
        one["outputs"], two["outputs"] = two["outputs"], one["outputs"]

    report = verify(change(build_recording(log, "s_1"), attack), trust_policy(log))
    assert verdicts(report) == [CellVerdict.EDITED, CellVerdict.EDITED]


async def test_rewrite_who_did_it_in_the_header(log: Log) -> None:
    def attack(notebook: Notebook) -> None:
        header = notebook["cells"][0]
        header["source"] = header["source"].replace("analyst", "reviewer")

    for edit in (attack, lambda it: it["cells"].pop(0), lambda it: it["cells"].reverse()):
        report = verify(change(await _fresh(log), edit), trust_policy(log))
        assert report.verdict is Verdict.TAMPERED


async def _fresh(log: Log) -> bytes:
    return await record_session(log, f"s_{os.urandom(4).hex()}")


async def test_point_a_cell_at_another_record(log: Log) -> None:
    recording = await record_session(log)
    leaves = [it["metadata"]["zt"]["leaf"] for it in json.loads(recording)["cells"][1:]]
    for leaf in (leaves[1], "0", "99", "", "-1", "01", 3, None, [leaves[0]], {"leaf": "3"}):

        def attack(notebook: Notebook, leaf: object = leaf) -> None:
            notebook["cells"][1]["metadata"]["zt"]["leaf"] = leaf

        assert verify(change(recording, attack), trust_policy(log)).verdict is Verdict.TAMPERED


# -- the session's records -----------------------------------------------------------------------


def _edited_record(bundle: dict[str, Any]) -> None:
    bundle["records"][2] = bundle["records"][2].replace('"verdict":"allow"', '"verdict":"hold"')


def _swap_bodies(bundle: dict[str, Any]) -> None:
    one, two = sorted(bundle["bodies"])[:2]
    bundle["bodies"][one], bundle["bodies"][two] = bundle["bodies"][two], bundle["bodies"][one]


RECORD_ATTACKS: dict[str, Callable[[dict[str, Any]], None]] = {
    "edit": _edited_record,
    "delete": lambda it: it["records"].pop(3),
    "delete the first": lambda it: it["records"].pop(0),
    "truncate": lambda it: it["records"].pop(),
    "duplicate": lambda it: it["records"].insert(3, it["records"][3]),
    "reorder": lambda it: it["records"].insert(2, it["records"].pop(4)),
    "session renamed": lambda it: it.update(session="s_other"),
    "bodies swapped": _swap_bodies,
    "a body added": lambda it: it["bodies"].update({"0" * 64: {"salt": "", "body": ""}}),
}


@pytest.mark.parametrize("name", RECORD_ATTACKS)
async def test_change_the_records(log: Log, name: str) -> None:
    attack = change(await record_session(log), on_bundle(RECORD_ATTACKS[name]))
    assert verify(attack, trust_policy(log)).verdict is Verdict.TAMPERED


async def test_every_record_dropped_duplicated_swapped_or_edited(log: Log) -> None:
    recording, trust = await record_session(log), trust_policy(log)
    count = len(bundle_of(json.loads(recording))["records"])
    for place in range(count):
        attacks: list[Callable[[dict[str, Any]], None]] = [
            lambda it, at=place: it["records"].pop(at),
            lambda it, at=place: it["records"].insert(at, it["records"][at]),
            lambda it, at=place: it["records"].insert(0 if at else 1, it["records"].pop(at)),
            lambda it, at=place: it["records"].__setitem__(
                at, it["records"][at].replace('"v":"1"', '"v":"1","x":"y"')
            ),
        ]
        for edit in attacks:
            report = verify(change(recording, on_bundle(edit)), trust)
            assert report.verdict is Verdict.TAMPERED


async def test_drop_a_body_and_show_something_else(log: Log) -> None:
    recording = await record_session(log)

    def attack(bundle: dict[str, Any]) -> None:
        for record in bundle["records"]:
            if '"kind":"cell"' in record:
                del bundle["bodies"][json.loads(record)["bodies"]["cell"]]

    report = verify(change(recording, on_bundle(attack)), trust_policy(log))
    assert report.verdict is Verdict.TAMPERED
    assert set(verdicts(report)) == {CellVerdict.EDITED}


async def test_drop_a_body_that_no_cell_shows(log: Log) -> None:
    recording = await record_session(log)

    def attack(bundle: dict[str, Any]) -> None:
        intent = next(json.loads(it) for it in bundle["records"] if '"kind":"intent"' in it)
        del bundle["bodies"][intent["bodies"]["command"]]

    report = verify(change(recording, on_bundle(attack)), trust_policy(log))
    assert report.verdict is Verdict.INCOMPLETE


async def test_splice_another_session(log: Log) -> None:
    one, two = [json.loads(await record_session(log, name)) for name in ("s_1", "s_2")]
    trust = trust_policy(log)
    cells = copy.deepcopy(one)
    cells["cells"][2] = two["cells"][2]
    assert verify(json.dumps(cells).encode(), trust).verdict is Verdict.TAMPERED
    records = copy.deepcopy(one)
    bundle, other = bundle_of(one), bundle_of(two)
    bundle["records"][1:4] = other["records"][1:4]
    bundle["bodies"] |= other["bodies"]
    put_bundle(records, bundle)
    assert verify(json.dumps(records).encode(), trust).verdict is Verdict.TAMPERED
    proof = copy.deepcopy(one)
    proof["metadata"]["zt"]["proof"] = two["metadata"]["zt"]["proof"]
    assert verify(json.dumps(proof).encode(), trust).verdict is Verdict.TAMPERED
    whole = copy.deepcopy(one)
    whole["metadata"] = two["metadata"]
    assert verify(json.dumps(whole).encode(), trust).verdict is Verdict.TAMPERED


async def test_cut_the_tail_and_pass_it_off_as_an_honest_interruption(log: Log) -> None:
    await log.append([opened()])
    await run_action(log)
    await log.append([cell()])
    early = build_recording(log, "s_1")
    report = verify(early, trust_policy(log))
    assert report.verdict is Verdict.INCOMPLETE  # never VALID: only the seal says it is all
    assert "INCOMPLETE" in json.loads(early)["cells"][0]["source"]


# -- keys, checkpoints, the log ------------------------------------------------------------------


def _forge(records: list[dict[str, Any]], key: Ed25519PrivateKey, name: str) -> Notebook:
    """A well-formed recording of invented records, signed by the forger."""
    data: list[bytes] = []
    for seq, fields in enumerate(records):
        prev = leaf_hash(data[-1]).hex() if data else ""
        place = {"v": "1", "origin": name, "session": "s_1", "leaf": str(seq), "seq": str(seq)}
        text = json.dumps({**fields, **place, "prev": prev}, sort_keys=True, separators=(",", ":"))
        data.append(text.encode())
    hashes = [leaf_hash(item) for item in data]
    checkpoint = Checkpoint(name, len(data), root_of(hashes))
    path = inclusion_proof(
        len(data) - 1, len(data), lambda level, at: root_of(hashes[at << level : (at + 1) << level])
    )
    proof = Proof(len(data) - 1, tuple(path), sign_checkpoint(checkpoint, key))
    return {
        "cells": [],
        "metadata": {
            "zt": {"v": "1", "recording": encode_bundle("s_1", data, {}), "proof": proof.text()}
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }


async def test_sign_a_forgery_with_another_key(log: Log) -> None:
    forger = Ed25519PrivateKey.generate()
    forged = _forge([{"kind": "session_open"}], forger, ORIGIN)
    report = verify(json.dumps(forged).encode(), trust_policy(log))
    assert report.exit_code != 0
    recording = await record_session(log)

    def resign(notebook: Notebook) -> None:
        head, note = notebook["metadata"]["zt"]["proof"].split("\n\n", 1)
        checkpoint = Checkpoint.parse(note.split("\n\n")[0] + "\n")
        signed = sign_checkpoint(checkpoint, forger)
        notebook["metadata"]["zt"]["proof"] = f"{head}\n\n{signed}"

    report = verify(change(recording, resign), trust_policy(log))
    assert report.verdict is Verdict.UNTRUSTED


async def test_ship_the_key_inside_the_file(log: Log) -> None:
    forger = Ed25519PrivateKey.generate()
    forged = _forge([{"kind": "session_open"}], forger, ORIGIN)
    vkey = verifier_key(ORIGIN, forger)
    policy = {"v": "1", "logs": [{"origin": ORIGIN, "vkey": vkey}]}
    forged["metadata"]["zt"] |= {"trust": json.dumps(policy), "vkey": vkey, "keys": [vkey]}
    forged["metadata"]["trust"] = policy
    data = json.dumps(forged).encode()
    for trust in (None, trust_policy(log)):
        assert verify(data, trust).verdict in {Verdict.UNTRUSTED, Verdict.TAMPERED}
        assert verify(data, trust).exit_code != 0


async def test_a_forgery_that_its_own_key_would_pass_is_still_refused(log: Log) -> None:
    forger = Ed25519PrivateKey.generate()
    forged = _forge([{"kind": "session_open"}, {"kind": "seal"}], forger, "forger.test")
    report = verify(json.dumps(forged).encode(), trust_policy(log))
    assert report.exit_code != 0


async def test_name_the_trusted_key_over_a_forged_signature(log: Log) -> None:
    recording = await record_session(log)

    def attack(notebook: Notebook) -> None:
        proof = notebook["metadata"]["zt"]["proof"]
        lines = proof.rstrip("\n").split("\n")
        dash, name, signature = lines[-1].split(" ")
        raw = base64.b64decode(signature)
        forged = base64.b64encode(raw[:4] + os.urandom(64)).decode()
        lines[-1] = f"{dash} {name} {forged}"
        notebook["metadata"]["zt"]["proof"] = "\n".join(lines) + "\n"

    report = verify(change(recording, attack), trust_policy(log))
    assert report.verdict is Verdict.TAMPERED


async def test_roll_back_the_whole_log(tmp_path: Path) -> None:
    live, backup = tmp_path / "live", tmp_path / "backup"
    live.mkdir()
    with open_log(live) as log:
        await record_session(log, "s_1")
    shutil.copytree(live, backup)
    with open_log(live) as log:
        await log.append([draft(RecordKind.ADMIN, "s_secret", n=str(n)) for n in range(40)])
        kept, trust = log.checkpoint(), trust_policy(log)
    size = Checkpoint.parse(kept.split("\n\n")[0] + "\n").size
    with open_log(backup) as log:  # the same key, a past state: it can't be told from inside
        shorter = await record_session(log, "s_2")
        report = verify(shorter, trust, kept)
        assert report.verdict is Verdict.INCOMPLETE
        assert "records were removed" in report.messages[0]
        await log.append([draft(RecordKind.ADMIN, "s_3", n=str(n)) for n in range(60)])
        longer = build_recording(log, "s_2", previous_size=size)
        report = verify(longer, trust, kept)
        assert report.verdict is Verdict.TAMPERED
        assert any("rolled back or forked" in message for message in report.messages)


async def test_fork_the_log(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    with open_log(one):
        pass
    shutil.copytree(one, two)
    with open_log(one) as log:
        await record_session(log, "s_1")
        kept = log.checkpoint()
    with open_log(two) as log:
        recording = await record_session(log, "s_2")
        other, trust = log.checkpoint(), trust_policy(log)
    assert other.split("\n")[1] == kept.split("\n")[1]  # the same size
    report = verify(recording, trust, kept)
    assert report.verdict is Verdict.TAMPERED


async def test_replay_an_old_recording_as_new(log: Log) -> None:
    recording = await record_session(log)

    def attack(notebook: Notebook) -> None:
        header = notebook["cells"][0]
        today = datetime.now(UTC).date().isoformat()
        header["source"] = header["source"].replace(today, "2031-01-01")

    assert verify(change(recording, attack), trust_policy(log)).verdict is Verdict.TAMPERED
    assert verify(recording, trust_policy(log)).facts["session"] == "s_1"


async def test_flood_until_recording_stops(log: Log) -> None:
    huge = [{"output_type": "stream", "name": "stdout", "text": "x" * 30_000_000}]
    await log.append([opened(), cell(source="flood", outputs=huge), cell(source="after")])
    notebook = json.loads(build_recording(log, "s_1"))
    assert "too large to record: 300" in json.dumps(notebook["cells"][1]["outputs"])
    assert notebook["cells"][2]["source"] == "after"


async def test_jump_the_clock(tmp_path: Path) -> None:
    times = iter([datetime(2030, 1, 1, tzinfo=UTC), datetime(1999, 1, 1, tzinfo=UTC)] * 50)
    engine = open_database(f"sqlite:///{tmp_path / 'state.sqlite'}")
    log = Log(engine, ORIGIN, Ed25519PrivateKey.generate(), lambda: next(times), os.urandom)
    log.start()
    report = verify(await record_session(log), trust_policy(log))
    log.close()
    engine.dispose()
    assert report.verdict is Verdict.VALID
    assert any("times are the gateway's own" in item for item in report.not_proven)


# -- every byte, and files that were never recordings ---------------------------------------------


async def test_flip_every_byte_of_the_evidence(log: Log) -> None:
    await log.append([opened()])
    place = await run_action(log)
    await log.append([cell(actions=(place,))])
    await seal(log, "s_1", 1)
    notebook, trust = json.loads(build_recording(log, "s_1")), trust_policy(log)
    evidence = notebook["metadata"]["zt"]
    chosen = random.Random(7)
    for name in ("v", "recording", "proof"):
        original = evidence[name]
        for at in range(len(original)):
            bit = 1 << chosen.randrange(7)
            flipped = chr(ord(original[at]) ^ bit)
            evidence[name] = original[:at] + flipped + original[at + 1 :]
            report = verify(json.dumps(notebook).encode(), trust)
            assert report.verdict is not Verdict.VALID, (name, at, bit)
        evidence[name] = original
    assert verify(json.dumps(notebook).encode(), trust).verdict is Verdict.VALID


async def test_flip_bytes_of_the_whole_file(log: Log) -> None:
    recording, trust = await record_session(log, cells=1), trust_policy(log)
    shown = json.loads(recording)["cells"]
    chosen = random.Random(11)
    for at in sorted(chosen.sample(range(len(recording)), 1500)):
        flipped = bytearray(recording)
        flipped[at] ^= 1 << chosen.randrange(8)
        report = verify(bytes(flipped), trust)
        if report.verdict is Verdict.VALID:  # then a reader sees just what was recorded
            again = json.loads(bytes(flipped))["cells"]
            assert [_seen(item) for item in again] == [_seen(item) for item in shown]


def _seen(item: Notebook) -> object:
    outputs = [
        {name: value for name, value in output.items() if name in {"data", "text", "output_type"}}
        for output in item.get("outputs", [])
    ]
    return item["cell_type"], item["source"].rstrip("\n"), outputs


def _deep(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


CRAFTED: dict[str, bytes] = {
    "empty": b"",
    "not JSON": b"\x89PNG\r\n\x1a\n",
    "not UTF-8": b'{"cells": "\xff"}',
    "utf-16": '{"cells": []}'.encode("utf-16"),
    "a number": b"7",
    "null": b"null",
    "deep array": _deep(200_000),
    "deep object": b'{"a":' * 200_000,
    "a huge number": b'{"nbformat": ' + b"9" * 2_000_000 + b"}",
    "a long exponent": b'{"nbformat": 1e' + b"9" * 1000 + b"}",
    "no cells": b'{"nbformat": 4, "metadata": {}}',
    "no evidence": b'{"nbformat": 4, "metadata": {}, "cells": []}',
    "duplicate keys": b'{"nbformat": 4, "cells": [], "cells": []}',
    "NaN": b'{"nbformat": NaN}',
    "over the size limit": b" " * (129 * 1024 * 1024),
}


@pytest.mark.parametrize("name", CRAFTED)
def test_a_crafted_file_is_malformed_at_once(name: str) -> None:
    began = time.monotonic()
    assert verify(CRAFTED[name], {"v": "1", "logs": []}).verdict is Verdict.MALFORMED
    assert time.monotonic() - began < 2


def test_a_file_that_never_ends_or_answers_is_malformed(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.zt.ipynb"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/zero"), tmp_path, tmp_path / "nowhere", Path("a\0b")):
        assert verify(path).verdict is Verdict.MALFORMED


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)


def _places(value: object, path: tuple[object, ...] = ()) -> Iterator[tuple[object, ...]]:
    yield path
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, item in items:
        yield from _places(item, (*path, key))


def _put(value: Any, path: tuple[Any, ...], new: object) -> Any:
    if not path:
        return new
    value[path[0]] = _put(value[path[0]], path[1:], new)
    return value


@pytest.fixture
async def sample(log: Log) -> tuple[bytes, dict[str, Any]]:
    return await record_session(log, cells=1), trust_policy(log)


@settings(max_examples=300, suppress_health_check=list(HealthCheck), deadline=None)
@given(data=st.data(), junk=json_values)
def test_wrong_types_anywhere_give_a_verdict_and_never_a_traceback(
    sample: tuple[bytes, dict[str, Any]], data: st.DataObject, junk: object
) -> None:
    recording, trust = sample
    notebook = json.loads(recording)
    inside = data.draw(st.booleans())
    if inside:
        bundle = bundle_of(notebook)
        bundle["records"] = [json.loads(item) for item in bundle["records"]]
        path = data.draw(st.sampled_from(list(_places(bundle))))
        bundle = _put(bundle, path, junk)
        if isinstance(bundle, dict) and isinstance(bundle.get("records"), list):
            bundle["records"] = [
                json.dumps(item, sort_keys=True, separators=(",", ":"))
                for item in bundle["records"]
            ]
        text = json.dumps(bundle, sort_keys=True, separators=(",", ":"))
        notebook["metadata"]["zt"]["recording"] = base64.b64encode(text.encode()).decode()
    else:
        notebook = _put(notebook, data.draw(st.sampled_from(list(_places(notebook)))), junk)
    crafted = json.dumps(notebook).encode()
    report = verify(crafted, trust)
    report.to_json()
    if report.verdict is Verdict.VALID:
        assert [_seen(it) for it in notebook["cells"]] == [
            _seen(it) for it in json.loads(recording)["cells"]
        ]
