"""Policies that ask how many rows a command touches, with the target's own plans."""

from __future__ import annotations

import pytest

from tests.fixtures_gateway import Gateway

POLICIES = """
@id("reads-by-size")
@code("too_many_rows")
@reason("This would read about {estimated_rows} rows.")
forbid (principal, action == ZT::Action::"select", resource)
when { context has estimated_rows && context.estimated_rows > 40 };

@id("writes-by-size")
@code("too_many_rows")
@reason("This would change about {estimated_rows} rows.")
forbid (principal, action in ZT::Action::"write", resource)
when { context has estimated_rows && context.estimated_rows > 3 };
"""


@pytest.fixture
def sized(own_gateway: Gateway) -> Gateway:
    (own_gateway.folder / "policies/sized.cedar").write_text(POLICIES)
    own_gateway.restart()
    return own_gateway


def test_reads_and_writes_are_decided_by_the_targets_plan(sized: Gateway) -> None:
    session = sized.open()
    few = session.run("SELECT city FROM customers WHERE id = $1", parameters=[7])
    assert few.last["status"] == "completed"
    many = session.run("SELECT estimated.city FROM customers estimated, customers b").last
    assert many["code"] == "too_many_rows"

    one = session.start("UPDATE customers SET city = 'Plan' WHERE id = 7")
    held = one.wait_for("held")["approval"]
    all_of_them = session.run("UPDATE customers SET city = 'Plan' WHERE id BETWEEN 2 AND 39").last
    assert all_of_them["code"] == "too_many_rows"
    sized.vote("reviewer", held["id"], approve=True)
    assert one.result().last["command_tag"] == "UPDATE 1"

    facts = [record["facts"] for record in session.records() if record["kind"] == "intent"]
    assert facts[0]["estimated_rows"] == "1"
    assert int(facts[1]["estimated_rows"]) > 40
    assert facts[2]["estimated_rows"] == "1"
    # Planned as the lease, and what was denied never ran.
    asked = sized.statements("customers estimated, customers b")
    assert asked
    assert all("EXPLAIN (FORMAT JSON)" in text for text in asked)


def test_what_the_target_cannot_plan_is_denied(sized: Gateway) -> None:
    session = sized.open()
    denied = session.run("SELECT no_such_column FROM customers").last
    assert denied["code"] == "estimate_unavailable"
    assert "no_such_column" in denied["message"]
    # No target is asked for the estimate of what is denied anyway.
    assert session.run("DROP TABLE customers").last["code"] == "destructive_statement"


def test_an_unlisted_function_is_not_planned_before_consent(own_gateway: Gateway) -> None:
    policies = own_gateway.folder / "policies"
    for path in policies.glob("*.cedar"):
        path.unlink()
    (policies / "own.cedar").write_text(
        """
        @id("held")
        @hold("reviewer")
        permit (principal, action in ZT::Action::"write", resource);
        """
        + POLICIES
    )
    own_gateway.restart()
    session = own_gateway.open()
    denied = session.run("UPDATE customers SET city = mine(city) WHERE id = 7").last
    assert denied["code"] == "estimate_unavailable"
    assert "mine" in denied["message"]
    assert own_gateway.statements("mine(city)") == []
