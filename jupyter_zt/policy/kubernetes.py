"""Kubernetes commands to facts: a request of the API, or a line as kubectl takes it.

`analyze_kubernetes` never raises. The verbs are those that an API server authorizes, with three
differences that make rules shorter: a server-side apply, which creates what is not there, is
`apply` and no `patch`; exec, attach, port-forward and proxy are `connect` whatever their method;
and a deprecated ``/watch/`` path is a watch.
"""

from __future__ import annotations

from typing import Any

from jupyter_zt.model import Facts, KubernetesFacts, Risk, Verb
from jupyter_zt.policy.http_body import media_type
from jupyter_zt.policy.http_request import METHODS, HttpRequest, read_request
from jupyter_zt.policy.http_target import normal_path, query_pairs
from jupyter_zt.policy.kubectl import request_of
from jupyter_zt.policy.kubernetes_manifest import escapes, patched, read_manifest
from jupyter_zt.policy.kubernetes_path import ResourcePath, resource_path
from jupyter_zt.policy.unclear import UnclearError

__all__ = ["analyze_kubernetes"]

_CONNECTS = {
    "exec": Risk.CODE_EXECUTION,
    "attach": Risk.CODE_EXECUTION,
    "portforward": Risk.EXFILTRATION,
    "proxy": Risk.EXFILTRATION,
}
_WRITES = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_APPLY_PATCH = frozenset({"application/apply-patch+yaml", "application/apply-patch+cbor"})
_MANIFEST_TYPES = frozenset(
    {
        "", "application/json", "application/yaml", "application/apply-patch+yaml",
        "application/merge-patch+json", "application/strategic-merge-patch+json",
        "application/json-patch+json",
    }
)  # fmt: skip
_OPEN_PATHS = ("/version", "/healthz", "/livez", "/readyz", "/openapi/", "/api", "/apis")

_RIGHTS = frozenset(
    {
        "roles", "rolebindings", "clusterroles", "clusterrolebindings", "nodes", "apiservices",
        "certificatesigningrequests", "customresourcedefinitions", "serviceaccounts",
        "validatingwebhookconfigurations", "mutatingwebhookconfigurations", "podsecuritypolicies",
        "validatingadmissionpolicies", "validatingadmissionpolicybindings", "priorityclasses",
    }
)  # fmt: skip
"""Resources whose change changes who may do what in the cluster, or what is checked there."""


def analyze_kubernetes(command: str) -> Facts:
    """What a command would do to a cluster.

    Args:
        command: ``GET /api/v1/namespaces/shop/pods`` with headers and body as HTTP has them, or
            ``kubectl get pods -n shop`` with a manifest after an empty line.

    Returns:
        Its facts; `Facts.unknown` for what is not understood.
    """
    try:
        first = command.lstrip("\n").partition(" ")[0]
        request = read_request(command) if first in METHODS else request_of(command)
        return _analyze(request)
    except UnclearError as error:
        return Facts(Verb.UNKNOWN, unknown=str(error))
    except Exception as error:  # noqa: BLE001 (whatever it is, it must end in a refusal)
        return Facts(Verb.UNKNOWN, unknown=f"its analysis failed ({type(error).__name__})")


def _analyze(request: HttpRequest) -> Facts:
    # (1) The path, in one spelling, and what it names.
    raw_path, _, raw_query = request.target.partition("?")
    path = normal_path(raw_path)
    pairs = query_pairs(raw_query)
    named = resource_path(path)
    if not named.resource:
        return _no_resource(request, path)
    # (2) The body: a manifest or a patch, for the same place as the path.
    kind = media_type(request.headers.get("content-type", ""))
    document = _document(request.body, kind)
    namespace, name = _same_place(document, named, request)
    fields = [value for key, value in pairs if key == "fieldSelector"]
    if not name and len(fields) == 1 and fields[0].startswith("metadata.name="):
        name = fields[0].partition("=")[2]
    # (3) The verb that the server authorizes.
    verb = _verb(request, named, pairs, kind)
    selective = bool(name) or any(
        value for key, value in pairs if key in {"labelSelector", "fieldSelector"}
    )
    facts = KubernetesFacts(
        verb=verb,
        group=named.group,
        version=named.version,
        resource=named.resource,
        subresource=named.subresource,
        namespace=namespace,
        name=name,
        dry_run=_is_dry_run(pairs, verb),
        selective=selective,
        escapes=escapes(document),
    )
    # (4) What that risks.
    return Facts(_VERBS[verb], risks=frozenset(_risks(facts)), kubernetes=facts)


_VERBS = {
    "get": Verb.KUBERNETES_GET,
    "list": Verb.KUBERNETES_LIST,
    "watch": Verb.KUBERNETES_WATCH,
    "create": Verb.KUBERNETES_CREATE,
    "update": Verb.KUBERNETES_UPDATE,
    "patch": Verb.KUBERNETES_PATCH,
    "apply": Verb.KUBERNETES_APPLY,
    "delete": Verb.KUBERNETES_DELETE,
    "deletecollection": Verb.KUBERNETES_DELETE_COLLECTION,
    "connect": Verb.KUBERNETES_CONNECT,
}


def _no_resource(request: HttpRequest, path: str) -> Facts:
    if request.method not in {"GET", "HEAD"}:
        raise UnclearError("its path is no resource, and its method is not GET")
    # /logs, /metrics, /debug and the like hold data of other people.
    is_open = path in {"/", "/api", "/apis"} or path.startswith(_OPEN_PATHS)
    risks = frozenset() if is_open else frozenset({Risk.CATALOG})
    found = KubernetesFacts("get", path=path)
    return Facts(Verb.KUBERNETES_GET, risks=risks, kubernetes=found)


def _document(body: str, kind: str) -> Any:
    if not body:
        return None
    if kind not in _MANIFEST_TYPES:
        raise UnclearError("its body is neither JSON nor YAML")
    document = read_manifest(body, yaml_too=not kind.endswith("json"))
    return patched(document) if kind == "application/json-patch+json" else document


def _same_place(document: Any, named: ResourcePath, request: HttpRequest) -> tuple[str, str]:
    """Namespace and name, where path and manifest say the same.

    Raises:
        UnclearError: They don't.
    """
    namespace, name = named.namespace, named.name
    metadata = document.get("metadata") if isinstance(document, dict) else None
    if not isinstance(metadata, dict):
        return namespace, name
    theirs = str(metadata.get("namespace") or "")
    if theirs and theirs != namespace:
        raise UnclearError("its manifest is for another namespace than its path")
    called = str(metadata.get("name") or "")
    if called and name and called != name and not named.subresource:
        raise UnclearError("its manifest is for another name than its path")
    creates = request.method == "POST" and not named.subresource
    return namespace, (name or called) if creates else name


def _verb(
    request: HttpRequest, named: ResourcePath, pairs: list[tuple[str, str]], kind: str
) -> str:
    if named.subresource in _CONNECTS:
        return "connect"
    if request.method in {"GET", "HEAD"}:
        asked = next((value for key, value in pairs if key == "watch"), "false")
        if named.watch or asked.lower() not in {"false", "0"}:
            return "watch"
        return "get" if named.name else "list"
    if named.watch or request.method not in _WRITES:
        raise UnclearError("its method does not fit its path")
    if request.method == "PATCH" and kind in _APPLY_PATCH:
        return "apply"
    if request.method == "DELETE" and not named.name:
        return "deletecollection"
    if request.method == "PATCH" and not request.body:
        raise UnclearError("it is a patch without a body")
    return _WRITES[request.method]


def _is_dry_run(pairs: list[tuple[str, str]], verb: str) -> bool:
    values = [value for key, value in pairs if key == "dryRun"]
    if any(value != "All" for value in values):
        raise UnclearError('dryRun has one value, "All"')
    return bool(values) and verb not in {"get", "list", "watch", "connect"}


def _risks(facts: KubernetesFacts) -> set[Risk]:
    reads = facts.verb in {"get", "list", "watch"}
    risks: set[Risk] = set()
    if facts.verb == "connect":
        risks.add(_CONNECTS[facts.subresource])
        if facts.resource == "nodes":
            risks.add(Risk.CODE_EXECUTION)  # a node's proxy runs commands in its pods
    if facts.subresource == "ephemeralcontainers" and not reads:
        risks.add(Risk.CODE_EXECUTION)
    if facts.resource == "secrets" and not facts.group:
        risks.add(Risk.SECRETS)
    if facts.resource == "serviceaccounts" and facts.subresource == "token":
        risks |= {Risk.SECRETS, Risk.PRIVILEGE}
    if facts.verb in {"delete", "deletecollection"} or facts.subresource == "eviction":
        risks.add(Risk.DESTRUCTIVE)
    if facts.verb == "deletecollection" and not facts.selective:
        risks.add(Risk.UNBOUNDED)
    if facts.escapes or (facts.resource in _RIGHTS and not reads):
        risks.add(Risk.PRIVILEGE)
    return risks
