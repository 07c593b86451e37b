from __future__ import annotations

from typing import Any

import pytest

from jupyter_zt.extension.message_filter import from_kernel
from jupyter_zt.extension.terminal_text import without_commands
from tests.extension.messages import display, message

OBEYED = {
    "link": "\x1b]8;;https://evil.example\x07press\x1b]8;;\x07",
    "clipboard": "\x1b]52;c;cm0gLXJm\x07",
    "title": "\x1b]0;title\x1b\\",
    "answer_back": "\x05",
    "report_of_the_cursor": "\x1b[6n",
    "device_attributes": "\x1b[c",
    "clear_the_screen": "\x1b[2J",
    "alternate_screen": "\x1b[?1049h",
    "go_anywhere": "\x1b[1;1H",
    "device_control": "\x1bP$qm\x1b\\",
    "reset": "\x1bc",
    "eight_bits": "\x9b2J\x9d0;title\x9c",
    "colours_of_a_terminal": "\x1b]4;0;#fff\x07",
    "unfinished": "\x1b",
    "unfinished_colour": "\x1b[31",
    "endless_colour": "\x1b[" + "1;" * 100 + "m",
    "delete": "\x7f",
}
KEPT = (
    "\x1b[31mred\x1b[0m \x1b[38;2;1;2;3mx\x1b[m",
    "50 %\r\x1b[K100 %\n\x1b[A",
    "a\b b\tc\r\nd\fe äöü 漢字 \N{SNAKE}",
)


@pytest.mark.parametrize("text", OBEYED.values(), ids=list(OBEYED))
def test_nothing_commands_a_terminal(text: str) -> None:
    shown = without_commands(text)
    assert not set(shown) & {"\x1b", "\x05", "\x07", "\x7f", "\x9b", "\x9c", "\x9d"}
    assert len(shown) == len(text)


@pytest.mark.parametrize("text", KEPT)
def test_colours_and_progress_bars_stay(text: str) -> None:
    assert without_commands(text) == text


@pytest.mark.parametrize("text", OBEYED.values(), ids=list(OBEYED))
def test_no_message_of_a_kernel_commands_a_terminal(text: str) -> None:
    said: dict[str, dict[str, Any]] = {
        "stream": {"name": "stdout", "text": text},
        "error": {"ename": text, "evalue": text, "traceback": [text]},
    }
    replies = {
        "inspect_reply": {"status": "ok", "found": True, "data": {"text/plain": text}},
        "execute_reply": {"status": "error", **said["error"]},
    }
    messages = [
        *(("iopub", message(kind, content)) for kind, content in said.items()),
        *(("shell", message(kind, content)) for kind, content in replies.items()),
        ("iopub", display({"text/plain": text})),
        ("stdin", message("input_request", {"prompt": text, "password": False})),
    ]
    for channel, sent in messages:
        shown = from_kernel(channel, sent)
        assert shown is not None
        assert without_commands(text) in str(list(_texts(shown["content"])))
        assert text not in list(_texts(shown["content"]))


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [text for item in items for text in _texts(item)]
