"""The life of one tool cell, on the real path: gateway process, PostgreSQL, identity provider."""

from __future__ import annotations

import signal
import time

from jupyter_zt.identity import GatewayAuth, TokenClient
from tests.fixtures_gateway import BROKER_SECRET, Gateway


def kinds(records: list[dict[str, object]]) -> list[str]:
    return [str(record["kind"]) for record in records]


def test_a_read_comes_back_masked_and_recorded(gateway: Gateway) -> None:
    session = gateway.open()
    outcome = session.run("SELECT id, name, email, city FROM customers ORDER BY id LIMIT 3")
    assert [event["event"] for event in outcome.events] == ["accepted", "schema", "result"]
    assert outcome.last["rows"] == "3"
    assert [row["id"] for row in outcome.rows] == [1, 2, 3]
    assert all("@" not in row["email"] for row in outcome.rows)
    masks = {column["name"]: column["mask"] for column in outcome.event("schema")["columns"]}
    assert masks["email"] == {"kind": "pseudonym", "tag": "email"}
    assert masks["city"] is None
    assert kinds(session.records()) == [
        "session_open",
        "intent",
        "decision",
        "execute_start",
        "lease",
        "result",
    ]
    assert outcome.last["record"] == session.records()[-1]["leaf"]
    seen = gateway.statements(session.id)
    assert len(seen) == 1
    assert "SELECT id, name" in seen[0]


def test_bind_parameters_reach_the_target_as_values(gateway: Gateway) -> None:
    session = gateway.open()
    outcome = session.run("SELECT id FROM customers WHERE id = $1", parameters=[7])
    assert outcome.rows == [{"id": 7}]


def test_a_held_update_runs_once_another_person_approved_it(gateway: Gateway) -> None:
    session = gateway.open()
    call = session.start("UPDATE customers SET city = 'Elsewhere' WHERE id = 5")
    held = call.wait_for("held")["approval"]
    assert held["reviewer_role"] == "reviewer"
    assert gateway.statements("Elsewhere") == []

    shown = next(a for a in gateway.approvals("reviewer") if a["id"] == held["id"])
    assert shown["command"] == "UPDATE customers SET city = 'Elsewhere' WHERE id = 5"
    assert shown["may_decide"]
    assert not next(a for a in gateway.approvals("analyst") if a["id"] == held["id"])["may_decide"]

    own = gateway.vote("analyst", held["id"])
    assert (own.status_code, own.json()["code"]) == (403, "own_action")
    assert gateway.vote("auditor", held["id"]).status_code == 403
    assert gateway.vote("reviewer", held["id"], digest="0" * 64).status_code == 409

    assert gateway.vote("reviewer", held["id"]).status_code == 200
    outcome = call.result()
    assert outcome.event("approved")["by"] == ["reviewer"]
    assert outcome.last["command_tag"] == "UPDATE 1"
    assert outcome.last["approved_by"] == ["reviewer"]
    assert len(gateway.statements("Elsewhere")) == 1
    assert gateway.vote("reviewer", held["id"], digest=shown["digest"]).status_code == 409
    assert kinds(session.records())[1:] == [
        "intent",
        "decision",
        "approval_opened",
        "approval_vote",
        "execute_start",
        "lease",
        "result",
        "approval_closed",
    ]
    leases = [r for r in session.records() if r["kind"] == "lease"]
    roles = gateway.postgres.sql(
        f"SELECT rolname FROM pg_roles WHERE rolname = '{leases[0]['role']}'"
    )
    assert roles == [], "the write's lease is gone with the write"


def test_a_denial_tells_the_reason(gateway: Gateway) -> None:
    session = gateway.open()
    call = session.start("DELETE FROM tickets WHERE id = 3")
    held = call.wait_for("held")["approval"]
    nameless = gateway.vote("reviewer", held["id"], approve=False)
    assert nameless.json()["code"] == "reason_missing"
    assert gateway.vote("reviewer", held["id"], approve=False, reason="keep it").is_success
    outcome = call.result()
    assert outcome.last["code"] == "approval_denied"
    assert "keep it" in outcome.last["message"]
    assert gateway.statements("DELETE FROM tickets WHERE id = 3") == []


def test_a_drop_is_refused_before_postgresql_sees_it(gateway: Gateway) -> None:
    session = gateway.open()
    outcome = session.run("DROP TABLE customers")
    assert outcome.last["status"] == "denied"
    assert outcome.last["code"] == "destructive_statement"
    assert outcome.last["hint"]
    assert gateway.statements("DROP TABLE customers") == []
    assert kinds(session.records()) == ["session_open", "intent", "decision"]


def test_bad_input_gets_a_clear_error(gateway: Gateway) -> None:
    session = gateway.open()
    unknown = session.run("SELECT 1", connection="nowhere").last
    assert (unknown["status"], unknown["code"]) == ("denied", "unknown_connection")
    assert "warehouse" in unknown["message"]
    assert session.run("").last["code"] == "empty_command"
    syntax = session.run("SELECT FROM WHERE").last
    assert syntax["code"] == "syntax_error"
    assert syntax["position"] > 0
    missing = session.run("SELECT * FROM nothing_here").last
    assert missing["status"] == "failed"
    assert "nothing_here" in missing["message"]
    malformed = session.post("/v1/actions", {"connection": "warehouse"})
    assert (malformed.status_code, malformed.json()["code"]) == (422, "invalid_input")


def test_a_result_over_the_limit_is_cut_and_says_so(gateway: Gateway) -> None:
    session = gateway.open()
    outcome = session.run("SELECT id FROM orders")
    assert outcome.last["rows"] == "5000"
    assert outcome.last["truncated"]["limit"] == "max_rows"
    assert len(outcome.rows) == 5000


def test_hanging_up_cancels_the_statement_at_the_target(gateway: Gateway) -> None:
    session = gateway.open()
    # Slow without any function that policy refuses.
    slow = "SELECT count(*) FROM orders a, orders b, orders c WHERE a.total < b.total + c.total"
    call = session.start(slow)
    running = (
        "SELECT count(*) AS n FROM pg_stat_activity WHERE state = 'active'"
        f" AND query LIKE '%{session.id}%' AND pid <> pg_backend_pid()"
    )
    wait(lambda: gateway.postgres.sql(running)[0]["n"] == 1)
    call.close()
    wait(lambda: gateway.postgres.sql(running)[0]["n"] == 0)
    wait(lambda: kinds(session.records())[-1] == "error")
    assert session.records()[-1]["code"] == "cancelled"
    assert session.run("SELECT 1 AS one").rows == [{"one": 1}], "the session goes on"


def test_an_action_can_be_cancelled_by_its_id(gateway: Gateway) -> None:
    session = gateway.open()
    call = session.start("UPDATE customers SET city = 'Nowhere' WHERE id = 6")
    action = call.wait_for("accepted")["action"]
    approval = call.wait_for("held")["approval"]["id"]
    assert session.post(f"/v1/actions/{action}/cancel").status_code == 204
    assert call.result().last["status"] == "cancelled"
    shown = next(a for a in gateway.approvals("reviewer") if a["id"] == approval)
    assert shown["state"] == "cancelled"
    assert session.post(f"/v1/actions/{action}/cancel").status_code == 404


def test_a_held_action_is_still_held_after_a_restart(own_gateway: Gateway) -> None:
    for how in (signal.SIGTERM, signal.SIGKILL):
        session = own_gateway.open()
        call = session.start(f"UPDATE customers SET city = '{how.name}' WHERE id = 8")
        action = call.wait_for("accepted")["action"]
        approval = call.wait_for("held")["approval"]["id"]
        own_gateway.restart(how)
        call.result()
        assert (
            next(a for a in own_gateway.approvals("reviewer") if a["id"] == approval)["state"]
            == "open"
        )
        again = session.resume(action)
        assert again.wait_for("held")["approval"]["id"] == approval
        assert own_gateway.vote("reviewer", approval).is_success
        assert again.result().last["command_tag"] == "UPDATE 1"
        assert len(own_gateway.statements(f"city = '{how.name}'")) == 1
        assert session.resume(action).result().last["code"] == "action_over"


def test_another_session_can_not_resume_or_cancel_an_action(gateway: Gateway) -> None:
    session, other = gateway.open(), gateway.open("analyst2")
    call = session.start("UPDATE customers SET city = 'Theirs' WHERE id = 9")
    action = call.wait_for("accepted")["action"]
    call.wait_for("held")
    assert other.resume(action).result().last["code"] == "unknown_action"
    assert other.post(f"/v1/actions/{action}/cancel").status_code == 404
    call.close()


def test_two_sessions_at_once_have_roles_of_their_own(gateway: Gateway) -> None:
    one, two = gateway.open(), gateway.open("analyst2")
    first, second = one.start("SELECT current_user AS me"), two.start("SELECT current_user AS me")
    roles = {call.result().rows[0]["me"] for call in (first, second)}
    assert len(roles) == 2
    assert all(role.startswith("zt_") for role in roles)


def test_sealing_ends_the_session_everywhere(gateway: Gateway) -> None:
    session = gateway.open()
    role = session.run("SELECT current_user AS me").rows[0]["me"]
    held = session.start("UPDATE customers SET city = 'Late' WHERE id = 10")
    approval = held.wait_for("held")["approval"]["id"]
    session.seal()
    held.result()
    assert gateway.postgres.sql(f"SELECT 1 FROM pg_roles WHERE rolname = '{role}'") == []
    state = next(a for a in gateway.approvals("reviewer") if a["id"] == approval)["state"]
    assert state == "cancelled"
    assert kinds(session.records())[-1] == "seal"
    try:
        session.get("/v1/session")
    except Exception as error:  # noqa: BLE001 (whatever the client calls a socket that is gone)
        assert "No such file" in str(error) or "refused" in str(error)  # noqa: PT017
    else:
        raise AssertionError("the socket still answers")


def test_an_expired_login_closes_the_session_until_it_is_renewed(own_gateway: Gateway) -> None:
    import sqlite3

    session = own_gateway.open()
    own_gateway.stop()
    with sqlite3.connect(own_gateway.folder / "state/gateway.db") as connection:
        connection.execute("UPDATE sessions SET expires_at = '2020-01-01T00:00:00+00:00'")
    own_gateway.start()
    assert session.run("SELECT 1").last["code"] == "login_expired"
    in_nobody_s_name = session.broker("POST", "renew")
    assert in_nobody_s_name.json()["code"] == "insufficient_scope"
    renewed = session.renew()
    assert renewed.is_success, renewed.text
    assert session.run("SELECT 1 AS one").rows == [{"one": 1}]


def test_a_suspended_session_does_nothing_until_its_person_logs_in_again(
    own_gateway: Gateway,
) -> None:
    session = own_gateway.open()
    role = session.run("SELECT current_user AS me").rows[0]["me"]
    slow = session.start("SELECT count(*) FROM orders a, orders b, orders c WHERE a.id < b.id")
    slow.wait_for("accepted")
    held = session.start("UPDATE customers SET city = 'Left' WHERE id = 11")
    approval = held.wait_for("held")["approval"]["id"]

    suspended = session.broker("POST", "suspend")

    assert suspended.status_code == 204, suspended.text
    for call in (slow, held):
        assert call.result().last["code"] == "login_expired"
    last = session.run("SELECT 1").last
    assert last["code"] == "login_expired"
    assert "Log in again" in last["hint"]
    assert own_gateway.postgres.sql(f"SELECT 1 FROM pg_roles WHERE rolname = '{role}'") == []
    state = next(a for a in own_gateway.approvals("reviewer") if a["id"] == approval)["state"]
    assert state == "cancelled"
    session.report_cell("1 + 1", [])
    own_gateway.restart()
    assert session.run("SELECT 1").last["code"] == "login_expired", "also after a restart"
    renewed = session.renew()
    assert renewed.is_success, renewed.text
    assert session.run("SELECT 1 AS one").rows == [{"one": 1}]


def test_only_the_broker_of_a_session_suspends_it(gateway: Gateway) -> None:
    session = gateway.open()
    path = f"/v1/sessions/{session.id}/suspend"
    other_broker = GatewayAuth(TokenClient(gateway.url, "broker", BROKER_SECRET), ["attest"])
    for auth in (gateway.auth("analyst", "session"), other_broker):
        assert gateway.request("POST", path, auth=auth).status_code == 403
    assert session.run("SELECT 1 AS one").rows == [{"one": 1}]


def test_the_target_down_is_said_and_the_path_stays_closed(own_gateway: Gateway) -> None:
    own_gateway.stop()
    own_gateway.configuration["connections"]["warehouse"]["port"] = 1
    own_gateway.write()
    own_gateway.start()
    session = own_gateway.open()
    last = session.run("SELECT 1").last
    assert (last["status"], last["code"]) == ("failed", "target_unreachable")


def wait(done: object, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not done():  # type: ignore[operator]
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
