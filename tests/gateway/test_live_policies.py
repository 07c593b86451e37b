"""Policies that change while the gateway runs: all or nothing, and from the next action on."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.fixtures_gateway import Gateway
from tests.identity import world

READ = "SELECT id FROM customers WHERE id = 7"
FORBID = """
@id("closed-today")
@code("closed_today")
@reason("The shop counts its stock today.")
forbid (principal, action, resource)
when { resource == ZT::Connection::"warehouse" };
"""


def policies(gateway: Gateway) -> Path:
    return gateway.folder / "policies"


def changes(gateway: Gateway) -> list[dict[str, Any]]:
    """Records of the gateway itself that say that its policies changed."""
    database = gateway.folder / "state/gateway.db"
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        rows = connection.execute("SELECT data FROM log_leaves WHERE kind = 'admin'").fetchall()
    return [json.loads(row[0]) for row in rows]


def test_a_changed_set_decides_a_running_sessions_next_action(own_gateway: Gateway) -> None:
    session = own_gateway.open()
    assert session.run(READ).last["status"] == "completed"
    added = policies(own_gateway) / "today.cedar"
    added.write_text(FORBID)
    world.wait_until(lambda: len(changes(own_gateway)) == 1, seconds=10)

    refused = session.run(READ)

    assert refused.last["code"] == "closed_today"
    (change,) = changes(own_gateway)
    assert change["change"] == "policy"
    decided = [record for record in session.records() if record["kind"] == "decision"]
    assert [record["policy"] for record in decided] == [change["before"], change["policy"]]
    added.unlink()
    world.wait_until(lambda: len(changes(own_gateway)) == 2, seconds=10)
    assert session.run(READ).last["status"] == "completed"


def test_a_broken_set_never_replaces_a_good_one(own_gateway: Gateway) -> None:
    session = own_gateway.open()
    broken = policies(own_gateway) / "broken.cedar"
    broken.write_text('@id("x")\npermit (principal, action, resource)\nwhen { context.nothing };\n')
    world.wait_until(lambda: "are refused" in own_gateway.log.read_text(), seconds=10)

    assert session.run(READ).last["status"] == "completed"

    assert "broken.cedar" in own_gateway.log.read_text()
    assert changes(own_gateway) == []
    # All or nothing: a good file beside a broken one does not count either.
    (policies(own_gateway) / "today.cedar").write_text(FORBID)
    world.wait_until(lambda: own_gateway.log.read_text().count("are refused") == 2, seconds=10)
    assert session.run(READ).last["status"] == "completed"
    broken.unlink()
    world.wait_until(lambda: len(changes(own_gateway)) == 1, seconds=10)
    assert session.run(READ).last["code"] == "closed_today"


def test_policies_that_are_gone_take_nothing_away(own_gateway: Gateway) -> None:
    session = own_gateway.open()
    policies(own_gateway).rename(own_gateway.folder / "elsewhere")
    world.wait_until(lambda: "are refused" in own_gateway.log.read_text(), seconds=10)
    assert session.run(READ).last["status"] == "completed"
    assert session.run("DROP TABLE customers").last["code"] == "destructive_statement"
    # A new start has no good set to begin with: nothing is served.
    own_gateway.stop()
    own_gateway.start(wait=False)
    world.wait_until(lambda: not own_gateway.running, seconds=30)


def test_consent_does_not_outlive_the_policies_that_asked_for_it(own_gateway: Gateway) -> None:
    session = own_gateway.open()
    call = session.start("UPDATE customers SET city = 'Reload' WHERE id = 7")
    held = call.wait_for("held")["approval"]
    (policies(own_gateway) / "note.cedar").write_text(
        '@id("note")\nforbid (principal, action, resource)\n'
        'when { context.columns_written.contains("email") };\n'
    )
    world.wait_until(lambda: len(changes(own_gateway)) == 1, seconds=10)
    own_gateway.vote("reviewer", held["id"], approve=True)
    assert call.result().last["code"] == "approval_void"
    assert own_gateway.statements("'Reload'") == []
