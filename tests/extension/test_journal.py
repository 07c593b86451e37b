from __future__ import annotations

import nbformat
import pytest

from jupyter_zt.extension.journal import CellRun, KernelJournal
from jupyter_zt.extension.message_filter import from_kernel
from tests.extension.messages import display, execute_input, message, status, stream


@pytest.fixture
def journal() -> KernelJournal:
    return KernelJournal(from_kernel, max_output_bytes=10_000)


def run(journal: KernelJournal, msg_id: str, *published: dict, code: str = "1") -> list[CellRun]:
    """One request from its start to idle."""
    journal.asked(msg_id, code, f"cell-{msg_id}")
    runs = []
    for item in [status("busy", msg_id), execute_input(code, msg_id), *published]:
        runs += journal.published(item)
    return runs + journal.published(status("idle", msg_id))


def test_a_cell_is_recorded_when_the_kernel_is_idle_for_it(journal: KernelJournal) -> None:
    runs = run(journal, "a", stream("hello", "a"), code="print('hello')")

    assert runs == [
        CellRun(
            "a",
            "cell-a",
            "print('hello')",
            [{"output_type": "stream", "name": "stdout", "text": "hello"}],
            "ok",
        )
    ]


def test_the_source_is_what_was_asked_not_what_the_kernel_says(journal: KernelJournal) -> None:
    journal.asked("a", "steal()", "c")
    journal.published(execute_input("print('nothing')", "a"))

    [cell] = journal.published(status("idle", "a"))

    assert cell.source == "steal()"


def test_streams_are_coalesced_by_name_and_in_order(journal: KernelJournal) -> None:
    [cell] = run(
        journal,
        "a",
        stream("1", "a"),
        stream("2", "a"),
        stream("!", "a", "stderr"),
        stream("3", "a"),
    )

    assert [(output["name"], output["text"]) for output in cell.outputs] == [
        ("stdout", "12"),
        ("stderr", "!"),
        ("stdout", "3"),
    ]


def test_an_error_output_makes_the_status(journal: KernelJournal) -> None:
    error = message("error", {"ename": "E", "evalue": "v", "traceback": ["t"]}, "a")

    [cell] = run(journal, "a", error)

    assert cell.status == "error"
    assert cell.outputs == [
        {"output_type": "error", "ename": "E", "evalue": "v", "traceback": ["t"]}
    ]


def test_outputs_are_recorded_as_the_reader_was_shown_them(journal: KernelJournal) -> None:
    html = "<b>5</b><script>vote(1)</script>"

    [cell] = run(journal, "a", display({"text/html": html}, "a"))

    assert cell.outputs[0]["data"] == {
        "text/html": "<b>5</b>",
        "application/vnd.zt.html": html,
    }


def test_clear_output_is_honoured_now_and_with_the_next_output(journal: KernelJournal) -> None:
    [now] = run(
        journal,
        "a",
        stream("old", "a"),
        message("clear_output", {"wait": False}, "a"),
    )
    [later] = run(
        journal,
        "b",
        stream("old", "b"),
        message("clear_output", {"wait": True}, "b"),
        stream("new", "b"),
    )
    [never] = run(journal, "c", stream("old", "c"), message("clear_output", {"wait": True}, "c"))

    assert now.outputs == []
    assert [output["text"] for output in later.outputs] == ["new"]
    assert [output["text"] for output in never.outputs] == ["old"]


def update(text: str, display_id: str, parent: str) -> dict:
    content = {"data": {"text/plain": text}, "transient": {"display_id": display_id}}
    return message("update_display_data", content, parent)


def test_updates_of_a_display_replace_what_it_shows(journal: KernelJournal) -> None:
    shown = display({"text/plain": "waiting"}, "a", transient={"display_id": "d"})

    [cell] = run(journal, "a", shown, update("still", "d", "a"), update("done", "d", "a"))

    assert [output["data"] for output in cell.outputs] == [{"text/plain": "done"}]
    assert cell.outputs[0]["output_type"] == "display_data"


def test_an_update_by_a_later_cell_is_recorded_with_the_cell_that_shows_it(
    journal: KernelJournal,
) -> None:
    run(journal, "a", display({"text/plain": "0 %"}, "a", transient={"display_id": "d"}))

    [second] = run(journal, "b", update("50 %", "d", "b"), update("100 %", "d", "b"))

    assert second.outputs == []
    [late] = journal.late_runs()
    assert (late.msg_id, late.cell_id, late.source) == ("a", "cell-a", "")
    assert [output["data"] for output in late.outputs] == [{"text/plain": "100 %"}]
    assert journal.late_runs() == []


def test_an_update_of_no_known_display_shows_nothing(journal: KernelJournal) -> None:
    [cell] = run(journal, "a", update("x", "unknown", "a"))

    assert cell.outputs == []


def test_a_thread_that_outlives_its_cell_is_recorded_later(journal: KernelJournal) -> None:
    run(journal, "a")

    assert journal.published(stream("still here", "a")) == []
    [late] = journal.late_runs()

    assert (late.msg_id, late.source, late.status) == ("a", "", "ok")
    assert late.outputs[0]["text"] == "still here"


def test_an_early_idle_hides_nothing(journal: KernelJournal) -> None:
    journal.asked("a", "work()", "c")
    journal.published(execute_input("work()", "a"))
    [cell] = journal.published(status("idle", "a"))

    journal.published(stream("secret", "a"))
    journal.published(status("idle", "a"))

    assert cell.outputs == []
    assert [late.outputs[0]["text"] for late in journal.late_runs()] == ["secret"]


def test_a_cell_that_was_never_asked_for_is_not_invented(journal: KernelJournal) -> None:
    for item in (execute_input("x", "made-up"), stream("x", "made-up"), status("idle", "made-up")):
        assert journal.published(item) == []

    assert journal.late_runs() == []
    assert journal.abandon() == []


def test_unfinished_cells_are_aborted_in_the_order_they_were_asked(journal: KernelJournal) -> None:
    journal.asked("a", "first", "1")
    journal.asked("b", "second", "2")
    journal.published(stream("half", "a"))

    runs = journal.abandon()

    assert [(cell.source, cell.status) for cell in runs] == [
        ("first", "aborted"),
        ("second", "aborted"),
    ]
    assert runs[0].outputs[0]["text"] == "half"
    assert journal.abandon() == []


def test_a_request_that_the_kernel_gave_up_is_aborted(journal: KernelJournal) -> None:
    journal.asked("a", "after an error", "1")
    journal.published(status("busy", "a"))

    [cell] = journal.published(status("idle", "a"))

    assert cell.status == "aborted"


def test_silent_code_is_recorded_too(journal: KernelJournal) -> None:
    journal.asked("a", "hidden()", "", silent=True)
    journal.published(status("busy", "a"))

    [cell] = journal.published(status("idle", "a"))

    assert (cell.source, cell.cell_id, cell.status) == ("hidden()", "", "ok")


def test_a_request_without_code_leaves_no_cell(journal: KernelJournal) -> None:
    assert run(journal, "a", code="  \n") == []
    assert journal.knows("a")


def test_outputs_over_the_cap_are_counted_not_kept() -> None:
    journal = KernelJournal(from_kernel, max_output_bytes=1000)

    [cell] = run(journal, "a", *(stream("x" * 300, "a") for _ in range(5)))

    assert len(cell.outputs[0]["text"]) == 900
    assert "2 more outputs not recorded" in cell.outputs[1]["text"]


def test_a_growing_display_can_not_pass_the_cap() -> None:
    journal = KernelJournal(from_kernel, max_output_bytes=1000)
    shown = display({"text/plain": "small"}, "a", transient={"display_id": "d"})

    [cell] = run(journal, "a", shown, update("x" * 2000, "d", "a"))

    assert cell.outputs[0]["data"] == {"text/plain": "small"}
    assert "1 more outputs not recorded" in cell.outputs[1]["text"]


def test_recorded_outputs_make_a_valid_notebook(journal: KernelJournal) -> None:
    [cell] = run(
        journal,
        "a",
        stream("1", "a"),
        display({"text/html": "<b>x</b>", "application/json": {"a": 1}}, "a"),
        message("execute_result", {"data": {"text/plain": "5"}, "execution_count": 3}, "a"),
        message("error", {"ename": "E", "evalue": "v", "traceback": []}, "a"),
    )
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell("1", outputs=[*map(nbformat.from_dict, cell.outputs)])]
    )

    nbformat.validate(notebook)


def test_a_malformed_message_is_refused_and_the_journal_goes_on(journal: KernelJournal) -> None:
    journal.asked("a", "1", "c")
    journal.published(execute_input("1", "a"))

    with pytest.raises(TypeError):
        journal.published(message("stream", {"name": "stdout", "text": 5}, "a"))

    [cell] = journal.published(status("idle", "a"))
    assert cell.status == "ok"
