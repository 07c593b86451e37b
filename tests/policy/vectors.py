"""PostgreSQL's own regression statements, sorted by what their text says."""

from __future__ import annotations

import json
import re
from pathlib import Path

from jupyter_zt.model import Risk
from jupyter_zt.policy import analyze_postgres
from jupyter_zt.policy import postgres_lists as lists

VECTORS = Path(__file__).parents[3] / "shared" / "vectors"

_WRITES_OR_LOCKS = re.compile(r"\b(into|insert|update|delete|merge|share)\b", re.IGNORECASE)


def cases(name: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in (VECTORS / name).read_text("utf-8").splitlines()]


def plain_selects() -> dict[str, list[str]]:
    """SELECTs without INTO, write or lock, and not published as one that only looks like a read.

    ``known``: calls functions that PostgreSQL ships and that are listed as harmless, or none.
    ``user_defined``: calls another one that PostgreSQL does not ship: the suite's own, mostly.
    ``listed``: calls one that PostgreSQL ships and that is not harmless, or reads a catalog with
    data: not without side effects or not plain, whatever the published list says.
    """
    disguised = {case["sql"] for case in cases("postgres_looks_like_read.jsonl")}
    sorted_: dict[str, list[str]] = {"known": [], "user_defined": [], "listed": []}
    for case in cases("postgres_statements.jsonl"):
        text = case["sql"]
        if case["node"] != "SelectStmt" or text in disguised or _WRITES_OR_LOCKS.search(text):
            continue
        facts = analyze_postgres(text)
        shipped = {name for name in facts.unlisted_functions if name in lists.SHIPPED}
        if shipped or Risk.CATALOG in facts.risks:
            sorted_["listed"].append(text)
        else:
            sorted_["user_defined" if facts.unlisted_functions else "known"].append(text)
    return sorted_
