"""What a held cell shows while it waits: for whom, for how long, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from IPython.display import display

MIME = "application/vnd.zt.held+json"


class HeldNotice:
    """One output that changes in place. Shows nothing unless the action is held."""

    def __init__(self, connection: str) -> None:
        self._connection = connection
        self._approval: Mapping[str, Any] = {}
        self._opened_at = ""
        self._handle: Any = None

    def held(self, approval: Mapping[str, Any]) -> None:
        """It waits for another person."""
        self._approval = approval
        self._opened_at = datetime.now(UTC).isoformat(timespec="seconds")
        self._show("waiting", self._waiting_text())

    def approved(self, by: Sequence[str]) -> None:
        """It was approved, and runs now."""
        self._show("approved", f"Approved by {', '.join(by) or 'a reviewer'}. It runs now.")

    def gateway_away(self) -> None:
        """The gateway restarts; the action is still held."""
        self._show("waiting", "The gateway restarts. The request is kept; waiting for it.")

    def gateway_back(self) -> None:
        """It is there again, and the action still held."""
        self._show("waiting", self._waiting_text())

    def ended(self, status: str, message: str) -> None:
        """A held action ended without success."""
        self._show(status, message)

    def _waiting_text(self) -> str:
        quorum = str(self._approval.get("quorum", "1"))
        who = str(self._approval.get("reviewer_role") or "reviewer")
        people = f"a {who} other than you" if quorum == "1" else f"{quorum} of role {who}, not you"
        reasons = [str(reason) for reason in self._approval.get("reasons") or ()]
        lines = [f"Held: waits until {people} approves. {_time_left(self._approval)}".rstrip()]
        lines += [f"  - {reason}" for reason in reasons]
        lines.append("It goes on by itself then. The stop button withdraws the request.")
        return "\n".join(lines)

    def _show(self, state: str, message: str) -> None:
        content = {
            "v": "1",
            "state": state,
            "connection": self._connection,
            "approval": dict(self._approval),
            "opened_at": self._opened_at,
            "message": message,
        }
        bundle = {MIME: content, "text/plain": message}
        if self._handle is None:
            self._handle = display(bundle, raw=True, display_id=True)
        else:
            self._handle.update(bundle, raw=True)


def _time_left(approval: Mapping[str, Any]) -> str:
    try:
        expires_at = datetime.fromisoformat(str(approval.get("expires_at")))
        left_seconds = (expires_at - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError):
        return ""
    return f"Until {expires_at:%H:%M:%S} UTC ({max(0, round(left_seconds / 60))} min)."
