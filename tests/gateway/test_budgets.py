"""Budgets: spent ones deny, results are cut where they end, and no restart gives anything back."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from jupyter_zt.errors import ConfigError
from jupyter_zt.gateway.config import Configuration
from tests.fixtures_gateway import Gateway
from tests.fixtures_postgres import CLASSIFICATION

DAY = 86400


def limit(gateway: Gateway, **budget: Any) -> None:
    gateway.configuration["budgets"] = [{"name": "test", **budget}]
    gateway.write()
    gateway.restart()


def test_a_result_is_cut_where_the_rows_end_and_then_nothing_is_given(own_gateway: Gateway) -> None:
    limit(own_gateway, per="human", rows=25, window_seconds=DAY)
    session = own_gateway.open()
    assert len(session.run("SELECT id FROM customers WHERE id <= 10").rows) == 10

    cut = session.run("SELECT id FROM customers WHERE id <= 100")
    assert len(cut.rows) == 15
    assert cut.last["truncated"]["limit"] == "budget_rows"
    assert cut.last["rows"] == "15"

    spent = session.run("SELECT id FROM customers WHERE id = 77777").last
    assert (spent["status"], spent["code"]) == ("denied", "budget_spent")
    assert "25 rows" in spent["message"]
    assert "UTC" in spent["hint"]
    assert own_gateway.statements("77777") == []
    assert [r["verdict"] for r in session.records() if r["kind"] == "decision"][-1] == "deny"

    # A new session is the same person, and so is one after a restart of the gateway.
    own_gateway.restart()
    assert own_gateway.open().run("SELECT id FROM orders").last["code"] == "budget_spent"
    # Somebody else has their own.
    other = own_gateway.open("reviewer").run("SELECT id FROM customers WHERE id = 1")
    assert other.last["status"] == "completed"


def test_calls_are_counted_per_session(own_gateway: Gateway) -> None:
    limit(own_gateway, per="session", calls=2)
    session = own_gateway.open()
    for _ in range(2):
        assert session.run("SELECT 1").last["status"] == "completed"
    assert session.run("SELECT 1").last["code"] == "budget_spent"
    own_gateway.restart(signal.SIGKILL)
    assert session.run("SELECT 1").last["code"] == "budget_spent"
    assert own_gateway.open().run("SELECT 1").last["status"] == "completed"


def test_bytes_end_a_large_result(own_gateway: Gateway) -> None:
    limit(own_gateway, per="connection", connection="warehouse", bytes=10_000)
    cut = own_gateway.open().run("SELECT id, id AS again FROM customers")
    assert cut.last["truncated"]["limit"] == "budget_bytes"
    assert 0 < len(cut.rows) <= 10_000 // 8
    assert own_gateway.open("reviewer").run("SELECT 1").last["code"] == "budget_spent"


def test_values_that_partly_masked_columns_are_compared_with(own_gateway: Gateway) -> None:
    limit(own_gateway, per="human", constants=3)
    assert "partial" in CLASSIFICATION.read_text()
    session = own_gateway.open()

    def ask(where: str, *parameters: str) -> str:
        last = session.run(
            f"SELECT count(*) FROM customers WHERE {where}", parameters=parameters
        ).last
        return str(last.get("code") or last["status"])

    assert ask("phone LIKE '%11'") == "completed"
    assert ask("phone LIKE '%11'") == "completed"  # nothing new
    assert ask("phone IN ('%12', '%13')") == "completed"
    assert ask("phone LIKE '%14'") == "budget_spent"
    assert ask("phone LIKE $1", "%15") == "budget_spent"
    assert ask("phone LIKE '%11'") == "completed"
    assert ask("city = 'anything'") == "completed"  # no such column is asked about
    own_gateway.restart()
    session = own_gateway.open()
    assert ask("phone LIKE '%16'") == "budget_spent"


def test_one_more_request_than_may_wait(own_gateway: Gateway) -> None:
    limit(own_gateway, per="human", pending=1)
    session = own_gateway.open()
    first = session.start("UPDATE customers SET city = 'One' WHERE id = 7")
    held = first.wait_for("held")["approval"]
    second = session.run("UPDATE customers SET city = 'Two' WHERE id = 7").last
    assert second["code"] == "budget_spent"
    assert "wait" in second["message"]
    assert session.run("SELECT 1").last["status"] == "completed"
    own_gateway.vote("reviewer", held["id"], approve=False, reason="no")
    assert first.result().last["code"] == "approval_denied"


@pytest.mark.parametrize(
    ("budget", "said"),
    [
        ({"per": "human"}, "at least one limit"),
        ({"per": "human", "rows": 1, "connection": "elsewhere"}, "no connection elsewhere"),
        ({"per": "everybody", "rows": 1}, "session"),
    ],
)
def test_a_budget_that_says_nothing_is_an_error(
    gateway: Gateway, tmp_path: Path, budget: dict[str, Any], said: str
) -> None:
    changed = {**gateway.configuration, "budgets": [{"name": "test", **budget}]}
    (tmp_path / "gateway.yaml").write_text(json.dumps(changed, indent=1))
    with pytest.raises(ConfigError) as caught:
        Configuration.load(tmp_path)
    assert said in caught.value.diagnostics()
    assert caught.value.line > 1
