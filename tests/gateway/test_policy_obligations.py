"""What policies ask for besides allow and deny, carried out by a real gateway."""

from __future__ import annotations

import time

from tests.fixtures_gateway import Gateway

FEW = """
@id("few-orders")
@max_rows("3")
permit (principal, action == ZT::Action::"select", resource)
when { context.relations_read.contains("orders") };

@id("fresh-login-for-payments")
@step_up("1")
permit (principal, action == ZT::Action::"select", resource)
when { context.relations_read.contains("payments") };

@id("login-of-these-days-for-tickets")
@step_up("999999")
permit (principal, action == ZT::Action::"select", resource)
when { context.relations_read.contains("tickets") };

@id("e-mail-redacted")
@mask("email=redact, credit")
permit (principal, action == ZT::Action::"select", resource)
when { context.tags.contains("email") };

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

    time.sleep(1.1)  # longer than the policy's second
    old = session.run("SELECT id FROM payments").last
    assert (old["code"], "log in again" in old["hint"]) == ("step_up_required", True)
    assert session.run("SELECT id FROM tickets").last["status"] == "completed"
    own_gateway.restart()
    assert session.run("SELECT id FROM tickets").last["status"] == "completed"

    strict = session.run("SELECT email, credit_limit, city FROM customers WHERE id = 1 LIMIT 1")
    assert (strict.rows[0]["email"], strict.rows[0]["credit_limit"]) == ("[email]", None)
    marks = {column["name"]: column["mask"] for column in strict.event("schema")["columns"]}
    assert (marks["email"]["kind"], marks["credit_limit"]["kind"]) == ("redact", "hide")
    usual = session.run("SELECT credit_limit FROM customers WHERE id = 1 LIMIT 1")
    assert usual.rows[0]["credit_limit"] is not None
    asked = [record["obligations"] for record in session.records() if record["kind"] == "decision"]
    assert asked[-2:] == [{"masks": {"credit": "hide", "email": "redact"}}, {}]

    named = session.run("SELECT email FROM customers WHERE id = 1 LIMIT 5 -- OPS-17").last
    assert named["code"] == "ticket_number"
    assert named["message"].startswith("The command matches ticket and touches ")

    refused = session.run("SELECT city FROM customers").last
    assert refused["code"] == "say_how_many"
    [remedy] = refused["remedies"]
    assert remedy["kind"] == "add_limit"
    assert session.run(remedy["command"]).last["status"] == "completed"

    facts = [record["facts"] for record in session.records() if record["kind"] == "intent"]
    assert facts[6]["patterns"] == ["ticket"]
    assert "email" in facts[6]["tags"]
