"""The main job, as three people live it: analyst, reviewer, auditor, each with a browser."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import expect

from tests.fixtures_demo import Demo, Person

ROWS_SECONDS = 60_000
UPDATE = "UPDATE customers SET city = 'Storytown' WHERE id = 4242"


def verify(recording: Path, demo: Demo) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            *(sys.executable, "-m", "jupyter_zt.cli", "verify", str(recording)),
            *("--trust", str(demo.directory / "trust.json")),
        ],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_whole_story(demo: Demo, people: dict[str, Person]) -> None:
    analyst, reviewer, auditor = people["analyst"], people["reviewer"], people["auditor"]
    notebook = demo.directory / "work/story.ipynb"
    notebook.write_text(json.dumps(_empty_notebook()))

    # The analyst reads masked data, joins and aggregates it in pandas.
    analyst.open_notebook("story.ipynb")
    output = analyst.run_cell(
        "%%sql warehouse people <<\nSELECT id, email, country FROM customers WHERE id <= 500"
    )
    analyst.wait_idle()
    output = analyst.run_cell("people")
    expect(output).to_contain_text("email_", timeout=ROWS_SECONDS)
    assert "@" not in output.inner_text()
    analyst.run_cell(
        "%%sql warehouse bought <<\nSELECT customer_id, total FROM orders WHERE customer_id <= 500"
    )
    joined = analyst.run_cell(
        "joined = bought.merge(people, left_on='customer_id', right_on='id')\n"
        "positive = joined.groupby('country').total.sum().gt(0).all()\n"
        "print('joined', len(joined) == len(bought), positive)"
    )
    expect(joined).to_contain_text("joined True True", timeout=ROWS_SECONDS)

    # An UPDATE waits, and says for whom. Nothing has reached PostgreSQL.
    held = analyst.run_cell(f"%%sql warehouse\n{UPDATE}")
    expect(held).to_contain_text("waiting for the approval of a reviewer", timeout=ROWS_SECONDS)
    assert demo.statements("Storytown") == []

    # The analyst sees the request and can't decide it.
    analyst.open_panel()
    mine = analyst.page.locator(".jp-ZT-Card", has_text="Storytown")
    if mine.locator(".jp-ZT-Command").count() == 0:
        mine.locator(".jp-ZT-Card-head").click()
    expect(mine.locator(".jp-ZT-Command")).to_have_text(UPDATE)
    expect(mine.get_by_role("button", name="Approve")).to_have_count(0)

    # The reviewer sees the exact text, and approves it.
    reviewer.log_in()
    reviewer.open_panel()
    request = reviewer.page.locator(".jp-ZT-Card", has_text="Storytown")
    request.wait_for()
    if request.locator(".jp-ZT-Command").count() == 0:
        request.locator(".jp-ZT-Card-head").click()
    expect(request.locator(".jp-ZT-Command")).to_have_text(UPDATE)
    expect(request).to_contain_text("analyst")
    request.get_by_role("button", name=re.compile("Approve")).click()
    assert demo.statements("Storytown") == [], "asking is not yet approving"
    request.locator(".jp-ZT-Decision-confirm .jp-mod-accept").click()

    # It runs, once, and says how many rows it changed and who approved.
    expect(held).to_contain_text("UPDATE 1", timeout=ROWS_SECONDS)
    expect(held).to_contain_text("reviewer")
    assert (
        len([s for s in demo.statements("Storytown") if "execute" in s or "statement:" in s]) == 1
    )

    # A DROP is refused before PostgreSQL sees it.
    dropped = analyst.run_cell("%%sql warehouse\nDROP TABLE customers -- storydrop")
    expect(dropped).to_contain_text("destructive_statement", timeout=ROWS_SECONDS)
    assert demo.statements("storydrop") == []

    # The kernel shuts down: the recording is sealed.
    [recording] = demo.recordings("story")
    assert verify(recording, demo).returncode == 2, "INCOMPLETE until it is sealed"
    analyst.menu("Kernel", "Shut Down Kernel")
    analyst.page.wait_for_timeout(500)
    _wait_sealed(analyst, recording)

    # The auditor opens the recording, in JupyterLab and with the verifier.
    auditor.log_in(f"/lab/tree/recordings/{recording.name}")
    opened = auditor.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
    expect(opened).to_contain_text("Recording", timeout=ROWS_SECONDS)
    expect(opened).to_contain_text("Storytown")
    verdict = verify(recording, demo)
    assert verdict.returncode == 0, verdict.stdout + verdict.stderr
    assert "VALID" in verdict.stdout
    untrusted = subprocess.run(
        [sys.executable, "-m", "jupyter_zt.cli", "verify", str(recording)],
        capture_output=True,
        check=False,
    )
    assert untrusted.returncode == 3

    # One byte changed in an output: TAMPERED, and the cell is named.
    forged = recording.with_name("forged.zt.ipynb").parent.parent.parent / "forged.zt.ipynb"
    text = recording.read_text()
    document = json.loads(text)
    changed = next(
        cell
        for cell in document["cells"]
        if any("joined True" in "".join(o.get("text", "")) for o in cell.get("outputs", []))
    )
    forged.write_text(text.replace("joined True True", "joined True Tree"))
    verdict = verify(forged, demo)
    assert verdict.returncode == 1
    assert changed["id"] in verdict.stdout


def _wait_sealed(person: Person, recording: Path) -> None:
    for _ in range(100):
        if "INCOMPLETE" not in json.loads(recording.read_text())["cells"][0]["source"]:
            return
        person.page.wait_for_timeout(200)
    raise AssertionError("the recording was not sealed")


def _empty_notebook() -> dict[str, object]:
    return {
        "cells": [
            {"cell_type": "markdown", "id": "title", "metadata": {}, "source": "# A story"},
        ],
        "metadata": {"kernelspec": {"name": "zt", "display_name": "Zero trust (Python)"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
