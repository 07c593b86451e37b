"""A write that was approved never carries a masked value to where it can be read.

Each attack is held for consent, or would be, with a command that looks harmless enough; here the
reviewer approves whatever is asked.
"""

from __future__ import annotations

import pytest

from tests.fixtures_gateway import Gateway, Outcome, Session

COPIES = {
    "set one column from another": "UPDATE customers SET city = email WHERE id = 7",
    "from a column that is not classified": (
        "UPDATE customers SET city = internal_note WHERE id = 7"
    ),
    "several at once": "UPDATE customers SET (city, active) = (email, true) WHERE id = 7",
    "within an expression": "UPDATE customers SET city = left(email, 3) || phone WHERE id = 7",
    "bit by bit": (
        "UPDATE customers SET active = CASE WHEN email LIKE 'p%' THEN true END WHERE id = 7"
    ),
    "sub-select of the same relation": (
        "UPDATE customers SET city = (SELECT c.email FROM customers c WHERE c.id = 8) WHERE id = 7"
    ),
    "whole row as text": "UPDATE customers c SET city = c::text WHERE c.id = 7",
    "whole row, every column named": (
        "UPDATE customers c SET city = c::text WHERE c.id = 7 AND (name, email, phone,"
        " national_id, birth_date, city, credit_limit, active, registered_at, last_address,"
        " internal_note) IS NOT NULL"
    ),
    "whole row by attribute": "UPDATE customers c SET city = c.to_jsonb ->> 'email' WHERE c.id = 7",
    "odd case and quotes": 'UPDATE Customers SET "city" = customers."email" WHERE ID = 7',
    "from an alias of itself": (
        "UPDATE customers SET city = c.email FROM customers c WHERE c.id = 8 AND customers.id = 7"
    ),
    "insert from the same relation": (
        "INSERT INTO customers (id, name, city, registered_at)"
        " SELECT 900001, 'x', email, now() FROM customers WHERE id = 7"
    ),
    "on conflict": (
        "INSERT INTO customers (id, name, registered_at) VALUES (7, 'x', now())"
        " ON CONFLICT (id) DO UPDATE SET city = customers.email"
    ),
    "row count of a guess": "UPDATE customers SET city = city WHERE id = 7 AND email LIKE 'p%'",
    "row count of a deletion": "DELETE FROM customers WHERE id = 7 AND national_id > '5'",
}


def approved_by_a_careless_reviewer(gateway: Gateway, session: Session, command: str) -> Outcome:
    call = session.start(command)
    try:
        held = call.wait_for("held")
    except StopIteration:  # it was refused at once
        return call.result()
    gateway.vote("reviewer", held["approval"]["id"])
    return call.result()


@pytest.mark.parametrize("command", COPIES.values(), ids=COPIES.keys())
def test_a_write_whose_source_is_a_masked_value(gateway: Gateway, command: str) -> None:
    session = gateway.open()
    before = gateway.postgres.sql("SELECT * FROM shop.customers WHERE id IN (7, 900001)")
    try:
        outcome = approved_by_a_careless_reviewer(gateway, session, command)
        assert outcome.last["event"] == "error", outcome.events
        assert outcome.last["status"] == "denied", "it was asked for in vain"
        after = gateway.postgres.sql("SELECT * FROM shop.customers WHERE id IN (7, 900001)")
        assert after == before
        assert session.run("SELECT city FROM customers WHERE id = 7").rows == [{"city": "City 7"}]
    finally:
        gateway.postgres.sql(
            "UPDATE shop.customers SET city = 'City 7', active = true WHERE id = 7"
        )
        session.seal()


def test_the_row_is_named_by_a_clear_column_instead(gateway: Gateway) -> None:
    session = gateway.open()
    outcome = session.run("DELETE FROM customers WHERE email = 'person7@mail0.example'")
    assert outcome.last["code"] == "masked_source"
    assert "email" in outcome.last["message"]
    assert "clear column" in outcome.last["hint"]
    session.seal()
