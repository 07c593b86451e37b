"""How a ReAct run looks while it goes on: one output per step, which changes in place."""

from __future__ import annotations

from typing import Any

from IPython.display import display

MIME = "application/vnd.zt.react+json"


class StepView:
    """One step: Thought, Action, Observation."""

    def __init__(self, step: int) -> None:
        self._content: dict[str, Any] = {
            "v": "1",
            "step": step,
            "thought": "",
            "action": None,
            "observation": "",
            "status": "thinking",
            "record": "",
            "model_record": "",
        }
        self._handle: Any = None

    def show(self, **changes: Any) -> None:
        """Shows the step with what has become known."""
        self._content |= changes
        bundle = {MIME: dict(self._content), "text/plain": self._text()}
        if self._handle is None:
            self._handle = display(bundle, raw=True, display_id=True)
        else:
            self._handle.update(bundle, raw=True)

    def _text(self) -> str:
        content = self._content
        lines = [f"Step {content['step']} ({content['status']})"]
        if content["thought"]:
            lines.append(f"Thought: {content['thought']}")
        if content["action"]:
            action = content["action"]
            lines.append(f"Action on {action['connection']}: {action['command']}")
        if content["observation"]:
            record = f" (record {content['record']})" if content["record"] else ""
            lines.append(f"Observation{record}:\n{content['observation']}")
        return "\n".join(lines)
