from __future__ import annotations

from tests.fixtures_gateway import Gateway


def test_a_read_lease_that_an_administrator_dropped_is_replaced(gateway: Gateway) -> None:
    session = gateway.open()
    session.run("SELECT 1 AS one")
    lease = next(record for record in session.records() if record["kind"] == "lease")
    gateway.postgres.sql(
        f"SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity"
        f" WHERE usename = '{lease['role']}'"
    )
    gateway.postgres.sql(f"DROP OWNED BY {lease['role']}; DROP ROLE {lease['role']}")
    refused = session.run("SELECT 1 AS one").last
    assert refused["code"] == "lease_refused"
    assert session.run("SELECT 1 AS one").rows == [{"one": 1}]
    session.seal()
