"""What a kernel may say to the reader's page, and what the page may say to a kernel.

No IO: a message goes in, a message or None comes out. Each message is built anew from the fields
that its type is known to have (Jupyter messaging protocol 5.5), so that an unknown field, type or
channel is left out rather than let through.

From the kernel:

- Mime bundles go through `safe_bundle`; their metadata (``isolated``) and the message's metadata
  are emptied.
- ``execute_reply`` loses its payload (``set_next_input`` writes cells) and its user expressions;
  ``inspect_reply`` keeps text only; ``kernel_info_reply`` keeps nothing that is rendered or that
  names a program (``nbconvert_exporter``).
- Comms, debugger and subshell messages are left out, and so are binary buffers.

From the page:

- ``execute_request`` on the shell channel only, without user expressions, to the main shell: every
  piece of code that runs is in ``code``, where the journal sees it.
- Comms, debugger, subshells and kernel shutdown (which is the server's to do) are refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from jupyter_zt.extension.safe_mime import safe_bundle
from jupyter_zt.extension.terminal_text import without_commands

__all__ = ["DEFAULT_MAX_OUTPUT_BYTES", "MAX_CODE_BYTES", "Message", "from_browser", "from_kernel"]

Message = dict[str, Any]
"""A Jupyter message: ``header``, ``parent_header``, ``metadata``, ``content``, ``buffers``."""

DEFAULT_MAX_OUTPUT_BYTES: Final = 8 * 1024 * 1024
MAX_CODE_BYTES: Final = 1024 * 1024

_HEADER_FIELDS: Final = ("msg_id", "msg_type", "username", "session", "date", "version")
_VERSION: Final = re.compile(r"[0-9A-Za-z.+-]{1,40}\Z")
_CELL_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
# "restarting" and "dead" are the server's to say.
_EXECUTION_STATES: Final = frozenset({"busy", "idle", "starting"})
_MAX_ITEMS: Final = 10_000

# Constant but for the version: `nbconvert_exporter` and the lexers name Python objects that a
# server would import.
_LANGUAGE: Final[Message] = {
    "name": "python",
    "mimetype": "text/x-python",
    "file_extension": ".py",
    "pygments_lexer": "ipython3",
    "nbconvert_exporter": "python",
    "codemirror_mode": {"name": "ipython", "version": 3},
}


def from_kernel(
    channel: str, message: Message, max_output_bytes: int = DEFAULT_MAX_OUTPUT_BYTES
) -> Message | None:
    """What of a kernel's message may reach the page.

    Args:
        channel: Where it came in: ``iopub``, ``shell``, ``control`` or ``stdin``.
        message: As deserialized; it is not changed.
        max_output_bytes: Cap on one text or one mime entry.

    Returns:
        The safe message, or None where none of it may.

    Raises:
        Exception: The message has not the form of its type; the caller drops it and logs.
    """
    msg_type = message["header"]["msg_type"]
    build = _FROM_KERNEL.get((channel, msg_type))
    if build is None:
        return None
    return {
        "header": _header(message["header"]),
        "parent_header": _header(message.get("parent_header") or {}),
        "metadata": {},
        "content": build(message["content"], max_output_bytes),
        "buffers": [],
    }


def from_browser(channel: str, message: Message) -> Message | None:
    """What of a page's message may reach the kernel. As `from_kernel`, the other way round."""
    msg_type = message["header"]["msg_type"]
    build = _FROM_BROWSER.get((channel, msg_type))
    if build is None:
        return None
    return {
        "header": _header(message["header"]),
        "parent_header": _header(message.get("parent_header") or {}),
        "metadata": _request_metadata(message.get("metadata") or {}),
        "content": build(message["content"]),
        "buffers": [],
    }


# ------------------------------------------------------------------ fields


def _header(header: Mapping[str, object]) -> Message:
    """The known fields that hold text. Not `subshell_id`: code runs in the main shell only."""
    known = {name: header[name] for name in _HEADER_FIELDS if header.get(name) is not None}
    return {
        # The legacy protocol's deserializer has made a date of it.
        name: (value.isoformat() if isinstance(value, datetime) else str(value))[:200]
        for name, value in known.items()
    }


def _request_metadata(metadata: Mapping[str, object]) -> Message:
    cell_id = metadata.get("cellId")
    return {"cellId": cell_id} if isinstance(cell_id, str) and _CELL_ID.match(cell_id) else {}


def _text(content: Mapping[str, object], name: str, max_bytes: int | None = None) -> str:
    """A text field. One over the cap is cut, with a note."""
    value = content.get(name, "")
    if not isinstance(value, str):
        msg = f"{name} is not text"
        raise TypeError(msg)
    if max_bytes is not None and len(value) > max_bytes:
        return value[:max_bytes] + "\n[cut here: too large]\n"
    return value


def _texts(content: Mapping[str, object], name: str) -> list[str]:
    value = content.get(name, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        msg = f"{name} is not a list of texts"
        raise TypeError(msg)
    return value[:_MAX_ITEMS]


def _count(content: Mapping[str, object], name: str) -> int | None:
    value = content.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _flag(content: Mapping[str, object], name: str, *, default: bool) -> bool:
    value = content.get(name, default)
    if not isinstance(value, bool):
        msg = f"{name} is not true or false"
        raise TypeError(msg)
    return value


def _status(content: Mapping[str, object]) -> str:
    status = _text(content, "status")
    return status if status in {"ok", "error", "aborted"} else "error"


# ------------------------------------------------------------------ from the kernel


def _status_content(content: Message, _max_bytes: int) -> Message:
    state = _text(content, "execution_state")
    if state not in _EXECUTION_STATES:
        msg = f"unknown execution state {state[:40]!r}"
        raise ValueError(msg)
    return {"execution_state": state}


def _execute_input(content: Message, max_bytes: int) -> Message:
    return {
        "code": _text(content, "code", max_bytes),
        "execution_count": _count(content, "execution_count"),
    }


def _stream(content: Message, max_bytes: int) -> Message:
    name = "stderr" if content.get("name") == "stderr" else "stdout"
    return {"name": name, "text": without_commands(_text(content, "text", max_bytes))}


def _display(content: Message, max_bytes: int) -> Message:
    transient = content.get("transient") or {}
    display_id = transient.get("display_id")
    return {
        "data": safe_bundle(content["data"], max_bytes),
        "metadata": {},
        "transient": {"display_id": display_id[:200]} if isinstance(display_id, str) else {},
    }


def _execute_result(content: Message, max_bytes: int) -> Message:
    return {
        **_display(content, max_bytes),
        "execution_count": _count(content, "execution_count"),
    }


def _error(content: Message, max_bytes: int) -> Message:
    return {
        "ename": without_commands(_text(content, "ename", max_bytes)),
        "evalue": without_commands(_text(content, "evalue", max_bytes)),
        "traceback": [without_commands(line[:max_bytes]) for line in _texts(content, "traceback")],
    }


def _clear_output(content: Message, _max_bytes: int) -> Message:
    return {"wait": _flag(content, "wait", default=False)}


def _execute_reply(content: Message, max_bytes: int) -> Message:
    status = _status(content)
    reply: Message = {"status": status, "execution_count": _count(content, "execution_count")}
    if status == "error":
        return {**reply, **_error(content, max_bytes)}
    return {**reply, "payload": [], "user_expressions": {}}


def _inspect_reply(content: Message, max_bytes: int) -> Message:
    data = content.get("data") or {}
    text = without_commands(_text(data, "text/plain", max_bytes))
    return {
        "status": _status(content),
        "found": _flag(content, "found", default=False),
        "data": {"text/plain": text} if text else {},
        "metadata": {},
    }


def _complete_reply(content: Message, _max_bytes: int) -> Message:
    return {
        "status": _status(content),
        "matches": _texts(content, "matches"),
        "cursor_start": _count(content, "cursor_start") or 0,
        "cursor_end": _count(content, "cursor_end") or 0,
        "metadata": {},
    }


def _history_reply(content: Message, _max_bytes: int) -> Message:
    """Entries are (session, line, input) or (session, line, (input, output))."""
    history = []
    for session, line, text in content.get("history", [])[:_MAX_ITEMS]:
        parts = text if isinstance(text, list) else [text]
        if not all(part is None or isinstance(part, str) for part in parts):
            msg = "a history entry is not text"
            raise TypeError(msg)
        history.append([int(session), int(line), text])
    return {"status": _status(content), "history": history}


def _is_complete_reply(content: Message, _max_bytes: int) -> Message:
    status = _text(content, "status")
    return {
        "status": status if status in {"complete", "incomplete", "invalid"} else "unknown",
        "indent": _text(content, "indent", 100),
    }


def _kernel_info_reply(content: Message, _max_bytes: int) -> Message:
    language = content.get("language_info") or {}
    return {
        "status": "ok",
        "protocol_version": _version(content.get("protocol_version"), "5.5"),
        "implementation": "zt",
        "implementation_version": _version(content.get("implementation_version"), "0"),
        "language_info": {**_LANGUAGE, "version": _version(language.get("version"), "3")},
        "banner": "",
        "help_links": [],
        "debugger": False,
        "supported_features": [],
    }


def _version(value: object, otherwise: str) -> str:
    return value if isinstance(value, str) and _VERSION.match(value) else otherwise


def _comm_info_reply(_content: Message, _max_bytes: int) -> Message:
    return {"status": "ok", "comms": {}}


def _bare_reply(content: Message, _max_bytes: int) -> Message:
    return {"status": _status(content)}


def _shutdown_reply(content: Message, _max_bytes: int) -> Message:
    return {"status": _status(content), "restart": _flag(content, "restart", default=False)}


def _input_request(content: Message, max_bytes: int) -> Message:
    return {
        "prompt": without_commands(_text(content, "prompt", max_bytes)),
        "password": _flag(content, "password", default=False),
    }


_FROM_KERNEL: Final[dict[tuple[str, str], Callable[[Message, int], Message]]] = {
    ("iopub", "status"): _status_content,
    ("iopub", "execute_input"): _execute_input,
    ("iopub", "stream"): _stream,
    ("iopub", "display_data"): _display,
    ("iopub", "update_display_data"): _display,
    ("iopub", "execute_result"): _execute_result,
    ("iopub", "error"): _error,
    ("iopub", "clear_output"): _clear_output,
    ("iopub", "shutdown_reply"): _shutdown_reply,
    ("shell", "execute_reply"): _execute_reply,
    ("shell", "inspect_reply"): _inspect_reply,
    ("shell", "complete_reply"): _complete_reply,
    ("shell", "history_reply"): _history_reply,
    ("shell", "is_complete_reply"): _is_complete_reply,
    ("shell", "kernel_info_reply"): _kernel_info_reply,
    ("shell", "comm_info_reply"): _comm_info_reply,
    ("control", "kernel_info_reply"): _kernel_info_reply,
    ("control", "interrupt_reply"): _bare_reply,
    ("control", "shutdown_reply"): _shutdown_reply,
    ("stdin", "input_request"): _input_request,
}


# ------------------------------------------------------------------ from the page


def _execute_request(content: Message) -> Message:
    code = _text(content, "code")
    if len(code.encode("utf-8", "surrogatepass")) > MAX_CODE_BYTES:
        msg = f"the code is larger than {MAX_CODE_BYTES} bytes"
        raise ValueError(msg)
    silent = _flag(content, "silent", default=False)
    return {
        "code": code,
        "silent": silent,
        "store_history": _flag(content, "store_history", default=not silent),
        "user_expressions": {},
        "allow_stdin": _flag(content, "allow_stdin", default=False),
        "stop_on_error": _flag(content, "stop_on_error", default=True),
    }


def _cursor_request(content: Message) -> Message:
    """``complete_request``, and ``inspect_request`` with its level of detail."""
    request: Message = {
        "code": _text(content, "code"),
        "cursor_pos": _count(content, "cursor_pos") or 0,
    }
    if "detail_level" in content:
        request["detail_level"] = 1 if content["detail_level"] == 1 else 0
    return request


def _history_request(content: Message) -> Message:
    access = _text(content, "hist_access_type")
    request: Message = {
        "hist_access_type": access if access in {"range", "tail", "search"} else "tail",
        "output": _flag(content, "output", default=False),
        "raw": _flag(content, "raw", default=True),
    }
    for name in ("session", "start", "stop", "n"):
        if _count(content, name) is not None:
            request[name] = _count(content, name)
    if "pattern" in content:
        request["pattern"] = _text(content, "pattern", 1000)
    if "unique" in content:
        request["unique"] = _flag(content, "unique", default=False)
    return request


def _is_complete_request(content: Message) -> Message:
    return {"code": _text(content, "code")}


def _empty_request(_content: Message) -> Message:
    return {}


def _input_reply(content: Message) -> Message:
    return {"status": _status(content), "value": _text(content, "value")}


_FROM_BROWSER: Final[dict[tuple[str, str], Callable[[Message], Message]]] = {
    ("shell", "execute_request"): _execute_request,
    ("shell", "inspect_request"): _cursor_request,
    ("shell", "complete_request"): _cursor_request,
    ("shell", "history_request"): _history_request,
    ("shell", "is_complete_request"): _is_complete_request,
    ("shell", "kernel_info_request"): _empty_request,
    ("shell", "comm_info_request"): _empty_request,
    ("control", "kernel_info_request"): _empty_request,
    ("control", "interrupt_request"): _empty_request,
    ("stdin", "input_reply"): _input_reply,
}
