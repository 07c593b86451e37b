"""What analysis found in a request to a Kubernetes API server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True, slots=True)
class KubernetesFacts:
    """A request to an API server, as its authorizer would see it (RequestInfo).

    Attributes:
        verb: ``get``, ``list``, ``watch``, ``create``, ``update``, ``patch``, ``apply``,
            ``delete``, ``deletecollection``, ``connect``.
        group: API group; "" for the core group.
        version: ``v1``.
        resource: Plural, lower case: ``pods``; "" for a path that is no resource.
        subresource: ``log``, ``exec``, ``status``; "" for none.
        namespace: "" for a cluster-wide resource and for all namespaces.
        name: "" where none is named.
        path: Normalised path of a request for no resource: ``/version``.
        dry_run: Whether the server is asked to change nothing.
        selective: Whether a name, a field or a label selector narrows what is meant.
        escapes: What a manifest asks for that leads out of a pod: ``privileged``, ``host_path``.
    """

    verb: str
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""
    dry_run: bool = False
    selective: bool = False
    escapes: frozenset[str] = frozenset()

    def to_json(self) -> dict[str, object]:
        """Plain JSON: sets as sorted lists."""
        return {
            field.name: sorted(value) if isinstance(value, frozenset) else value
            for field in fields(self)
            for value in (getattr(self, field.name),)
        }

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> KubernetesFacts:
        """What `to_json` wrote."""
        known = {field.name for field in fields(cls)}
        values: dict[str, Any] = {
            name: frozenset(value) if isinstance(value, list) else value
            for name, value in plain.items()
            if name in known
        }
        return cls(**values)
