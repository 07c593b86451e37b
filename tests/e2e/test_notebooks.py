"""The notebooks that a newcomer opens, run from the top in JupyterLab."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import expect

from tests.fixtures_demo import Demo, Person

HELD = "application/vnd.zt.held+json"
REACT = "application/vnd.zt.react+json"
RESULT = "application/vnd.zt.result+json"
MODEL_MILLISECONDS = 120_000


def code_cells(notebook: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {cell["id"]: cell for cell in notebook["cells"] if cell["cell_type"] == "code"}


def error_of(cell: dict[str, Any]) -> str:
    """The lines of the error that ended a cell, or ""."""
    return "\n".join(
        line
        for output in cell["outputs"]
        if output["output_type"] == "error"
        for line in output["traceback"]
    )


def data_of(cell: dict[str, Any], mime: str) -> list[Any]:
    return [o["data"][mime] for o in cell["outputs"] if mime in o.get("data", {})]


def text_of(cell: dict[str, Any]) -> str:
    return "\n".join("".join(text) for text in data_of(cell, "text/plain"))


def session_of(card: str) -> str:
    found = re.search(r"s_[0-9a-f]+", card)
    assert found, card
    return found[0]


def test_the_tour_runs_from_the_top(demo: Demo, people: dict[str, Person]) -> None:
    analyst, reviewer = people["analyst"], people["reviewer"]
    analyst.open_notebook("tour.ipynb")
    analyst.run_all()
    # Run All ends with the last cell in sight, and so the one that waits.
    waiting = analyst.page.locator(".jp-ZT-Held.jp-mod-waiting")
    expect(waiting).to_contain_text("waiting for the approval of a reviewer", timeout=60_000)
    reviewer.log_in("/lab/workspaces/reviewer")
    reviewer.approve("4711")
    expect(analyst.page.locator(".jp-ZT-Held.jp-mod-approved")).to_contain_text("reviewer")
    analyst.wait_last_cell()
    cells = code_cells(analyst.save_notebook("tour.ipynb"))

    assert all(cell["execution_count"] for cell in cells.values()), "every cell ran"
    refused = {name for name, cell in cells.items() if error_of(cell)}
    assert refused == {"refused", "no-way-out"}
    assert "destructive_statement" in error_of(cells["refused"])
    assert "ConnectionRefusedError" in error_of(cells["no-way-out"])
    assert demo.statements("DROP TABLE customers") == []

    assert "analyst" in text_of(cells["session"])
    [masked] = data_of(cells["masked"], RESULT)
    masks = {column["name"]: column["mask"] for column in masked["columns"]}
    assert masks["email"]["tag"] == "email"
    assert masks["id"] is None
    for name in ("masked", "alias"):
        assert "@" not in str(data_of(cells[name], RESULT)), name
    assert "turnover" in text_of(cells["join"])
    [held] = data_of(cells["held"], HELD)
    assert held["state"] == "approved"
    assert "UPDATE 1" in text_of(cells["held"])
    [after] = data_of(cells["after"], RESULT)
    assert after["rows"][0][-1] == "returned"


def test_an_agent_with_the_local_model_is_shown_recorded_and_ends(
    demo: Demo, people: dict[str, Person]
) -> None:
    analyst = people["analyst"]
    analyst.open_notebook("react.ipynb")
    analyst.run_all()
    analyst.wait_last_cell(MODEL_MILLISECONDS)
    cells = code_cells(analyst.save_notebook("react.ipynb"))
    assert all(cell["execution_count"] for cell in cells.values()), "every cell ran"

    # Whatever so small a model says: each step is shown whole, and the loop ends.
    goal = cells["goal"]
    assert not error_of(goal)
    steps = data_of(goal, REACT)
    assert 1 <= len(steps) <= 3
    acted = [step for step in steps if step["action"]]
    assert acted, steps
    for step in acted:
        assert step["thought"]
        assert step["action"]["command"]
        assert step["observation"]
    assert steps[-1]["status"] in {"final", "ok", "refused", "failed", "malformed"}
    assert re.search(r"Answer: |No answer: ", text_of(goal))

    # What the model said led to what was done, and the log can tell.
    records = demo.records(session_of(text_of(cells["session"])))
    calls = {r["leaf"]: r for r in records if r["kind"] == "model_call"}
    assert len(calls) >= len(steps)
    caused = [r for r in records if r["kind"] == "intent" and r["cause"]]
    assert len(caused) == len(acted)
    assert {intent["cause"] for intent in caused} <= set(calls)
    assert all(intent["connection"] == "warehouse" for intent in caused)
