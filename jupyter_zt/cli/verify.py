"""`jupyter zt verify FILE [--trust trust.json] [--previous CHECKPOINT] [--json]`.

Exit status: 0 VALID, 1 TAMPERED, 2 INCOMPLETE, 3 UNTRUSTED, 4 MALFORMED, and 64 when it was called
wrongly (the usual 2 would say INCOMPLETE).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from jupyter_zt.cli.terminal import printable
from jupyter_zt.errors import EvidenceError
from jupyter_zt.recording.verify import CellVerdict, Report, Verdict, verify
from jupyter_zt.recording.verify.strict_json import parse_json

EX_USAGE = 64  # sysexits.h
_MAX_INPUT_BYTES = 1024 * 1024
_MAX_CELLS_SHOWN = 50


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the call, with a status that is no verdict."""
        self.print_usage(sys.stderr)
        self.exit(EX_USAGE, f"{self.prog}: {message}\n")


def main(argv: Sequence[str]) -> int:
    """Verify one recording and print what was found.

    Returns:
        The verdict as exit status.
    """
    parser = _Parser(
        prog="jupyter zt verify",
        description="Verify a recording offline. Nothing in it is run or fetched.",
        epilog="exit status: 0 VALID, 1 TAMPERED, 2 INCOMPLETE, 3 UNTRUSTED, 4 MALFORMED",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="the recording, *.zt.ipynb")
    parser.add_argument(
        "--trust", type=Path, metavar="trust.json", help="the pinned trust policy: which keys count"
    )
    parser.add_argument(
        "--previous",
        type=Path,
        metavar="CHECKPOINT",
        help="a checkpoint that you kept from earlier",
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    arguments = parser.parse_args(argv)
    trust = None if arguments.trust is None else _read_trust(arguments.trust)
    previous = None if arguments.previous is None else _read_text(arguments.previous)
    try:
        report = verify(arguments.file, trust, previous)
    except Exception as error:  # noqa: BLE001 - a fault of ours must not look like a verdict of 1
        report = Report()
        report.add(Verdict.MALFORMED, f"The verifier could not cope with this file: {error!r}")
    if arguments.json:
        print(json.dumps(report.to_json(), indent=2))
    else:
        print(printable(_text(str(arguments.file), report)))
    return report.exit_code


def _read_trust(path: Path) -> dict[str, Any]:
    """The policy, or an empty one that trusts nobody when it can't be read."""
    try:
        value = parse_json(_read_text(path))
    except EvidenceError as error:
        print(printable(f"{path}: {error.message}"), file=sys.stderr)
        return {}
    return value if isinstance(value, dict) else {}


def _read_text(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return file.read(_MAX_INPUT_BYTES)
    except (OSError, ValueError) as error:
        print(printable(f"{path}: {error}"), file=sys.stderr)
        return ""


def _text(name: str, report: Report) -> str:
    lines = [f"{report.verdict.name}  {name}", ""]
    lines += [f"  {label:<9} {value}" for label, value in report.facts.items()]
    if report.facts:
        lines.append("")
    matching = sum(verdict is CellVerdict.MATCH for _, verdict in report.cells)
    if report.cells:
        lines.append(f"Cells: {matching} of {len(report.cells)} match what was recorded.")
    odd = [item for item in report.cells if item[1] is not CellVerdict.MATCH]
    lines += [f"  {verdict:<10} {cell}" for cell, verdict in odd[:_MAX_CELLS_SHOWN]]
    if len(odd) > _MAX_CELLS_SHOWN:
        lines.append(f"  and {len(odd) - _MAX_CELLS_SHOWN} more (--json lists all)")
    if report.messages:
        lines += ["", "Found:", *(f"  - {item}" for item in report.messages[:_MAX_CELLS_SHOWN])]
    if report.not_proven:
        lines += ["", "Not proven:", *(f"  - {item}" for item in report.not_proven)]
    return "\n".join(lines)
