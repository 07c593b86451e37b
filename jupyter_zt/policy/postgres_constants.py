"""The constants in a command: what somebody asks about, when they look rows up one by one."""

from __future__ import annotations

import json
from collections.abc import Iterator

from pglast.parser import ParseError, parse_sql_json

__all__ = ["postgres_constants"]


def postgres_constants(command: str) -> frozenset[str]:
    """Every constant of the command, once, as PostgreSQL's parser gives it.

    Args:
        command: SQL. What does not parse has none: it is never run.
    """
    try:
        tree = json.loads(parse_sql_json(command))
    except (ParseError, ValueError, RecursionError):
        return frozenset()
    return frozenset(_constants(tree))


def _constants(tree: object) -> Iterator[str]:
    stack = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, list):
            stack += node
        elif isinstance(node, dict):
            constant = node.get("A_Const")
            if isinstance(constant, dict):
                yield json.dumps({k: v for k, v in constant.items() if k != "location"})
            stack += node.values()
