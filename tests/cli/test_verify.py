from __future__ import annotations

import json
from pathlib import Path

import pytest

from jupyter_zt.cli.verify import main
from jupyter_zt.recording import trust_policy
from tests.fixtures_recording import change, open_log, record_session


@pytest.fixture
async def recording(tmp_path: Path) -> Path:
    with open_log(tmp_path) as log:
        (tmp_path / "trust.json").write_text(json.dumps(trust_policy(log)))
        (tmp_path / "tour.zt.ipynb").write_bytes(await record_session(log))
        (tmp_path / "kept.txt").write_text(log.checkpoint())
    return tmp_path / "tour.zt.ipynb"


def test_each_verdict_has_its_exit_status(
    recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trust = ["--trust", str(recording.with_name("trust.json"))]
    assert main([str(recording), *trust]) == 0
    assert capsys.readouterr().out.startswith("VALID ")
    assert main([str(recording)]) == 3
    assert "--trust" in capsys.readouterr().out
    original = recording.read_bytes()
    recording.write_bytes(change(original, lambda it: it["cells"][2].update(source="x")))
    assert main([str(recording), *trust]) == 1
    assert "EDITED" in capsys.readouterr().out
    recording.write_bytes(b"{}")
    assert main([str(recording), *trust]) == 4
    assert main([str(recording.with_name("nowhere")), *trust]) == 4
    assert main([str(recording.parent), *trust]) == 4


def test_json_tells_the_same(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trust = ["--trust", str(recording.with_name("trust.json"))]
    kept = ["--previous", str(recording.with_name("kept.txt"))]
    assert main([str(recording), *trust, *kept, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["verdict"] == "VALID"
    assert [cell["verdict"] for cell in report["cells"]] == ["MATCH"] * 3
    assert report["not_proven"]


def test_a_trust_policy_that_cannot_be_read_trusts_nobody(
    recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(recording), "--trust", str(recording.with_name("nowhere.json"))]) == 3
    assert "nowhere.json" in capsys.readouterr().err
    assert main([str(recording), "--trust", str(recording)]) == 3


def test_a_wrong_call_is_no_verdict() -> None:
    for arguments in ([], ["--nonsense"]):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 64


def test_terminal_commands_in_a_recording_are_not_carried_out(
    recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    named = change(recording.read_bytes(), lambda it: it["cells"][1].update(id="\x1b[2J\u202e"))
    recording.write_bytes(named)
    main([str(recording)])
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "\\u001b[2J\\u202e" in shown
