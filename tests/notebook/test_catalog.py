"""What a session may read: the gateway's word, `%zt tables|columns|sample`, completion."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tests.fixtures_gateway import Gateway as RunningGateway
from tests.fixtures_gateway import Session
from tests.kernel.running_kernel import RunningKernel
from zt_kernel.catalog import Column, Kept, Table
from zt_kernel.completion import complete
from zt_kernel.errors import ZTError
from zt_kernel.gateway import Gateway

RESULT = "application/vnd.zt.result+json"
SHOP = {
    "customers": Table("customers", (Column("id", "integer"), Column("email", "text", "redact"))),
    "Orders 2": Table("Orders 2", (Column("order", "integer"), Column("Total", "numeric"))),
}


def shown(session: Session, connection: str) -> dict[str, dict[str, Any]]:
    answer = session.get(f"/v1/connections/{connection}/tables")
    assert answer.is_success, answer.text
    return {
        table["name"]: {column["name"]: column for column in table["columns"]}
        for table in answer.json()["tables"]
    }


def test_tables_are_those_of_the_masked_views(session: Session) -> None:
    before = len(session.records())
    tables = shown(session, "warehouse")
    assert sorted(tables) == ["customers", "orders", "payments", "tickets"]
    assert tables["customers"]["email"] == {
        "name": "email",
        "type": "text",
        "mask": {"kind": "pseudonym", "tag": "email"},
    }
    assert tables["customers"]["internal_note"]["mask"]["kind"] == "hide"
    assert tables["orders"]["total"] == {"name": "total", "type": "numeric(10,2)", "mask": None}
    assert sorted(shown(session, "lab")) == ["kinds", "numbers", "people"]
    assert len(session.records()) == before, "nothing was run"
    assert session.get("/v1/connections/nowhere/tables").json()["code"] == "unknown_connection"


def test_what_policy_denies_is_left_out(gateway: RunningGateway, session: Session) -> None:
    tables = shown(gateway.open("reviewer"), "warehouse")
    assert "payments" not in tables
    assert "phone" not in tables["customers"]
    assert tables["customers"]["email"]["mask"]["kind"] == "hide"
    others = shown(session, "warehouse")
    assert "payments" in others
    assert "phone" in others["customers"]


def test_an_agents_session_sees_its_connections_only(gateway: RunningGateway) -> None:
    session = gateway.open(agent="react")
    assert "customers" in shown(session, "warehouse")
    assert session.get("/v1/connections/lab/tables").json()["code"] == "unknown_connection"


def test_zt_tables_columns_and_sample(kernel: RunningKernel, session: Session) -> None:
    assert "customers" in kernel.run("%zt tables warehouse").text
    text = kernel.run("%zt columns warehouse customers").text
    assert "pseudonym" in text
    assert "payments" not in text
    before = len(session.records())
    ran = kernel.run("%zt sample lab numbers 4")
    assert ran.data(RESULT)["row_count"] == "4"
    kinds = [record["kind"] for record in session.records()[before:]]
    assert kinds[0] == "intent"
    assert kinds[-1] == "result"
    assert "Odd Name" in ran.text
    for line, code in {
        "%zt sample warehouse salaries": "undefined_table",
        "%zt tables nowhere": "unknown_connection",
        "%zt tables": "bad_options",
        "%zt sample warehouse customers x": "bad_options",
    }.items():
        assert kernel.run(line).error[-1].startswith(f"[{code}"), line


def test_the_kernel_completes_sql(kernel: RunningKernel) -> None:
    def offered(code: str) -> list[str]:
        kernel.client.complete(code, len(code))
        while True:
            reply = kernel.client.get_shell_msg(timeout=30)
            if reply["msg_type"] == "complete_reply":
                return list(reply["content"]["matches"])

    first = offered("%%sql lab\nSELECT * FROM nu")  # may come too late for a busy machine
    assert first in ([], ["numbers"])
    kernel.run("import time; time.sleep(0.5)")
    assert offered("%%sql lab\nSELECT * FROM nu") == ["numbers"]
    assert offered("%%sql lab\nSELECT n.f FROM numbers n\nWHERE n.") == [
        "id",
        "filler",
        '"Odd Name"',
    ]
    kernel.run("customer_id = 3")
    assert offered("%%sql lab\nSELECT 1 WHERE 1 = :customer_") == [":customer_id"]
    assert "customer_id" in offered("customer_i"), "Python is completed as ever"


class Telling(Gateway):
    """Answers from memory, when it is let."""

    def __init__(self) -> None:
        super().__init__("/nowhere")
        self.let = threading.Event()
        self.let.set()
        self.asked: list[str] = []
        self.fails = False

    def get(self, path: str) -> dict[str, Any]:
        self.asked.append(path)
        self.let.wait(20)
        if self.fails:
            raise ZTError("It is away.", code="gateway_unreachable")
        if path == "/v1/session":
            return {"connections": [{"name": "warehouse"}, {"name": "lab"}]}
        columns = {
            table.name: [{"name": c.name, "type": c.type, "mask": None} for c in table.columns]
            for table in SHOP.values()
        }
        return {"tables": [{"name": name, "columns": found} for name, found in columns.items()]}


@pytest.mark.parametrize(
    ("code", "matches"),
    [
        ("%%sql ", ["warehouse", "lab"]),
        ("%%sql wa", ["warehouse"]),
        ("%%sql warehouse --l", ["--limit"]),
        ("%%sql warehouse\nselect * from ", ["customers", '"Orders 2"']),
        ("%%sql warehouse\nselect * from customers join Or", ['"Orders 2"']),
        ("%%sql warehouse\nselect|from customers where em", ["email"]),
        ("%%sql warehouse\nselect c.| from customers as c", ["id", "email"]),
        ('%%sql warehouse\nselect o.| from "Orders 2" o, customers c', ['"order"', '"Total"']),
        ('%%sql warehouse\nselect c.| from "Orders 2" o, customers c', ["id", "email"]),
        ("%%sql warehouse\nselect 'cus", []),
        ("%%sql warehouse\nselect 1 where id = :cu", [":customer"]),
        ("a = 1\ndf = %sql warehouse select * from cu", ["customers"]),
        ("%%sql warehouse\nselect cus", ["customers"]),
        ("print(cus", None),
        ("%%react\nselect cus", None),
    ],
)
def test_what_is_offered(code: str, matches: list[str] | None) -> None:
    code, bar, rest = code.partition("|")
    cursor = len(code)
    code = f"{code} {rest}" if bar and not code.endswith(".") else code + rest
    cursor = len(code) if bar and not rest.startswith(" ") else cursor
    telling = Telling()
    offer = complete(code, cursor, Kept(lambda: telling), {"customer": 1, "_hidden": 2})
    if matches is None:
        assert offer is None
        assert telling.asked == []
    else:
        assert offer is not None
        assert [text for text, _ in offer.matches] == matches


def test_completion_does_not_wait_and_keeps_what_comes_late() -> None:
    telling, now = Telling(), [0.0]
    kept = Kept(lambda: telling, lambda: now[0])
    telling.let.clear()
    assert kept.tables("warehouse") == ()
    assert kept.tables("warehouse") == ()
    assert len(telling.asked) == 1, "one question at a time"
    telling.let.set()
    while not kept.tables("warehouse"):
        pass
    assert len(telling.asked) == 1
    now[0] = 61.0
    telling.fails = True
    assert [table.name for table in kept.tables("warehouse")] == list(SHOP), "better than nothing"
