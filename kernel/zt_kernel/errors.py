"""What can go wrong, told to the person at the notebook in a few lines.

::

    ZTError             code, message, hint, who can help, record
    `-- ZTRefused       the gateway said no: policy, a reviewer, time, a limit
    ZTInterrupted       the stop button (a KeyboardInterrupt, so that no `except Exception` eats it)
"""

from __future__ import annotations

from collections.abc import Mapping

_REFUSALS = frozenset({"denied", "expired", "cancelled", "limit"})
_REFUSING_HTTP_STATUS = frozenset({401, 403, 413, 429})
_MAX_SHOWN_CHARACTERS = 2000


class ZTError(Exception):
    """An action did not succeed.

    Attributes:
        code: Stable and machine-readable, lower snake case (``unknown_connection``).
        message: One sentence.
        hint: What to do next, or "".
        who: Who can help, or "".
        record: Leaf of the record that the gateway made of it, or "".
        status: ``denied``, ``expired``, ``cancelled``, ``failed``, ``limit``, or "" where it never
            got that far.
        position: 1-based character of the command that is at fault, 0 when there is none.
        command: The command that was sent, for showing the position.
    """

    title = "Failed"

    def __init__(
        self,
        message: str,
        *,
        code: str,
        hint: str = "",
        who: str = "",
        record: str = "",
        status: str = "",
        position: int = 0,
        command: str = "",
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.who = who
        self.record = record
        self.status = status
        self.position = position
        self.command = command

    def __str__(self) -> str:
        return f"{self.message} [{self.code}]"

    def _render_traceback_(self) -> list[str]:
        """What IPython shows instead of a traceback: the reader's own code is not at fault."""
        lines = [f"{self.title}: {self.message}"]
        lines += pointer(self.command, self.position)
        lines += [line for line in (self.hint, self.who and f"Who can help: {self.who}") if line]
        record = f" · record {self.record}" if self.record else ""
        lines.append(f"[{self.code}{record}]")
        return lines


class ZTRefused(ZTError):  # noqa: N818 - what it is, as a notebook reads it
    """The gateway said no, and nothing was done."""

    title = "Refused"


class ZTInterrupted(KeyboardInterrupt):
    """The person stopped it."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def _render_traceback_(self) -> list[str]:
        """One line."""
        return [f"Stopped: {self.message}"]


def from_event(event: Mapping[str, object], command: str, http_status: int = 0) -> ZTError:
    """The error that an `error` event, or the JSON body of a refused request, stands for."""
    refused = event.get("status") in _REFUSALS or http_status in _REFUSING_HTTP_STATUS
    position = event.get("position", 0)
    return (ZTRefused if refused else ZTError)(
        _text(event, "message") or "The gateway gave no reason.",
        code=_text(event, "code") or "unknown_error",
        hint=_text(event, "hint"),
        who=_text(event, "who"),
        record=_text(event, "record"),
        status=_text(event, "status"),
        position=position if isinstance(position, int) else 0,
        command=command,
    )


def pointer(command: str, position: int) -> list[str]:
    """The line of the command that is at fault, and a caret under the character.

    Args:
        command: What was sent.
        position: 1-based character in it; anything outside gives no lines.
    """
    if not 1 <= position <= len(command) + 1:
        return []
    before = command[: position - 1]
    start = before.rfind("\n") + 1
    end = command.find("\n", start)
    line = command[start : end if end >= 0 else len(command)].replace("\t", " ")
    column = position - 1 - start
    # A line of any length is shown around the character that matters.
    left = max(0, column - 80)
    label = f"line {before.count(chr(10)) + 1}: "
    return [label + line[left : column + 80], " " * (len(label) + column - left) + "^"]


def _text(event: Mapping[str, object], name: str) -> str:
    value = event.get(name)
    return value[:_MAX_SHOWN_CHARACTERS] if isinstance(value, str) else ""
