"""What a session did makes policy stricter, through restarts; obligations of policies are kept."""

from __future__ import annotations

import pytest

from tests.fixtures_gateway import Gateway

POLICIES = """
@id("nothing-written-after-strangers-words")
@code("read_untrusted")
@reason("This session has read what strangers wrote.")
forbid (principal, action in ZT::Action::"write", resource)
when { context.history.read_untrusted };

@id("nothing-written-after-cards")
@code("touched_cards")
@reason("This session has touched card numbers.")
forbid (principal, action in ZT::Action::"write", resource)
when { context.history.tags.contains("card") };

@id("no-more-tries")
@code("too_many_tries")
@reason("This session was refused three times.")
forbid (principal, action, resource)
when { context.history.refusals >= 3 };

@id("few-payments")
@max_rows("7")
permit (
  principal in ZT::Role::"analyst",
  action == ZT::Action::"select",
  resource
)
when { context.relations_read.contains("payments") };
"""
WRITE = "UPDATE customers SET city = 'History' WHERE id = 7"


@pytest.fixture
def strict(own_gateway: Gateway) -> Gateway:
    (own_gateway.folder / "policies/strict.cedar").write_text(POLICIES)
    own_gateway.configuration["connections"]["warehouse"]["untrusted"] = ["tickets"]
    own_gateway.write()
    own_gateway.restart()
    return own_gateway


def test_reading_what_strangers_wrote_ends_writing(strict: Gateway) -> None:
    session = strict.open()
    waiting = session.start(WRITE)
    held = waiting.wait_for("held")["approval"]
    assert session.run("SELECT labels FROM tickets").last["status"] == "completed"

    denied = session.run(WRITE).last
    assert (denied["status"], denied["code"]) == ("denied", "read_untrusted")
    # Consent to what was asked before does not help.
    strict.vote("reviewer", held["id"], approve=True)
    assert waiting.result().last["code"] == "approval_void"
    strict.restart()
    assert session.run(WRITE).last["code"] == "read_untrusted"
    assert strict.statements("'History'") == []

    fresh = strict.open().start(WRITE)
    assert fresh.wait_for("held")
    fresh.close()


def test_touching_tagged_data_is_remembered_and_its_rows_are_bounded(strict: Gateway) -> None:
    session = strict.open()
    read = session.run("SELECT id, card_number FROM payments")
    assert read.last["rows"] == "7"
    assert read.last["truncated"]["limit"] == "max_rows"
    assert session.run(WRITE).last["code"] == "touched_cards"
    records = session.records()
    facts = [record["facts"] for record in records if record["kind"] == "intent"]
    assert facts[0]["tags"] == ["card"]
    asked = [record["obligations"] for record in records if record["kind"] == "decision"]
    assert asked == [{"max_rows": "7"}, {}]


def test_refused_tries_are_counted_through_restarts(strict: Gateway) -> None:
    session = strict.open()
    for _ in range(3):
        assert session.run("DROP TABLE customers").last["code"] == "destructive_statement"
    strict.restart()
    assert session.run("SELECT id FROM customers").last["code"] == "too_many_tries"
    assert strict.open().run("SELECT id FROM orders").last["status"] == "completed"
