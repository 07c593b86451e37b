"""What policies ask for besides allow and deny, carried out by a real gateway."""

from __future__ import annotations

from tests.fixtures_gateway import Gateway

FEW = """
@id("few-orders")
@max_rows("3")
permit (principal, action == ZT::Action::"select", resource)
when { context.relations_read.contains("orders") };

@id("fresh-login-for-payments")
@step_up("300")
permit (principal, action == ZT::Action::"select", resource)
when { context.relations_read.contains("payments") };

@id("no-ticket-numbers")
@code("ticket_number")
@reason("The command matches {patterns} and touches {tags}.")
forbid (principal, action, resource)
when { context.patterns.contains("ticket") };

@id("customers-with-a-limit")
@code("say_how_many")
forbid (principal, action == ZT::Action::"select", resource)
when { context.relations_read.contains("customers") && !(context has row_limit) };
"""


def test_what_a_policy_asks_for_is_done_or_denied(own_gateway: Gateway) -> None:
    own_gateway.stop()
    policies = own_gateway.folder / "policies"
    (policies / "few.cedar").write_text(FEW)
    (policies / "patterns.yaml").write_text(r"ticket: 'OPS-\d+'")
    own_gateway.start()
    session = own_gateway.open()

    few = session.run("SELECT id FROM orders /* few rows */")
    assert (len(few.rows), few.last["truncated"]["limit"]) == (3, "max_rows")

    # Nobody asks for a fresh login yet: what would need one is denied.
    assert session.run("SELECT id FROM payments").last["code"] == "obligation_unsupported"

    named = session.run("SELECT email FROM customers WHERE id = 1 LIMIT 5 -- OPS-17").last
    assert named["code"] == "ticket_number"
    assert named["message"].startswith("The command matches ticket and touches ")

    refused = session.run("SELECT city FROM customers").last
    assert refused["code"] == "say_how_many"
    [remedy] = refused["remedies"]
    assert remedy["kind"] == "add_limit"
    assert session.run(remedy["command"]).last["status"] == "completed"

    facts = [record["facts"] for record in session.records() if record["kind"] == "intent"]
    assert facts[2]["patterns"] == ["ticket"]
    assert "email" in facts[2]["tags"]
