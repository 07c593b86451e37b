"""An agent tries to do more than it may: more than its ceiling, or what only people do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from jupyter_zt.errors import AuthenticationError
from tests.cli.command_line import CommandLine
from tests.fixtures_gateway import Gateway, Session, running_gateway
from tests.fixtures_postgres import PostgresServer

READ = "SELECT id, city FROM customers ORDER BY id"
WRITE = "UPDATE customers SET city = 'Trier' WHERE id = 31"
WIDE_OPEN = '@id("all")\npermit (principal, action, resource);\n'


@pytest.fixture(scope="module")
def gateway(
    postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """With two connections, two agents, and policies that permit everything."""
    with running_gateway(tmp_path_factory.mktemp("agents"), postgres) as running:
        running.stop()
        (running.folder / "policies" / "demo.cedar").write_text(WIDE_OPEN)
        connections = running.configuration["connections"]
        connections["archive"] = dict(connections["warehouse"])
        running.configuration["agents"] = {
            "reader": {
                "owner": "data platform",
                "connections": ["warehouse"],
                "actions": ["read"],
                "max_rows": 7,
                "statement_seconds": 9,
            },
            "writer": {"owner": "data platform", "connections": ["archive"], "actions": ["write"]},
        }
        running.write()
        running.start()
        yield running


@pytest.fixture
def session(gateway: Gateway) -> Session:
    """A person's own session."""
    return gateway.open("analyst")


@pytest.fixture
def agents(gateway: Gateway) -> Session:
    """An agent's session, by the broker's word."""
    return gateway.open("analyst", agent="reader")


def principals(session: Session, action: str) -> list[str]:
    """The agent in each record of an action."""
    return [
        record["principal"]["agent"]
        for record in session.records()
        if record.get("action") == action
    ]


def assert_refused(session: Session, outcome: Any, code: str) -> None:
    assert (outcome.last["event"], outcome.last["code"]) == ("error", code)
    assert "execute_start" not in [r["kind"] for r in session.records()]


# ------------------------------------------------------------------ its ceiling


def test_no_policy_widens_an_agents_ceiling(agents: Session, gateway: Gateway) -> None:
    elsewhere = agents.run(READ, "archive")
    assert_refused(agents, elsewhere, "agent_connection")
    write = agents.run(WRITE)
    assert_refused(agents, write, "agent_action")
    assert gateway.statements("'Trier'") == []
    decisions = [r for r in agents.records() if r["kind"] == "decision"]
    assert [d["code"] for d in decisions] == ["agent_connection", "agent_action"]


def test_an_agent_gets_no_more_than_its_human(gateway: Gateway) -> None:
    """The other half of the intersection: a person without rights lends none to the agent."""
    (gateway.folder / "policies" / "demo.cedar").write_text(
        '@id("a")\npermit (principal, action, resource) when { principal in ZT::Role::"analyst" };'
    )
    gateway.restart()
    try:
        nobody = gateway.open("auditor", agent="reader")
        assert_refused(nobody, nobody.run(READ), "not_permitted_by_policy")
        assert gateway.open("analyst", agent="reader").run(READ).rows
    finally:
        (gateway.folder / "policies" / "demo.cedar").write_text(WIDE_OPEN)
        gateway.restart()


def test_an_agents_results_are_cut_at_its_ceiling_and_its_role_at_the_target_is_its_own(
    session: Session, gateway: Gateway
) -> None:
    mine = session.run(READ)
    its = session.run(READ, agent="reader")
    assert len(mine.rows) > 7
    assert len(its.rows) == 7
    assert its.last["truncated"]["value"] == "7"
    leases = {r["principal"]["agent"]: r["role"] for r in session.records() if r["kind"] == "lease"}
    assert set(leases) == {"", "reader"}
    timeouts = gateway.postgres.sql(
        f"SELECT rolconfig FROM pg_roles WHERE rolname = '{leases['reader']}'"
    )
    assert "statement_timeout=9000ms" in timeouts[0][0]
    assert gateway.statements("agent=reader")


def test_an_agent_that_may_not_ask_is_denied_what_would_be_held(own_gateway: Gateway) -> None:
    own_gateway.stop()
    own_gateway.configuration["agents"] = {
        "writer": {"owner": "x", "connections": ["warehouse"], "actions": ["read", "write"]},
    }
    own_gateway.write()
    own_gateway.start()
    session = own_gateway.open("analyst", agent="writer")
    assert_refused(session, session.run(WRITE), "agent_may_not_ask")
    assert own_gateway.approvals("reviewer") == []


# ------------------------------------------------------------------ its name


def test_an_unknown_agent_opens_no_session(gateway: Gateway) -> None:
    for scopes in ("session", "actions"):
        with pytest.raises(AuthenticationError) as refused:
            gateway.request("GET", "/v1/me", auth=gateway.auth("analyst", scopes, "stranger"))
        assert refused.value.code == "unknown_agent"


@pytest.mark.parametrize("scopes", ["approve", "read", "attest", "session approve"])
def test_an_agents_token_is_good_for_its_session_only(gateway: Gateway, scopes: str) -> None:
    """It sees no requests of others and decides none, whoever holds the token."""
    with pytest.raises(AuthenticationError) as refused:
        gateway.request("GET", "/v1/approvals", auth=gateway.auth("reviewer", scopes, "reader"))
    assert refused.value.code == "invalid_scope"


def test_a_kernel_names_an_agent_to_narrow_itself_and_never_to_widen(
    session: Session, agents: Session
) -> None:
    assert_refused(session, session.run(WRITE, agent="reader"), "agent_action")
    assert_refused(session, session.run(READ, agent="stranger"), "unknown_agent")
    # In an agent's session another agent's name, or none, changes nothing for the better.
    other = agents.run(READ, "archive", agent="writer")
    assert other.last["code"] == "other_agent"
    assert_refused(agents, agents.run(WRITE, agent="reader"), "agent_action")
    assert [c["name"] for c in agents.get("/v1/session").json()["connections"]] == ["warehouse"]


def test_every_record_of_an_action_names_its_agent(session: Session) -> None:
    outcome = session.run(READ, agent="reader")
    named = principals(session, outcome.event("accepted")["action"])
    assert set(named) == {"reader"}
    assert len(named) == 4
    mine = session.run(READ)
    assert set(principals(session, mine.event("accepted")["action"])) == {""}


def test_a_removed_agents_session_does_nothing_more(own_gateway: Gateway) -> None:
    own_gateway.stop()
    own_gateway.configuration["agents"] = {
        "reader": {"owner": "x", "connections": ["warehouse"], "actions": ["read"]},
    }
    own_gateway.write()
    own_gateway.start()
    session = own_gateway.open("analyst", agent="reader")
    assert session.run(READ).rows
    own_gateway.stop()
    own_gateway.configuration["agents"] = {}
    own_gateway.write()
    own_gateway.start()
    assert session.run(READ).last["code"] == "unknown_agent"


# ------------------------------------------------------------------ what only people do


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/approvals/{approval}/votes"),
        ("GET", "/v1/approvals"),
        ("POST", "/v1/sessions"),
        ("GET", "/v1/sessions"),
        ("POST", "/v1/sessions/{session}/renew"),
        ("POST", "/v1/sessions/{session}/cells"),
        ("POST", "/v1/sessions/{session}/seal"),
        ("POST", "/v1/sessions/{session}/revoke"),
        ("POST", "/v1/sessions/resume"),
        ("POST", "/v1/token"),
        ("PUT", "/v1/agents/reader"),
        ("PATCH", "/v1/session"),
        ("POST", "/v1/grants"),
    ],
)
def test_an_agent_on_its_socket_only_acts(
    method: str, path: str, agents: Session, gateway: Gateway
) -> None:
    """It approves nothing, mints nothing, unmasks nothing, and does not touch its ceiling."""
    target = path.format(approval="p_" + "0" * 32, session=agents.id)
    with httpx.Client(
        transport=httpx.HTTPTransport(uds=agents.socket), base_url="http://zt"
    ) as kernel:
        answer = kernel.request(method, target, json={"approve": True, "max_rows": 10**9})
        assert answer.status_code in {404, 405}
        # The same without a person's token, where people are served.
        answer = httpx.request(method, gateway.url + target, json={})
        assert answer.status_code in {400, 401, 403, 404, 405, 422}


def test_an_agents_columns_stay_masked(agents: Session) -> None:
    outcome = agents.run("SELECT email FROM customers ORDER BY id", unmask="true")
    assert outcome.last["code"] == "invalid_input"
    outcome = agents.run("SELECT email FROM customers ORDER BY id")
    assert outcome.event("schema")["columns"][0]["mask"]
    assert not any("@" in row["email"] for row in outcome.rows)


def test_a_command_lines_agent_is_held_to_its_ceiling_in_a_batch(
    gateway: Gateway, tmp_path_factory: pytest.TempPathFactory
) -> None:
    line = CommandLine(tmp_path_factory.mktemp("line"), gateway.url)
    assert line.log_in("analyst")[0] == 0
    requests = [{"command": WRITE}, {"command": READ}]
    status, answers = line.batch(requests, "--agent", "reader")
    assert status == 1
    assert [(a["status"], a["code"]) for a in answers] == [
        ("denied", "agent_action"),
        ("completed", "truncated"),
    ]
