"""Cells of a recording that no kernel ran: written from signed records only, and checked again."""

from __future__ import annotations

import re
from typing import Any

from jupyter_zt.recording.verify.bundle import Bundle, Entry
from jupyter_zt.recording.verify.strict_json import well_formed

__all__ = [
    "ERASED_SOURCE",
    "GAP_ID",
    "HEADER_ID",
    "actor",
    "cell_id",
    "endings",
    "gap_source",
    "header_source",
]

HEADER_ID = "zt-header"
GAP_ID = "zt-gap"
ERASED_SOURCE = "# ERASED: this cell's source and outputs were removed from the record."

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]+")


def cell_id(entry: Entry) -> str:
    """The id of a recorded cell's notebook cell: a cell that ran twice is there twice."""
    return f"zt-{entry.seq}"


def header_source(bundle: Bundle) -> str:
    """The first cell: who, for whom, where, and whether the recording is complete."""
    opened = bundle.entries[0].fields
    seal = bundle.entries[-1] if bundle.entries[-1].kind == "seal" else None
    kind, who = actor(bundle)
    sandbox = _mapping(opened.get("sandbox"))
    connections = opened.get("connections")
    names = [_text(item) for item in connections] if isinstance(connections, list) else []
    lines = {
        "state": f"sealed {seal.text('at')}" if seal else "INCOMPLETE: not sealed",
        kind: who,
        "agent": _text(_mapping(opened.get("principal")).get("agent")) or "none",
        "notebook": _text(opened.get("notebook")),
        "connections": ", ".join(names) or "none",
        "sandbox": f"{_text(sandbox.get('state'))}, {_text(sandbox.get('detail'))}",
        "opened": _text(opened.get("at")),
        "session": bundle.session,
        "log": bundle.origin,
        **endings(bundle),
    }
    # An indented block is code to every Markdown renderer: names can't become markup.
    table = "\n".join(f"    {name:<12} {_one_line(value)}" for name, value in lines.items())
    title = "Recording" if seal else "Recording, INCOMPLETE"
    return f"# {title}\n\n{table}\n\nCheck it with `jupyter zt verify`."


def actor(bundle: Bundle) -> tuple[str, str]:
    """Whose session it was: ``human`` or ``service``, and which one."""
    principal = _mapping(bundle.entries[0].fields.get("principal"))
    kind = "service" if "service" in principal else "human"
    who = _mapping(principal.get(kind))
    identity = f"{_text(who.get('sub'))} at {_text(who.get('iss'))}"
    return kind, f"{_text(who.get('name'))} ({identity})"


def endings(bundle: Bundle) -> dict[str, str]:
    """Who revoked the session, and how often its human was not logged in; nothing where neither."""
    lines = {}
    revoked = bundle.of_kind("revoke")
    if revoked:
        entry = revoked[0]
        reason = _text(entry.fields.get("reason"))
        by = _text(_mapping(entry.fields.get("by")).get("name"))
        lines["revoked"] = f"{entry.text('at')} by {by}" + (f": {reason}" if reason else "")
    suspended = bundle.of_kind("suspend")
    if suspended:
        whys = ", ".join(dict.fromkeys(_text(entry.fields.get("why")) for entry in suspended))
        lines["suspended"] = f"{len(suspended)} times, first {suspended[0].text('at')} ({whys})"
    return lines


def gap_source(bundle: Bundle) -> str:
    """The last cell, when the seal's counts disagree; "" when they agree or there is no seal."""
    last = bundle.entries[-1]
    if last.kind != "seal" or last.text("cells_seen") == last.text("cells"):
        return ""
    seen, recorded = _one_line(last.text("cells_seen")), _one_line(last.text("cells"))
    return f"# GAP\n\nThe Jupyter server saw {seen} cells run, and {recorded} were recorded."


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _one_line(text: str) -> str:
    return well_formed(_CONTROL.sub(" ", text))
