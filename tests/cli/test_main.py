"""`jupyter zt`: usage, and hints for what is mistyped."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_zt.cli import COMMANDS, main


def test_usage_lists_every_subcommand(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in COMMANDS)


def test_without_a_subcommand_the_usage_is_shown_and_the_status_says_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([]) == 2
    assert "usage: jupyter zt" in capsys.readouterr().out


def test_mistyped_subcommand_is_answered_with_the_close_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["gatway"]) == 2
    assert "Did you mean `jupyter zt gateway`?" in capsys.readouterr().err


def test_error_of_a_subcommand_is_printed_with_code_and_hint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["gateway", "--config", str(tmp_path)]) == 2
    printed = capsys.readouterr().err
    assert "gateway.yaml" in printed
    assert "[bad_configuration]" in printed


def test_help_loads_nothing_heavy() -> None:
    program = (
        "import sys; from jupyter_zt.cli import main; main(['--help']);"
        "sys.exit(any(name in sys.modules for name in ('pandas', 'pyarrow', 'fastapi')))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
