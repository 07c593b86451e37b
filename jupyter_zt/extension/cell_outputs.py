"""The outputs of one cell, folded from messages as a notebook folds them. No IO."""

from __future__ import annotations

import json
from typing import Any, Final

__all__ = ["CellOutputs"]

_DEFAULT_MAX_BYTES: Final = 8 * 1024 * 1024

Output = dict[str, Any]


class CellOutputs:
    """nbformat 4.5 outputs, as they grow.

    Args:
        max_bytes: Cap on all outputs together. What comes after is left out, with a note. A display
            that is updated in place counts with its latest size.
    """

    def __init__(self, max_bytes: int = _DEFAULT_MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._outputs: list[Output] = []
        self._sizes: list[int] = []
        self._texts: dict[int, list[str]] = {}
        self._displays: dict[str, list[int]] = {}
        self._clear_before_next = False
        self._total = 0
        self._left_out = 0

    def __bool__(self) -> bool:
        """Whether there is anything to show."""
        return bool(self._outputs) or self._left_out > 0

    def add(self, msg_type: str, content: Output, display_id: str = "") -> None:
        """Fold in one message's content (already made safe)."""
        if msg_type == "clear_output":
            if content["wait"]:
                self._clear_before_next = True
            else:
                self._clear()
            return
        if self._clear_before_next:
            self._clear()
        if msg_type == "stream":
            self._add_text(content["name"], content["text"])
            return
        output = _output(msg_type, content)
        if self._append(output, _size(output)) and display_id:
            self._displays.setdefault(display_id, []).append(len(self._outputs) - 1)

    def update(self, display_id: str, content: Output) -> bool:
        """Replace what every display of this id shows; whether there is one."""
        for index in self._displays.get(display_id, []):
            output = {**self._outputs[index], "data": content["data"]}
            growth = _size(output) - self._sizes[index]
            if self._total + growth > self._max_bytes:
                self._left_out += 1
                continue
            self._outputs[index] = output
            self._sizes[index] += growth
            self._total += growth
        return display_id in self._displays

    def as_nbformat(self) -> list[Output]:
        """The outputs so far."""
        outputs = [
            {**output, "text": "".join(self._texts[index])} if index in self._texts else output
            for index, output in enumerate(self._outputs)
        ]
        if self._left_out:
            note = f"[{self._left_out} more outputs not recorded: over {self._max_bytes} bytes]\n"
            outputs.append({"output_type": "stream", "name": "stderr", "text": note})
        return outputs

    def _add_text(self, name: str, text: str) -> None:
        last = len(self._outputs) - 1
        if last in self._texts and self._outputs[last]["name"] == name:
            if self._total + len(text) > self._max_bytes:
                self._left_out += 1
                return
            self._texts[last].append(text)
            self._sizes[last] += len(text)
            self._total += len(text)
        elif self._append({"output_type": "stream", "name": name, "text": ""}, len(text)):
            self._texts[last + 1] = [text]

    def _append(self, output: Output, size: int) -> bool:
        if self._total + size > self._max_bytes:
            self._left_out += 1
            return False
        self._outputs.append(output)
        self._sizes.append(size)
        self._total += size
        return True

    def _clear(self) -> None:
        self._outputs.clear()
        self._sizes.clear()
        self._texts.clear()
        self._displays.clear()
        self._clear_before_next = False
        self._total = 0
        self._left_out = 0


def _output(msg_type: str, content: Output) -> Output:
    """An nbformat output from a message's content."""
    if msg_type == "error":
        return {
            "output_type": "error",
            "ename": content["ename"],
            "evalue": content["evalue"],
            "traceback": content["traceback"],
        }
    output: Output = {"output_type": msg_type, "data": content["data"], "metadata": {}}
    if msg_type == "execute_result":
        output["execution_count"] = content["execution_count"]
    return output


def _size(output: Output) -> int:
    return len(json.dumps(output))
