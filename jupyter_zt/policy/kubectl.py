"""Lines as kubectl takes them, to the request that kubectl would send first.

Only what can be said of one resource is understood, with flags that are known here. Files,
contexts, users and servers are the connection's: a line that names its own is not understood.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

from jupyter_zt.policy.http_request import HttpRequest
from jupyter_zt.policy.kubernetes_manifest import read_manifest
from jupyter_zt.policy.unclear import UnclearError

__all__ = ["request_of"]

MAX_LINE = 8192

_VALUED = {
    "-n": "namespace", "--namespace": "namespace", "-l": "selector", "--selector": "selector",
    "--field-selector": "field_selector", "-o": "output", "--output": "output", "-c": "container",
    "--container": "container", "-p": "patch", "--patch": "patch", "--type": "type",
    "--replicas": "replicas", "--tail": "tail", "--since": "since", "--raw": "raw",
    "--filename": "filename", "--dry-run": "dry_run", "--limit": "limit", "--sort-by": "sort",
    "--subresource": "subresource", "--image": "image", "--target": "target",
}  # fmt: skip
_SWITCHES = {
    "-A": "all_namespaces", "--all-namespaces": "all_namespaces", "-w": "watch",
    "--watch": "watch", "--all": "all", "--server-side": "server_side", "-i": "stdin",
    "-t": "tty", "-it": "tty", "-ti": "tty", "--stdin": "stdin", "--tty": "tty",
    "--previous": "previous", "--follow": "follow", "--timestamps": "timestamps",
    "--show-labels": "show", "--no-headers": "show", "--wait": "wait", "--overwrite": "overwrite",
}  # fmt: skip

# (names, group, namespaced): the built-in kinds that people name, in all their spellings.
_KINDS = (
    (("pods", "pod", "po"), "", True),
    (("services", "service", "svc"), "", True),
    (("configmaps", "configmap", "cm"), "", True),
    (("secrets", "secret"), "", True),
    (("serviceaccounts", "serviceaccount", "sa"), "", True),
    (("persistentvolumeclaims", "persistentvolumeclaim", "pvc"), "", True),
    (("endpoints", "ep"), "", True),
    (("events", "event", "ev"), "", True),
    (("resourcequotas", "resourcequota", "quota"), "", True),
    (("limitranges", "limitrange", "limits"), "", True),
    (("replicationcontrollers", "replicationcontroller", "rc"), "", True),
    (("namespaces", "namespace", "ns"), "", False),
    (("nodes", "node", "no"), "", False),
    (("persistentvolumes", "persistentvolume", "pv"), "", False),
    (("deployments", "deployment", "deploy"), "apps", True),
    (("replicasets", "replicaset", "rs"), "apps", True),
    (("statefulsets", "statefulset", "sts"), "apps", True),
    (("daemonsets", "daemonset", "ds"), "apps", True),
    (("jobs", "job"), "batch", True),
    (("cronjobs", "cronjob", "cj"), "batch", True),
    (("ingresses", "ingress", "ing"), "networking.k8s.io", True),
    (("networkpolicies", "networkpolicy", "netpol"), "networking.k8s.io", True),
    (("horizontalpodautoscalers", "horizontalpodautoscaler", "hpa"), "autoscaling", True),
    (("roles", "role"), "rbac.authorization.k8s.io", True),
    (("rolebindings", "rolebinding"), "rbac.authorization.k8s.io", True),
    (("clusterroles", "clusterrole"), "rbac.authorization.k8s.io", False),
    (("clusterrolebindings", "clusterrolebinding"), "rbac.authorization.k8s.io", False),
)
_RESOURCES = {
    name: (names[0], group, namespaced) for names, group, namespaced in _KINDS for name in names
}
_GROUPS = {group for _, group, _ in _KINDS}
_VERSIONS = {"autoscaling": "v2"}


@dataclass(slots=True)
class _Line:
    verb: str
    words: list[str] = field(default_factory=list)
    flags: dict[str, str] = field(default_factory=dict)
    behind: list[str] = field(default_factory=list)

    def place(self) -> tuple[str, str]:
        """Path of the collection, and the name in it."""
        if not self.words:
            raise UnclearError("it names no resource")
        kind, _, name = self.words[0].partition("/")
        rest = self.words[1:]
        if not name and rest:
            name, rest = rest[0], rest[1:]
        if rest:
            raise UnclearError("it names several things; one at a time is understood")
        return self.collection(kind), name

    def collection(self, kind: str) -> str:
        """Path of a kind's collection, in the line's namespace."""
        known = _RESOURCES.get(kind.lower())
        if known is None:
            plural, _, group = kind.partition(".")
            if not group or not plural.endswith("s"):
                raise UnclearError("its resource is not known; write plural.group")
            known = (plural, group, True)
        plural, group, namespaced = known
        version = _VERSIONS.get(group, "v1")
        base = f"/apis/{group}/{version}" if group else f"/api/{version}"
        if not namespaced or "all_namespaces" in self.flags:
            return f"{base}/{plural}"
        return f"{base}/namespaces/{quote(self.namespace, safe='')}/{plural}"

    @property
    def namespace(self) -> str:
        return self.flags.get("namespace", "default")


def request_of(command: str) -> HttpRequest:
    """The request that a line stands for.

    Args:
        command: The line, with or without ``kubectl``; a manifest after an empty line.

    Raises:
        UnclearError: It is not understood.
    """
    text, _, manifest = command.strip("\n").partition("\n\n")
    if "\n" in text or len(text) > MAX_LINE or not text.isprintable():
        raise UnclearError("it is not one line of plain text")
    try:
        words = shlex.split(text, posix=True)
    except ValueError:
        raise UnclearError("its quotes do not close") from None
    if words[:1] == ["kubectl"]:
        words = words[1:]
    if not words or words[0] not in _VERBS:
        raise UnclearError("it begins with no subcommand that is understood")
    line = _parse(words)
    if manifest and line.verb not in {"apply", "create", "replace"}:
        raise UnclearError("it has a manifest that it does not ask for")
    request = _VERBS[line.verb](line, manifest)
    return _with_dry_run(line, request)


def _parse(words: list[str]) -> _Line:
    line = _Line(words[0])
    rest = words[1:]
    while rest:
        word = rest.pop(0)
        if word == "--":
            line.behind, rest = rest, []
        elif not word.startswith("-"):
            line.words.append(word)
        else:
            _flag(line, word, rest)
    return line


def _flag(line: _Line, word: str, rest: list[str]) -> None:
    name, equals, value = word.partition("=")
    if name == "-f":
        name = "--follow" if line.verb == "logs" else "--filename"
    if name in _SWITCHES:
        if equals and value != "true":
            raise UnclearError(f"its flag {name} is not understood")
        key, value = _SWITCHES[name], "true"
    elif name in _VALUED:
        key = _VALUED[name]
        if not equals:
            if not rest:
                raise UnclearError(f"its flag {name} has no value")
            value = rest.pop(0)
    else:
        raise UnclearError("it has a flag that is not understood")
    if key in line.flags:
        raise UnclearError(f"its flag {name} stands twice")
    line.flags[key] = value


def _query(path: str, **values: str) -> str:
    given = {name: value for name, value in values.items() if value}
    return f"{path}?{urlencode(given)}" if given else path


def _get(line: _Line, _: str) -> HttpRequest:
    if "raw" in line.flags:
        return HttpRequest("GET", line.flags["raw"])
    path, name = line.place()
    query = {
        "labelSelector": line.flags.get("selector", ""),
        "fieldSelector": line.flags.get("field_selector", ""),
        "watch": "true" if "watch" in line.flags else "",
    }
    below = f"/{quote(name, safe='')}" if name else ""
    below += f"/{line.flags['subresource']}" if "subresource" in line.flags else ""
    return HttpRequest("GET", _query(path + below, **query))


def _logs(line: _Line, _: str) -> HttpRequest:
    return HttpRequest("GET", f"{_of_pod(line)}/log")


def _of_pod(line: _Line) -> str:
    if not line.words:
        raise UnclearError("it names no pod")
    kind, slash, name = line.words[0].partition("/")
    if slash and kind not in {"pod", "pods", "po"}:
        raise UnclearError("it names no pod, and which one is meant is not said")
    return f"{line.collection('pods')}/{quote(name if slash else kind, safe='')}"


def _on_pod(subresource: str) -> Callable[[_Line, str], HttpRequest]:
    def request(line: _Line, _: str) -> HttpRequest:
        return HttpRequest("POST", f"{_of_pod(line)}/{subresource}")

    return request


def _copy(line: _Line, _: str) -> HttpRequest:
    pods = [word for word in line.words if ":" in word]
    if len(pods) != 1 or len(line.words) != 2:
        raise UnclearError("it copies neither to nor from one pod")
    namespace, _, pod = pods[0].partition(":")[0].rpartition("/")
    if namespace:
        line.flags["namespace"] = namespace
    return HttpRequest("POST", f"{line.collection('pods')}/{quote(pod, safe='')}/exec")


def _debug(line: _Line, _: str) -> HttpRequest:
    path = _of_pod(line)
    headers = {"content-type": "application/merge-patch+json"}
    return HttpRequest("PATCH", f"{path}/ephemeralcontainers", headers, "{}")


def _delete(line: _Line, _: str) -> HttpRequest:
    path, name = line.place()
    selectors = {
        "labelSelector": line.flags.get("selector", ""),
        "fieldSelector": line.flags.get("field_selector", ""),
    }
    if not name and "all" not in line.flags and not any(selectors.values()):
        raise UnclearError("it says neither which to delete, nor --all")
    return HttpRequest(
        "DELETE", _query(path + (f"/{quote(name, safe='')}" if name else ""), **selectors)
    )


def _patch(line: _Line, _: str) -> HttpRequest:
    path, name = line.place()
    kinds = {"json": "json-patch", "merge": "merge-patch", "strategic": "strategic-merge-patch"}
    kind = kinds.get(line.flags.get("type", "strategic"))
    if not name or kind is None or "patch" not in line.flags:
        raise UnclearError("it says not what to patch, or how")
    below = f"/{line.flags['subresource']}" if "subresource" in line.flags else ""
    headers = {"content-type": f"application/{kind}+json"}
    return HttpRequest(
        "PATCH", f"{path}/{quote(name, safe='')}{below}", headers, line.flags["patch"]
    )


def _scale(line: _Line, _: str) -> HttpRequest:
    path, name = line.place()
    if not name or not line.flags.get("replicas", "").isdecimal():
        raise UnclearError("it says not what to scale, or to how many")
    headers = {"content-type": "application/merge-patch+json"}
    body = f'{{"spec": {{"replicas": {line.flags["replicas"]}}}}}'
    return HttpRequest("PATCH", f"{path}/{quote(name, safe='')}/scale", headers, body)


def _rollout(line: _Line, _: str) -> HttpRequest:
    action, *line.words = line.words or [""]
    path, name = line.place()
    if not name or action not in {"status", "history", "restart", "pause", "resume", "undo"}:
        raise UnclearError("its rollout is not understood")
    path = f"{path}/{quote(name, safe='')}"
    if action in {"status", "history"}:
        return HttpRequest("GET", path)
    headers = {"content-type": "application/merge-patch+json"}
    return HttpRequest("PATCH", path, headers, '{"spec": {}}')


def _marks(line: _Line, _: str) -> HttpRequest:
    changes = [word for word in line.words if "=" in word or word.endswith("-")]
    line.words = [word for word in line.words if word not in changes]
    path, name = line.place()
    if not name or not changes:
        raise UnclearError("it says not what to mark, or how")
    headers = {"content-type": "application/merge-patch+json"}
    return HttpRequest("PATCH", f"{path}/{quote(name, safe='')}", headers, '{"metadata": {}}')


def _send(line: _Line, manifest: str) -> HttpRequest:
    """Apply, create or replace: what the manifest says, where it says."""
    if line.flags.get("filename") != "-" or not manifest or line.words:
        raise UnclearError("it needs -f - and a manifest after an empty line")
    document = read_manifest(manifest)
    metadata = document.get("metadata") if isinstance(document, dict) else None
    if not isinstance(metadata, dict) or not isinstance(document.get("kind"), str):
        raise UnclearError("its manifest has no kind, or no metadata")
    group, _, version = str(document.get("apiVersion", "")).rpartition("/")
    theirs = str(metadata.get("namespace") or line.namespace)
    if theirs != line.flags.get("namespace", theirs):
        raise UnclearError("its manifest is for another namespace than its flag")
    line.flags["namespace"] = theirs
    kind = document["kind"].lower()
    if kind not in _RESOURCES or _RESOURCES[kind][1] != group:
        raise UnclearError("the kind of its manifest is not known; send it as a request")
    path = line.collection(kind).replace(f"/{_VERSIONS.get(group, 'v1')}", f"/{version}", 1)
    name = str(metadata.get("name") or "")
    if line.verb == "create":
        return HttpRequest("POST", path, {"content-type": "application/yaml"}, manifest)
    if not name:
        raise UnclearError("its manifest has no name")
    path = f"{path}/{quote(name, safe='')}"
    if line.verb == "replace":
        return HttpRequest("PUT", path, {"content-type": "application/yaml"}, manifest)
    # A client-side apply creates or patches, just as a server-side one does.
    return HttpRequest("PATCH", path, {"content-type": "application/apply-patch+yaml"}, manifest)


def _version(_: _Line, __: str) -> HttpRequest:
    return HttpRequest("GET", "/version")


def _kinds(_: _Line, __: str) -> HttpRequest:
    return HttpRequest("GET", "/apis")


def _with_dry_run(line: _Line, request: HttpRequest) -> HttpRequest:
    asked = line.flags.get("dry_run", "none")
    if asked not in {"none", "server"}:
        raise UnclearError("only --dry-run=server asks the server")
    if asked == "none":
        return request
    joint = "&" if "?" in request.target else "?"
    return HttpRequest(
        request.method, f"{request.target}{joint}dryRun=All", request.headers, request.body
    )


_VERBS: dict[str, Callable[[_Line, str], HttpRequest]] = {
    "get": _get,
    "describe": _get,
    "logs": _logs,
    "exec": _on_pod("exec"),
    "attach": _on_pod("attach"),
    "port-forward": _on_pod("portforward"),
    "cp": _copy,
    "debug": _debug,
    "delete": _delete,
    "patch": _patch,
    "scale": _scale,
    "rollout": _rollout,
    "label": _marks,
    "annotate": _marks,
    "apply": _send,
    "create": _send,
    "replace": _send,
    "version": _version,
    "api-resources": _kinds,
}
