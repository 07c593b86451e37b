"""Jupyter messages as a kernel and a page send them."""

from __future__ import annotations

from itertools import count
from typing import Any

_ids = count()


def message(
    msg_type: str, content: dict[str, Any], parent: str = "", **fields: Any
) -> dict[str, Any]:
    header = {
        "msg_id": fields.pop("msg_id", f"m{next(_ids)}"),
        "msg_type": msg_type,
        "session": "tab",
        "username": "analyst",
        "date": "2026-01-02T03:04:05Z",
        "version": "5.5",
    }
    parent_header = {"msg_id": parent, "msg_type": "execute_request"} if parent else {}
    return {
        "header": header,
        "parent_header": parent_header,
        "metadata": {},
        "content": content,
        "buffers": [],
        **fields,
    }


def display(data: dict[str, Any], parent: str = "", **content: Any) -> dict[str, Any]:
    return message("display_data", {"data": data, "metadata": {}, **content}, parent)


def stream(text: str, parent: str = "", name: str = "stdout") -> dict[str, Any]:
    return message("stream", {"name": name, "text": text}, parent)


def status(state: str, parent: str = "") -> dict[str, Any]:
    return message("status", {"execution_state": state}, parent)


def execute_input(code: str, parent: str) -> dict[str, Any]:
    return message("execute_input", {"code": code, "execution_count": 1}, parent)
