"""What one kernel was asked to run and what came out, cell by cell, as the broker saw it. No IO.

Ordering rules:

1. `asked` comes before the request goes to the kernel, so that no output is without its cell.
2. `published` takes every iopub message of the kernel. Only messages whose parent the broker passed
on count: the
   runtime can't invent cells, and can't leave one out.
3. A cell is finished when the kernel is idle for it, or when the kernel is gone (`abandon`, status
``aborted``). 4. What comes out for a cell after it was finished (a thread that outlives its cell, a
display updated later) is kept
   and finished as a further run of the same cell, without source: see `late_runs`.

Outputs are recorded in the form that the reader was shown, after `message_filter.from_kernel`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from jupyter_zt.extension.cell_outputs import CellOutputs
from jupyter_zt.extension.message_filter import Message

__all__ = ["CellRun", "KernelJournal"]

_OUTPUT_TYPES: Final = frozenset(
    {
        "stream",
        "display_data",
        "update_display_data",
        "execute_result",
        "error",
        "clear_output",
    }
)


@dataclass(frozen=True, slots=True)
class CellRun:
    """One finished execution, ready to be recorded.

    Attributes:
        msg_id: Of the execute request.
        cell_id: Of the notebook cell as the page names it; "" for code that is in no cell.
        source: The code as it was asked for; "" for what came out later.
        outputs: nbformat 4.5 outputs.
        status: ``ok``, ``error`` or ``aborted``.
    """

    msg_id: str
    cell_id: str
    source: str
    outputs: list[Message]
    status: str


@dataclass(slots=True)
class _Running:
    """A request that the kernel has not finished."""

    msg_id: str
    cell_id: str
    source: str
    silent: bool
    outputs: CellOutputs
    started: bool = False
    failed: bool = False


class KernelJournal:
    """The cells of one kernel.

    Args:
        make_safe: The filter that the reader's messages go through: (channel, message) -> message
            or None. What it raises for a malformed message, `published` raises.
        max_output_bytes: Cap on the outputs of one cell.
    """

    def __init__(
        self, make_safe: Callable[[str, Message], Message | None], max_output_bytes: int
    ) -> None:
        self._make_safe = make_safe
        self._max_output_bytes = max_output_bytes
        self._running: dict[str, _Running] = {}
        self._finished: dict[str, str] = {}
        self._later: dict[str, CellOutputs] = {}
        self._displays: dict[str, set[str]] = {}

    def knows(self, msg_id: str) -> bool:
        """Whether this message id was asked for before."""
        return msg_id in self._running or msg_id in self._finished

    def asked(self, msg_id: str, code: str, cell_id: str, *, silent: bool = False) -> None:
        """A request is about to be passed on to the kernel. One without code leaves no cell."""
        outputs = CellOutputs(self._max_output_bytes)
        self._running[msg_id] = _Running(msg_id, cell_id, code, silent, outputs)

    def published(self, message: Message) -> list[CellRun]:
        """Take an iopub message; what it finished, in order."""
        safe = self._make_safe("iopub", message)
        if safe is None:
            return []
        parent = safe["parent_header"].get("msg_id", "")
        msg_type = safe["header"]["msg_type"]
        if msg_type in _OUTPUT_TYPES and self.knows(parent):
            self._show(parent, msg_type, safe["content"])
        running = self._running.get(parent)
        if running is None:
            return []
        if msg_type == "error":
            running.failed = True
        elif msg_type == "execute_input":
            running.started = True
        elif msg_type == "status" and safe["content"]["execution_state"] == "idle":
            return self._finish(running, self._outcome(running))
        return []

    def abandon(self) -> list[CellRun]:
        """The kernel is gone or was restarted: what it did not finish is aborted."""
        runs = [
            run
            for running in list(self._running.values())
            for run in self._finish(running, "aborted")
        ]
        self._displays.clear()
        return runs

    def late_runs(self) -> list[CellRun]:
        """What came out for finished cells since the last call."""
        later, self._later = self._later, {}
        return [
            CellRun(msg_id, self._finished[msg_id], "", outputs.as_nbformat(), "ok")
            for msg_id, outputs in later.items()
            if outputs
        ]

    @staticmethod
    def _outcome(running: _Running) -> str:
        if running.failed:
            return "error"
        # A kernel that gives up its queue after an error goes idle for each request without having
        # started it.
        return "ok" if running.started or running.silent else "aborted"

    def _finish(self, running: _Running, status: str) -> list[CellRun]:
        del self._running[running.msg_id]
        self._finished[running.msg_id] = running.cell_id
        outputs = running.outputs.as_nbformat()
        if not running.source.strip() and not outputs:
            return []
        return [CellRun(running.msg_id, running.cell_id, running.source, outputs, status)]

    def _outputs_of(self, msg_id: str) -> CellOutputs:
        """Where a cell's outputs go now: with the cell while it runs, later apart."""
        running = self._running.get(msg_id)
        if running is not None:
            return running.outputs
        return self._later.setdefault(msg_id, CellOutputs(self._max_output_bytes))

    def _show(self, msg_id: str, msg_type: str, content: Message) -> None:
        """Add an output where the reader sees it: an update goes to every display that it names."""
        display_id = (content.get("transient") or {}).get("display_id", "")
        if msg_type != "update_display_data":
            self._outputs_of(msg_id).add(msg_type, content, display_id)
            if display_id:
                self._displays.setdefault(display_id, set()).add(msg_id)
            return
        for owner in self._displays.get(display_id, ()):
            outputs = self._outputs_of(owner)
            if not outputs.update(display_id, content):
                outputs.add("display_data", content, display_id)
