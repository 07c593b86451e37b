"""Which analyzer reads the commands of which kind of connection."""

from __future__ import annotations

import json

from jupyter_zt.model import Facts, Verb
from jupyter_zt.policy.http import HttpSurface, analyze_http
from jupyter_zt.policy.kubernetes import analyze_kubernetes
from jupyter_zt.policy.postgres import analyze_postgres
from jupyter_zt.policy.sql import analyze_sql

__all__ = ["analyze"]

NOWHERE = HttpSurface("https", "connection.invalid", 443)
"""Stands for an HTTP connection of which nothing is known (RFC 6761 section 6.4)."""


def analyze(kind: str, command: str, surface: HttpSurface = NOWHERE) -> Facts:
    """What a command would do. Never raises.

    Args:
        kind: Kind of the connection, one of `words.KINDS`.
        command: Exact text.
        surface: Of an HTTP connection.
    """
    match kind:
        case "postgres":
            return analyze_postgres(command)
        case "mariadb":
            return analyze_sql(command)
        case "http":
            return analyze_http(command, surface)
        case "kubernetes":
            return analyze_kubernetes(command)
        case "llm":
            return _model_call(command)
    return Facts(Verb.UNKNOWN, unknown="there is no analyzer for this kind of connection")


def _model_call(command: str) -> Facts:
    """A list of messages is a model call; the gateway looks at it more closely."""
    try:
        messages = json.loads(command)
    except (ValueError, RecursionError):
        messages = None
    if not isinstance(messages, list) or not messages:
        return Facts(Verb.UNKNOWN, unknown="it is no list of messages")
    return Facts(Verb.MODEL_CALL)
