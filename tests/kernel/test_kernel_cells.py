"""Tool cells in a real kernel in the real sandbox, against a scripted gateway."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

from tests.kernel.running_kernel import RunningKernel
from tests.kernel.scripted_gateway import FrameWriter, ScriptedGateway

RESULT = "application/vnd.zt.result+json"
HELD = "application/vnd.zt.held+json"
TABLE = pa.table({"id": [1, 2, 3], "email": ["[redacted]"] * 3})
MASKS = {"email": {"kind": "redact", "tag": "email"}}


@pytest.fixture
def scripted(module_gateway: ScriptedGateway) -> Iterator[ScriptedGateway]:
    """The gateway of the module's kernel, with three rows for every command."""

    def script(_action: dict[str, Any], out: FrameWriter) -> None:
        out.accepted()
        out.table(TABLE, MASKS)
        out.result(rows="3")

    module_gateway.script = script
    module_gateway.actions.clear()
    module_gateway.cancelled.clear()
    return module_gateway


def test_a_tool_cell_shows_a_masked_result(
    kernel: RunningKernel, scripted: ScriptedGateway
) -> None:
    message = kernel.start("%%sql warehouse\nselect id, email from customers\n")
    ran = kernel.finish(message)
    assert ran.reply["status"] == "ok"
    assert ran.data(RESULT)["columns"][1]["mask"] == {"kind": "redact", "tag": "email"}
    assert "email ◐" in ran.data("text/plain")
    assert "3 rows" in ran.data("text/html")
    assert scripted.actions[0]["command"] == "select id, email from customers"
    assert scripted.actions[0]["cell"] == message


@pytest.mark.usefixtures("scripted")
def test_a_result_is_assigned_and_usable_in_pandas(kernel: RunningKernel) -> None:
    ran = kernel.run("%%sql warehouse people <<\nselect * from customers")
    assert "people: 3 rows" in ran.text
    assert kernel.value("int(people.groupby('email').id.sum().iloc[0])") == "6"
    assert kernel.value("type(people).__name__, type(people.head()).__name__") == (
        "('MaskedFrame', 'DataFrame')"
    )


def test_python_and_the_line_form_do_the_same(
    kernel: RunningKernel, scripted: ScriptedGateway
) -> None:
    assert kernel.value("len(zt.sql('warehouse', 'select $1', parameters=[5]))") == "3"
    kernel.run("df = %sql warehouse select '{x}' , '$y'")
    assert kernel.value("len(df)") == "3"
    assert [action["parameters"] for action in scripted.actions] == [[5], []]
    assert scripted.actions[1]["command"] == "select '{x}' , '$y'"


@pytest.mark.usefixtures("scripted")
def test_zt_is_there_after_a_reset(kernel: RunningKernel) -> None:
    kernel.run("%reset -f")
    assert kernel.value("len(zt.sql('warehouse', 'select 1'))") == "3"


@pytest.mark.usefixtures("scripted")
def test_zt_shows_who_where_and_what(kernel: RunningKernel) -> None:
    text = kernel.run("%zt").data("text/plain")
    for expected in ("analyst (analyst)", "sandboxed (bubblewrap", "warehouse", "tour.ipynb"):
        assert expected in text
    assert "%%sql warehouse" in kernel.run("%zt help").text
    assert kernel.run("%zt nonsense").error[-1] == "[unknown_subcommand]"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("%%sql warehouse\n", "empty_command"),
        ("%%sql warehouse\n   \n", "empty_command"),
        ("%sql", "no_connection"),
        ("%pip install requests", "no network"),
        ("%conda install requests", "no network"),
        ("!curl -s http://example.org || exit 6", "no network by design"),
        ("import socket; socket.create_connection(('10.1.2.3', 5432))", "no network by design"),
        ("import socket; socket.getaddrinfo('example.org', 80)", "no network by design"),
    ],
)
def test_what_can_not_work_says_why_in_a_line(
    kernel: RunningKernel, scripted: ScriptedGateway, code: str, words: str
) -> None:
    ran = kernel.run(code)
    assert words in ran.text
    assert scripted.actions == []


def test_a_refusal_is_short_and_points_at_the_fault(
    kernel: RunningKernel, scripted: ScriptedGateway
) -> None:
    scripted.script = lambda _action, out: (
        out.accepted(),
        out.error("denied", "unparsable", "This is no SQL.", position=1, hint="Look."),
    )
    ran = kernel.run("%%sql warehouse\nselec 1")
    assert ran.error == [
        "Refused: This is no SQL.",
        "line 1: selec 1",
        "        ^",
        "Look.",
        "[unparsable · record 18]",
    ]
    assert ran.reply["status"] == "error"


def test_a_held_cell_shows_that_it_waits_and_goes_on(
    kernel: RunningKernel, scripted: ScriptedGateway
) -> None:
    def script(_action: dict[str, Any], out: FrameWriter) -> None:
        out.accepted()
        out.held()
        out.released.wait(0.2)
        out.event("approved", by=["reviewer"])
        out.result(command_tag="UPDATE 1", approved_by=["reviewer"])

    scripted.script = script
    ran = kernel.run("%%sql warehouse\nupdate t set a = 1 where id = 2")
    assert ran.data(HELD)["state"] == "waiting"
    assert "a reviewer other than you" in ran.text
    assert [update["data"][HELD]["state"] for update in ran.updates] == ["approved"]
    assert "UPDATE 1" in ran.text
    display = next(output for output in ran.outputs if HELD in output.get("data", {}))
    assert ran.updates[0]["transient"] == display["transient"]


def test_the_stop_button_withdraws_a_held_action(
    kernel: RunningKernel, scripted: ScriptedGateway
) -> None:
    gone: list[bool] = []

    def script(_action: dict[str, Any], out: FrameWriter) -> None:
        out.accepted()
        out.held()
        gone.append(out.wait_until_gone())

    scripted.script = script
    message = kernel.start(
        "for _ in range(3):\n  try: zt.sql('warehouse', 'update t')\n  except Exception: pass"
    )
    kernel.wait_for_output(message, "display_data")
    kernel.interrupt()
    ran = kernel.finish(message)
    assert ran.error == ["Stopped: the request for approval was withdrawn; see record 10."]
    assert scripted.cancelled == ["a_1"]
    assert gone == [True]
    assert len(scripted.actions) == 1
    assert kernel.value("1 + 1") == "2"


def test_the_stop_button_cancels_a_running_statement(
    kernel: RunningKernel, scripted: ScriptedGateway
) -> None:
    gone: list[bool] = []

    def script(_action: dict[str, Any], out: FrameWriter) -> None:
        out.accepted()
        gone.append(out.wait_until_gone())

    scripted.script = script
    message = kernel.start("print('go', flush=True)\nzt.sql('warehouse', 'select pg_sleep(60)')")
    kernel.wait_for_output(message, "stream")
    time.sleep(0.3)  # until it waits in the read; an earlier stop is as good
    kernel.interrupt()
    ran = kernel.finish(message)
    assert ran.error[0].startswith("Stopped: cancelled")
    deadline = time.monotonic() + 10
    while gone != [True] and time.monotonic() < deadline:
        time.sleep(0.02)
    assert gone == [True]


@pytest.mark.usefixtures("scripted")
def test_completion_inspection_and_expressions_work(kernel: RunningKernel) -> None:
    reply = kernel.client.complete("zt.se", reply=True, timeout=30)
    assert any("session" in match for match in reply["content"]["matches"])
    reply = kernel.client.inspect("zt.sql", reply=True, timeout=30)
    assert "Runs one SQL command" in reply["content"]["data"]["text/plain"]
    ran = kernel.run("pass", user_expressions={"x": "1 + 1"})
    assert ran.reply["user_expressions"]["x"]["data"]["text/plain"] == "2"


@pytest.mark.usefixtures("scripted")
def test_neither_debugger_nor_subshells_nor_comms(kernel: RunningKernel) -> None:
    info = kernel.client.kernel_info(reply=True, timeout=30)["content"]
    assert info["supported_features"] == []
    for kind, content, reply in (
        ("create_subshell_request", {}, "create_subshell_reply"),
        ("debug_request", {"type": "request", "seq": 1, "command": "initialize"}, "debug_reply"),
    ):
        message = kernel.client.session.msg(kind, content)
        kernel.client.control_channel.send(message)
        answer = kernel.client.get_control_msg(timeout=30)
        assert answer["msg_type"] == reply
        refused = answer["content"].get("status") == "error" or not answer["content"]["success"]
        assert refused
    kernel.run("import comm; heard = []")
    kernel.run("comm.get_comm_manager().register_target('t', lambda c, m: heard.append(1))")
    opening = {"comm_id": "c1", "target_name": "t", "data": {}}
    kernel.client.shell_channel.send(kernel.client.session.msg("comm_open", opening))
    assert kernel.value("heard") == "[]"


@pytest.mark.usefixtures("scripted")
def test_modules_beside_the_notebook_can_be_imported(kernel: RunningKernel) -> None:
    (kernel.work / "mine.py").write_text("VALUE = 42\n")
    (kernel.work / "zt_kernel.py").write_text("raise SystemExit('not the kernel')\n")
    assert kernel.value("__import__('mine').VALUE") == "42"
    kernel.restart()
    assert kernel.value("zt.__name__") == "'zt_kernel'"
    (kernel.work / "zt_kernel.py").unlink()


def test_a_question_mark_prints_what_a_pager_would_show(kernel: RunningKernel) -> None:
    ran = kernel.run("len?")
    assert "Return the number of items in a container" in ran.text
    assert ran.reply["payload"] == []


def test_a_flood_of_outputs_loses_none_of_them(kernel: RunningKernel) -> None:
    count = 10_000
    flood = kernel.start(
        "from IPython.display import publish_display_data\n"
        f"for number in range({count}):\n"
        "    publish_display_data({'text/plain': f'{number} ' + 'x' * 1000})"
    )
    reply = kernel.client.get_shell_msg(timeout=60)  # nobody has read an output yet
    assert reply["parent_header"]["msg_id"] == flood
    seen = []
    while True:
        heard = kernel.client.get_iopub_msg(timeout=10)
        if heard["content"].get("execution_state") == "idle":
            break
        if heard["msg_type"] == "display_data":
            seen.append(int(heard["content"]["data"]["text/plain"].split()[0]))
    assert seen == list(range(count))
