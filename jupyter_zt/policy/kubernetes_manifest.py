"""A manifest, or a patch of one: what it names, and what in it leads out of a pod."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import yaml

from jupyter_zt.policy.http_body import MAX_BODY_BYTES, read_json
from jupyter_zt.policy.unclear import UnclearError

__all__ = ["escapes", "patched", "read_manifest"]

MAX_NODES = 20_000

_UNCONFINED = "unconfined"


def read_manifest(text: str, *, yaml_too: bool = True) -> Any:
    """One document of JSON or YAML.

    Raises:
        UnclearError: It is none, has several documents, or aliases (which multiply).
    """
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BODY_BYTES:
        raise UnclearError(f"its body is longer than {MAX_BODY_BYTES} bytes")
    if not yaml_too or text.lstrip().startswith(("{", "[")):
        return read_json(text)
    try:
        events = list(yaml.parse(text, Loader=yaml.SafeLoader))
        if any(isinstance(event, yaml.AliasEvent) for event in events):
            raise UnclearError("its manifest has aliases")
        if sum(isinstance(event, yaml.DocumentStartEvent) for event in events) != 1:
            raise UnclearError("its manifest is not one document")
        return yaml.load(text, Loader=_OnceLoader)  # noqa: S506 (a SafeLoader)
    except (yaml.YAMLError, RecursionError):
        raise UnclearError("its manifest is not YAML") from None


class _OnceLoader(yaml.SafeLoader):
    """A safe loader in which no key stands twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 (PyYAML's)
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        if any(not isinstance(key, str) for key in keys) or len(set(keys)) != len(keys):
            raise UnclearError("its manifest has a key twice, or one that is no text")
        return super().construct_mapping(node, deep)


def patched(document: Any) -> Any:
    """A JSON patch (RFC 6902) as the object that it builds, so that it can be looked through.

    Raises:
        UnclearError: It is none, or it copies or moves what is not in it.
    """
    if not isinstance(document, list):
        raise UnclearError("its body is no JSON patch")
    built: list[Any] = []
    for operation in document:
        if not isinstance(operation, dict) or not isinstance(operation.get("path"), str):
            raise UnclearError("its body is no JSON patch")
        if operation.get("op") in {"copy", "move"}:
            raise UnclearError("its patch copies or moves values, which can't be looked through")
        value = operation.get("value")
        for part in reversed(operation["path"].split("/")[1:]):
            value = {part.replace("~1", "/").replace("~0", "~"): value}
        built.append(value)
    return built


def escapes(document: Any) -> frozenset[str]:
    """Ways out of a pod that a manifest asks for, wherever in it (`words.ESCAPES`).

    Any object that holds a pod's fields counts: a Deployment, a CronJob, a custom resource.

    Raises:
        UnclearError: It is too large to be looked through.
    """
    return frozenset(_found(document))


def _found(document: Any) -> Iterator[str]:
    stack, seen = [document], 0
    while stack:
        value = stack.pop()
        seen += 1
        if seen > MAX_NODES:
            raise UnclearError("its manifest is too large to be looked through")
        if isinstance(value, list):
            stack.extend(value)
        elif isinstance(value, dict):
            stack.extend(value.values())
            for key, item in value.items():
                yield from _of_field(str(key), item)


def _of_field(key: str, value: Any) -> Iterator[str]:
    if "apparmor" in key and str(value).lower() == _UNCONFINED:
        yield "unconfined"
    for escape, keys, asks in _WAYS:
        if key in keys and asks(value):
            yield escape


def _is_set(value: Any) -> bool:
    return value is not None


def _is_root(value: Any) -> bool:
    return str(value) == "0"


def _is_other_account(value: Any) -> bool:
    return str(value) not in {"None", "", "default"}


def _adds(value: Any) -> bool:
    return isinstance(value, dict) and bool(value.get("add"))


def _is_unmasked(value: Any) -> bool:
    return str(value) not in {"None", "Default"}


def _is_unconfined(value: Any) -> bool:
    return isinstance(value, dict) and str(value.get("type", "")).lower() == _UNCONFINED


def _is_false(value: Any) -> bool:
    return value is False


# (escape, fields, whether a field's value asks for it): Kubernetes API reference, PodSpec,
# Container, SecurityContext, Volume.
_WAYS: tuple[tuple[str, frozenset[str], Callable[[Any], bool]], ...] = (
    ("privileged", frozenset({"privileged", "hostProcess"}), bool),
    ("host_path", frozenset({"hostPath"}), _is_set),
    ("host_namespace", frozenset({"hostNetwork", "hostPID", "hostIPC"}), bool),
    ("host_port", frozenset({"hostPort"}), bool),
    ("privilege_escalation", frozenset({"allowPrivilegeEscalation"}), bool),
    ("added_capability", frozenset({"capabilities"}), _adds),
    ("runs_as_root", frozenset({"runAsUser", "runAsGroup"}), _is_root),
    ("runs_as_root", frozenset({"runAsNonRoot"}), _is_false),
    ("service_account", frozenset({"serviceAccountName", "serviceAccount"}), _is_other_account),
    ("service_account", frozenset({"automountServiceAccountToken"}), bool),
    ("service_account", frozenset({"serviceAccountToken"}), _is_set),
    ("node_name", frozenset({"nodeName"}), bool),
    ("host_device", frozenset({"volumeDevices"}), bool),
    ("unconfined", frozenset({"procMount"}), _is_unmasked),
    ("unconfined", frozenset({"seccompProfile", "appArmorProfile"}), _is_unconfined),
)
