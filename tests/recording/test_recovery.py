from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from jupyter_zt.errors import EvidenceError
from jupyter_zt.model import RecordKind
from jupyter_zt.recording.verify.note import Checkpoint, split_note
from tests.fixtures_recording import draft, open_log, opened, record_session, run_action


async def test_a_new_log_has_a_checkpoint_and_no_records(tmp_path: Path) -> None:
    with open_log(tmp_path) as log:
        assert Checkpoint.parse(split_note(log.checkpoint())[0]).size == 0
        assert log.session_records("") == []


async def test_each_intent_without_an_outcome_gets_unknown_outcome_then_recovery(
    tmp_path: Path,
) -> None:
    principal = {"human": {"iss": "i", "sub": "s"}}
    with open_log(tmp_path) as log:
        await log.append([opened()])
        await run_action(log, action="a_done")
        await log.append(
            [
                draft(RecordKind.INTENT, action="a_lost", connection="crm", principal=principal),
                draft(RecordKind.DECISION, action="a_lost", verdict="allow"),
                draft(RecordKind.EXECUTE_START, action="a_lost"),
                draft(RecordKind.INTENT, action="a_denied"),
                draft(RecordKind.DECISION, action="a_denied", verdict="deny"),
                draft(RecordKind.INTENT, action="a_failed"),
                draft(RecordKind.ERROR, action="a_failed"),
                draft(RecordKind.INTENT, action="a_refused"),
                draft(RecordKind.APPROVAL_OPENED, action="a_refused"),
                draft(RecordKind.APPROVAL_CLOSED, action="a_refused", state="denied"),
                draft(RecordKind.INTENT, action="a_held"),
                draft(RecordKind.APPROVAL_OPENED, action="a_held"),
            ]
        )
    with open_log(tmp_path, waiting=frozenset({"a_held"})) as log:
        lost = log.session_records("s_1")[-1]
        assert lost.kind is RecordKind.UNKNOWN_OUTCOME
        fields = json.loads(lost.data)
        assert fields["action"] == "a_lost"
        assert (fields["principal"], fields["connection"]) == (principal, "crm")
        recovery = log.session_records("")[-1]
        assert recovery.kind is RecordKind.RECOVERY
        assert json.loads(recovery.data)["unknown_outcomes"] == "1"
        assert recovery.leaf == lost.leaf + 1
    with open_log(tmp_path, waiting=frozenset({"a_held"})) as log:
        assert log.session_records("s_1")[-1] == lost
        await log.append([draft(RecordKind.RESULT, action="a_held")])
    with open_log(tmp_path) as log:
        assert log.session_records("s_1")[-1].kind is RecordKind.RESULT


async def test_a_session_goes_on_after_a_restart_in_one_chain(tmp_path: Path) -> None:
    with open_log(tmp_path) as log:
        await log.append([opened()])
    with open_log(tmp_path) as log:
        await log.append([draft(RecordKind.ADMIN)])
        first, second = log.session_records("s_1")
        assert second.seq == 1
        assert json.loads(second.data)["prev"]
        assert first.leaf < second.leaf


def _sql(*statements: str) -> Callable[[sqlite3.Connection], None]:
    def run(database: sqlite3.Connection) -> None:
        for statement in statements:
            assert database.execute(statement).rowcount != 0

    return run


def _append_forged(database: sqlite3.Connection) -> None:
    database.execute(
        "insert into log_leaves select leaf + 1, 's_9', 0, kind, hash, data "
        "from log_leaves order by leaf desc limit 1"
    )


@pytest.mark.parametrize(
    "tamper",
    [
        pytest.param(_sql("update log_leaves set data = data || ' ' where leaf = 3"), id="edited"),
        pytest.param(_sql("update log_leaves set hash = zeroblob(32) where leaf = 3"), id="hash"),
        pytest.param(_sql("delete from log_leaves where leaf = 3"), id="deleted"),
        pytest.param(
            _sql("delete from log_leaves where leaf = (select max(leaf) from log_leaves)"),
            id="truncated",
        ),
        pytest.param(_sql("delete from log_leaves", "delete from log_nodes"), id="emptied"),
        pytest.param(
            _sql(
                "update log_leaves set leaf = -1 where leaf = 2",
                "update log_leaves set leaf = 2 where leaf = 3",
                "update log_leaves set leaf = 3 where leaf = -1",
            ),
            id="reordered",
        ),
        pytest.param(_append_forged, id="forged record added"),
        pytest.param(_sql("delete from log_checkpoint"), id="checkpoint removed"),
        pytest.param(
            _sql("update log_checkpoint set note = replace(note, 'gateway.test', 'gateway.tost')"),
            id="checkpoint edited",
        ),
        pytest.param(_sql("update log_checkpoint set note = 'x'"), id="checkpoint broken"),
        pytest.param(_sql("update log_nodes set hash = zeroblob(32)"), id="tile edited"),
        pytest.param(_sql("delete from log_nodes"), id="tile deleted"),
        pytest.param(
            _sql("insert into log_nodes values (16, 0, zeroblob(32))"), id="tile invented"
        ),
    ],
)
async def test_a_log_that_was_changed_behind_its_back_does_not_start(
    tmp_path: Path, tamper: Callable[[sqlite3.Connection], None]
) -> None:
    with open_log(tmp_path) as log:
        await record_session(log)
        await log.append([draft(RecordKind.ADMIN, "s_2", n=str(n)) for n in range(256)])
    database = sqlite3.connect(tmp_path / "state.sqlite")
    tamper(database)
    database.commit()
    database.close()
    with pytest.raises(EvidenceError) as caught, open_log(tmp_path):
        pass
    assert caught.value.code in {"log_inconsistent", "bad_note", "bad_signature"}


async def test_another_key_or_origin_does_not_continue_the_log(tmp_path: Path) -> None:
    with open_log(tmp_path) as log:
        await log.append([opened()])
    with pytest.raises(EvidenceError, match="belongs to"), open_log(tmp_path, "other.test/zt"):
        pass
    (tmp_path / "log.key").rename(tmp_path / "old.key")
    with pytest.raises(EvidenceError, match="another key"), open_log(tmp_path):
        pass
