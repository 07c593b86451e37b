"""The starter packs: each with its own cases, every rule determining at least one of them."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest

import jupyter_zt.policy
from jupyter_zt.policy import PolicySet
from jupyter_zt.policy.cases import read_cases, run_cases

PACKS = Path(jupyter_zt.policy.__file__).parent / "packs"
NAMES = sorted(path.stem for path in PACKS.glob("*.cedar"))
BESIDE_EACH_OTHER = [
    "agent-least-privilege", "http-read-only", "kubernetes-viewer", "read-only-analyst"
]  # fmt: skip


def test_there_are_the_packs_that_the_document_names() -> None:
    document = Path(__file__).parents[2].joinpath("docs", "policy.md").read_text("utf-8")
    assert set(NAMES) == {
        "demo", "read-only-analyst", "careful-writer", "production-on-call", "kubernetes-viewer",
        "kubernetes-operator", "http-read-only", "agent-least-privilege",
    }  # fmt: skip
    assert all(f"`{name}`" in document for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_pack_decides_as_its_cases_say_and_they_cover_every_rule(name: str) -> None:
    path = PACKS / f"{name}.cases.yaml"
    cases = read_cases(path.name, path.read_text("utf-8"))
    policies = PolicySet.load(PACKS / f"{name}.cedar", cases.connections)
    report = run_cases(policies, cases.cases)
    assert [(it.case.name, it.problems) for it in report.failed] == []
    assert report.uncovered == ()
    for rule in policies.rules:
        assert rule.reason
        assert rule.effect == "permit" or (rule.hint and rule.code != "forbidden_by_policy")


@pytest.mark.parametrize("names", [*combinations(BESIDE_EACH_OTHER, 3), tuple(BESIDE_EACH_OTHER)])
def test_packs_for_different_kinds_load_beside_each_other(names: tuple[str, ...]) -> None:
    files = {f"{name}.cedar": (PACKS / f"{name}.cedar").read_bytes() for name in names}
    assert PolicySet(files, []).rules
