"""A path of the Kubernetes API to the resource that it names, as an API server's RequestInfo does.

Source: Kubernetes, apiserver/pkg/endpoints/request/requestinfo.go, and the API concepts page of
its documentation (https://kubernetes.io/docs/reference/using-api/api-concepts/).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from jupyter_zt.policy.unclear import UnclearError

__all__ = ["ResourcePath", "resource_path"]

_PLURAL = re.compile(r"[a-z][a-z0-9-]{0,62}")
_GROUP = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")
_NAME = re.compile(r"[A-Za-z0-9._:~@!$&'()*+,=-]{1,253}|(?:[A-Za-z0-9._:~-]|%[0-9A-F]{2}){1,253}")
_OF_NAMESPACES = frozenset({"status", "finalize"})


@dataclass(frozen=True, slots=True)
class ResourcePath:
    """What a path names.

    Attributes:
        group: API group; "" for the core group.
        resource: Plural; "" for a path that is no resource.
        watch: Whether it is of the deprecated form ``/watch/`` that always watches.
        rest: The path behind a subresource that takes one (`proxy`).
    """

    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    watch: bool = False
    rest: str = ""


def resource_path(path: str) -> ResourcePath:
    """The resource of a path.

    Args:
        path: From `normal_path`.

    Raises:
        UnclearError: It has more parts than a resource, or a part that is no name.
    """
    parts = [part for part in path.split("/") if part]
    if parts[:1] == ["api"] and len(parts) > 2:
        group, version, parts = "", parts[1], parts[2:]
    elif parts[:1] == ["apis"] and len(parts) > 3:
        group, version, parts = parts[1], parts[2], parts[3:]
    else:
        return ResourcePath()
    if not _PLURAL.fullmatch(version) or (group and not _GROUP.fullmatch(group)):
        raise UnclearError("its API group or version is no name")
    watch = parts[0] == "watch" and len(parts) > 1  # the old spelling /api/v1/watch/...
    namespace, parts = _in_namespace(parts[1:] if watch else parts)
    resource, *below = parts
    if not _PLURAL.fullmatch(resource) or resource == "proxy":  # removed: /api/v1/proxy/...
        raise UnclearError("its resource is no plural in small letters")
    name = _name(below[0]) if below else ""
    subresource = below[1] if len(below) > 1 else ""
    rest = "/".join(below[2:])
    if subresource and not _PLURAL.fullmatch(subresource):
        raise UnclearError("its subresource is no name")
    if rest and subresource != "proxy":
        raise UnclearError("its path has more parts than a resource")
    return ResourcePath(group, version, resource, subresource, namespace, name, watch, rest)


def _in_namespace(parts: list[str]) -> tuple[str, list[str]]:
    """The namespace, and the parts that name something in it, or the namespace itself."""
    if parts[0] != "namespaces" or len(parts) == 1:
        return "", parts
    is_own = len(parts) == 2 or parts[2] in _OF_NAMESPACES
    return _name(parts[1]), parts if is_own else parts[2:]


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise UnclearError("its path holds a part that is no name")
    return text
