"""The words that policies and facts share: groups of actions, and what each fact can be."""

from __future__ import annotations

from collections.abc import Mapping

from jupyter_zt.model import Risk, Verb

__all__ = ["ENUMERATED", "ESCAPES", "GROUPS", "GROUP_OF", "KINDS", "verbs_of"]

KINDS = frozenset({"postgres", "mariadb", "http", "kubernetes", "llm"})
"""Kinds of connection that there is an analyzer for."""

GROUPS: Mapping[str, tuple[Verb, ...]] = {
    "read": (Verb.SELECT, Verb.EXPLAIN),
    "inspect": (Verb.SHOW,),
    "write": (Verb.INSERT, Verb.UPDATE, Verb.DELETE, Verb.MERGE),
    "define": (Verb.DDL, Verb.TRUNCATE, Verb.GRANT),
    "run": (Verb.CALL, Verb.COPY, Verb.SET, Verb.TRANSACTION, Verb.UTILITY),
    "model": (Verb.MODEL_CALL,),
    "http_read": (Verb.HTTP_GET, Verb.HTTP_HEAD, Verb.HTTP_OPTIONS),
    "http_write": (Verb.HTTP_POST, Verb.HTTP_PUT, Verb.HTTP_PATCH, Verb.HTTP_DELETE),
    "kubernetes_read": (Verb.KUBERNETES_GET, Verb.KUBERNETES_LIST, Verb.KUBERNETES_WATCH),
    "kubernetes_write": (
        Verb.KUBERNETES_CREATE,
        Verb.KUBERNETES_UPDATE,
        Verb.KUBERNETES_PATCH,
        Verb.KUBERNETES_APPLY,
        Verb.KUBERNETES_DELETE,
        Verb.KUBERNETES_DELETE_COLLECTION,
    ),
    "kubernetes_enter": (Verb.KUBERNETES_CONNECT,),
}
"""Group of actions -> its verbs, as the schema has them."""

_VERBS = {verb.value: (verb,) for verbs in GROUPS.values() for verb in verbs}

GROUP_OF = {verb: group for group, verbs in GROUPS.items() for verb in verbs}

ESCAPES = frozenset(
    {
        "added_capability", "host_device", "host_namespace", "host_path", "host_port",
        "node_name", "privileged", "privilege_escalation", "runs_as_root", "service_account",
        "unconfined",
    }
)  # fmt: skip
"""Ways out of a pod that a manifest can ask for."""

ENUMERATED: Mapping[str, frozenset[str]] = {
    "context.verb": frozenset(verb.value for verb in GROUP_OF),
    "context.risks": frozenset(risk.value for risk in Risk),
    "context.connection_kind": KINDS,
    "resource.kind": KINDS,
    "context.http.method": frozenset(
        {"", "GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"}
    ),
    "context.http.scheme": frozenset({"", "http", "https"}),
    "context.http.body": frozenset({"", "none", "json", "form", "text", "binary"}),
    "context.kubernetes.verb": frozenset(
        {
            "", "get", "list", "watch", "create", "update", "patch", "apply", "delete",
            "deletecollection", "connect",
        }
    ),
    "context.kubernetes.escapes": ESCAPES,
}  # fmt: skip
"""Fact -> every value that it, or an element of it, can have."""


def verbs_of(action: str) -> frozenset[Verb]:
    """The verbs that an action of a policy stands for: a group's, or the one of that name.

    Raises:
        KeyError: There is no such action.
    """
    return frozenset({**GROUPS, **_VERBS}[action])
