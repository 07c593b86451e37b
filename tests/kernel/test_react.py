"""The ReAct loop: a scripted model proposes, a scripted gateway answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

from tests.kernel.running_kernel import Ran, RunningKernel
from tests.kernel.scripted_gateway import FrameWriter, ScriptedGateway

REACT = "application/vnd.zt.react+json"
COUNT = {"connection": "warehouse", "command": "select count(*) from orders"}


class Model:
    """Says its replies one after the other, and refuses DROP."""

    def __init__(self, gateway: ScriptedGateway) -> None:
        self.replies: list[Any] = []
        self.prompts: list[dict[str, Any]] = []
        self.acted: list[dict[str, Any]] = []
        gateway.script = self.script

    def script(self, action: dict[str, Any], out: FrameWriter) -> None:
        out.accepted()
        if action["connection"] == "llm":
            self.prompts.append(json.loads(action["command"]))
            reply = self.replies.pop(0)
            text = reply if isinstance(reply, str) else json.dumps(reply)
            body = {"choices": [{"message": {"role": "assistant", "content": text}}]}
            out.result(verb="model_call", record=str(100 + len(self.prompts)), body=body)
        elif "information_schema" in action["command"]:
            out.table(pa.table({"table_name": ["orders"], "columns": ["id, placed_at"]}))
            out.result(rows="1")
        elif "drop" in action["command"]:
            self.acted.append(action)
            out.error("denied", "drop_denied", "DROP is not allowed.")
        else:
            self.acted.append(action)
            out.table(pa.table({"count": [500_000]}))
            out.result(rows="1", record="55")


@pytest.fixture
def model(module_gateway: ScriptedGateway) -> Iterator[Model]:
    return Model(module_gateway)


def forms(prompt: dict[str, Any]) -> list[str]:
    """What the model was allowed to reply with."""
    schema = prompt["response_format"]["json_schema"]["schema"]
    return [form["required"][1] for form in schema["anyOf"]]


def steps(ran: Ran) -> list[dict[str, Any]]:
    """The last state of each step."""
    last: dict[int, dict[str, Any]] = {}
    for output in [*ran.outputs, *ran.updates]:
        content = output.get("data", {}).get(REACT)
        if content:
            last[content["step"]] = content
    return [last[number] for number in sorted(last)]


def test_it_thinks_acts_observes_and_answers(kernel: RunningKernel, model: Model) -> None:
    model.replies = [
        {"thought": "Count them.", "action": COUNT},
        {"thought": "Known.", "final": "500000 orders."},
    ]
    ran = kernel.run("%%react --max-steps 4\nHow many orders are there?")
    first, second = steps(ran)
    assert first["thought"] == "Count them."
    assert first["action"] == COUNT
    assert "500000" in first["observation"]
    assert (first["status"], first["record"]) == ("ok", "55")
    assert second["status"] == "final"
    assert "Answer: 500000 orders." in ran.text
    assert "record 55" in ran.text
    assert "A tiny local model" in ran.text
    assert model.acted[0]["cause"] == "101"
    assert model.prompts[0]["messages"][-1]["content"] == "Question: How many orders are there?"
    assert "orders(id, placed_at)" in model.prompts[0]["messages"][0]["content"]
    assert "<data>\ncount\n500000\n</data>" in model.prompts[1]["messages"][-1]["content"]


def test_the_same_refused_action_twice_stops_it(kernel: RunningKernel, model: Model) -> None:
    drop = {"thought": "x", "action": {"connection": "warehouse", "command": "drop table orders"}}
    model.replies = [drop, drop, drop]
    ran = kernel.run("%%react\nTidy up.")
    assert [step["status"] for step in steps(ran)] == ["refused", "refused"]
    assert "asked twice" in ran.text


def test_it_ends_when_its_steps_are_used_up(kernel: RunningKernel, model: Model) -> None:
    model.replies = [
        {"thought": "x", "action": COUNT | {"command": f"select {n}"}} for n in range(9)
    ]
    ran = kernel.run("%%react --max-steps 3\nCount forever.")
    assert len(steps(ran)) == 3
    assert "3 steps are used up" in ran.text
    assert [forms(prompt) for prompt in model.prompts] == [
        ["action", "final"],
        ["action", "final"],
        ["final"],
    ]


def test_a_model_that_goes_in_circles_is_asked_for_its_answer(
    kernel: RunningKernel, model: Model
) -> None:
    again = {"thought": "x", "action": COUNT}
    model.replies = [again, again, {"thought": "Well.", "final": "500000."}]
    assert "Answer: 500000." in kernel.run("%%react\nCount.").text
    assert forms(model.prompts[2]) == ["final"]


@pytest.mark.parametrize("junk", ["", "no json", "{", "[]", '{"thought": 1}', "{" * 2000])
def test_replies_that_are_no_json_are_told_once_and_end_it(
    kernel: RunningKernel, model: Model, junk: str
) -> None:
    model.replies = [junk, junk, junk]
    ran = kernel.run("%%react\nWhatever.")
    assert [step["status"] for step in steps(ran)] == ["malformed", "malformed"]
    assert "unusable" in ran.text
    assert model.acted == []


def test_a_reply_in_prose_or_a_fence_is_understood(kernel: RunningKernel, model: Model) -> None:
    final = json.dumps({"thought": "t", "final": "42"})
    model.replies = [f"Sure! {{not json}} Here:\n```json\n{final}\n```"]
    assert "Answer: 42" in kernel.run("%%react\nWhat?").text


def test_prompts_stay_bounded(kernel: RunningKernel, model: Model) -> None:
    wordy = {"thought": "x" * 2000, "action": COUNT}
    model.replies = [wordy] * 12
    kernel.run("%%react --max-steps 12\nCount.")
    assert len(json.dumps(model.prompts[-1]["messages"])) < 8000


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("%%react\n \n", "[empty_command]"),
        ("%%react --model gpt\nGo.", "[unknown_connection]"),
        ("%%react --connections moon\nGo.", "[unknown_connection]"),
        ("%%react --max-steps many\nGo.", "[bad_options]"),
        ("%%react --wrong\nGo.", "[bad_options]"),
    ],
)
def test_bad_requests_are_refused(
    kernel: RunningKernel, model: Model, code: str, error: str
) -> None:
    assert kernel.run(code).error[-1] == error
    assert model.prompts == []


def test_an_error_of_the_model_ends_it(
    kernel: RunningKernel, module_gateway: ScriptedGateway
) -> None:
    module_gateway.script = lambda _action, out: (
        out.accepted(),
        out.error("failed", "target_failed", "The model is away."),
    )
    ran = kernel.run("%%react\nGo.")
    assert ran.error[0] == "Failed: The model is away."
