"""`jupyter zt policy test`: do the policies decide as their cases say?"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from jupyter_zt.cli.policy.sources import add_policies, policies_path, print_json, surroundings
from jupyter_zt.cli.terminal import printable, table
from jupyter_zt.errors import ConfigError
from jupyter_zt.policy.cases import Case, Report, read_cases, read_cell, run_cases

EPILOG = """
Cases are YAML (docs/policy.md, Testing policies) or notebooks with %%policy_case cells. Without
FILE those that stand beside the policies count: *.cases.yaml.

exit status: 0 every case was decided as expected, 1 one was not, or with --require-coverage a rule
determined no case, 2 it could not start
"""


def main(argv: Sequence[str]) -> int:
    """Runs cases and reports what was decided otherwise, and which rules no case covers.

    Raises:
        ConfigError: The policies or the cases can't be used; says file and line.
    """
    arguments = _parse(argv)
    with ExitStack() as stack:
        where = policies_path(arguments, stack)
        connections: dict[str, str] = {}
        cases: list[Case] = []
        for path in arguments.file or _beside(where):
            found = list(_read(path, connections))
            cases += found
            connections |= {it.connection: it.kind for it in found}
        if not cases:
            raise ConfigError(
                "There is no case to run.", file=str(where), hint="Write NAME.cases.yaml beside it."
            )
        policies = surroundings(arguments, connections).load(where)
    report = run_cases(policies, cases)
    if arguments.json:
        print_json(_plain(report, policies.digest))
    else:
        print(printable(_text(report)))
    missing = arguments.require_coverage and report.uncovered
    return 1 if report.failed or missing else 0


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="jupyter zt policy test",
        description="Decide cases and compare.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", type=Path, nargs="*", metavar="FILE", help="*.yaml or *.ipynb")
    add_policies(parser)
    parser.add_argument(
        "--require-coverage",
        action="store_true",
        help="fail where a rule determined none of the cases",
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    return parser.parse_args(argv)


def _beside(where: Path) -> list[Path]:
    """Cases of a single policy file have its name; those of a folder any."""
    if where.is_dir():
        return sorted(where.glob("*.cases.yaml"))
    named = where.with_name(f"{where.stem}.cases.yaml")
    return [named] if named.exists() else []


def _read(path: Path, connections: dict[str, str]) -> Iterator[Case]:
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError("These cases can't be read.", file=str(path)) from error
    if path.suffix != ".ipynb":
        found = read_cases(str(path), text)
        connections |= found.connections
        yield from found.cases
        return
    for number, source in _code_cells(path, text):
        case = read_cell(str(path), number, source)
        if case is not None:
            yield case


def _code_cells(path: Path, text: str) -> Iterator[tuple[int, str]]:
    try:
        cells = json.loads(text)["cells"]
        for number, cell in enumerate(cells, 1):
            if cell["cell_type"] == "code":
                yield number, "".join(cell["source"])
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError("This is no notebook.", file=str(path)) from error


def _plain(report: Report, digest: str) -> Mapping[str, Any]:
    return {
        "digest": digest,
        "cases": [
            {
                "name": it.case.name,
                "file": it.case.file,
                "line": it.case.line,
                "ok": not it.problems,
                "problems": list(it.problems),
                "decision": it.decision.to_json(),
            }
            for it in report.outcomes
        ],
        "uncovered": list(report.uncovered),
    }


def _text(report: Report) -> str:
    rows = [
        (
            "FAILED" if it.problems else "ok",
            it.case.name,
            it.decision.verdict.value,
            it.decision.code or ", ".join(it.decision.policies),
        )
        for it in report.outcomes
    ]
    lines = [table(("", "case", "verdict", "by"), rows), ""]
    lines += [
        f"{it.case.file}:{it.case.line}: {it.case.name}: {'; '.join(it.problems)}"
        for it in report.failed
    ]
    passed = len(report.outcomes) - len(report.failed)
    lines.append(f"{passed} of {len(report.outcomes)} cases were decided as expected.")
    if report.uncovered:
        lines.append(f"No case covers: {', '.join(report.uncovered)}.")
    else:
        lines.append("Every rule determined at least one of them.")
    return "\n".join(lines)
