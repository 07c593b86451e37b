"""HTTP commands to facts.

`analyze_http` never raises. Following redirects, resolving names, decompressing and limiting
answers are the connector's work, and so is sending the request in the spelling found here.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from jupyter_zt.errors import ConfigError
from jupyter_zt.model import Facts, HttpFacts, Risk, Verb
from jupyter_zt.policy.http_body import body_shape
from jupyter_zt.policy.http_request import HttpRequest, read_request
from jupyter_zt.policy.http_target import normal_host, normal_path, query_pairs
from jupyter_zt.policy.openapi import OpenApi
from jupyter_zt.policy.unclear import UnclearError

__all__ = ["HttpSurface", "analyze_http"]

_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class HttpSurface:
    """What is known of an HTTP connection.

    Attributes:
        scheme: ``https`` or ``http``.
        host: From `normal_host`.
        openapi: Its operations, where it has a document.
    """

    scheme: str
    host: str
    port: int
    openapi: OpenApi | None = None

    @classmethod
    def at(cls, url: str, openapi: OpenApi | None = None) -> HttpSurface:
        """The surface of a base URL such as ``https://api.example``.

        Raises:
            ConfigError: It is no plain URL.
        """
        try:
            scheme, host, port, _, _ = _split(url)
        except UnclearError as error:
            raise ConfigError(f"{url}: {error}.", hint="Write https://host or host:port.") from None
        return cls(scheme, host, port, openapi)


def analyze_http(command: str, surface: HttpSurface) -> Facts:
    """What an HTTP command would do.

    Args:
        command: Exact text (see `http_request`).
        surface: What it is for.

    Returns:
        Its facts. What is not understood, or understood differently by different servers, has
        `Facts.unknown`.
    """
    try:
        return _analyze(read_request(command), surface)
    except UnclearError as error:
        return Facts(Verb.UNKNOWN, unknown=str(error))
    except Exception as error:  # noqa: BLE001 (whatever it is, it must end in a refusal)
        return Facts(Verb.UNKNOWN, unknown=f"its analysis failed ({type(error).__name__})")


def _analyze(request: HttpRequest, surface: HttpSurface) -> Facts:
    # (1) Where to: the connection's host, or another one that the request names.
    if request.target.startswith("/"):
        target = f"{surface.scheme}://{_in_url(surface.host)}:{surface.port}{request.target}"
    else:
        target = request.target
    scheme, host, port, path, query = _split(target)
    # (2) A Host header may only repeat it.
    named = request.headers.get("host")
    if named is not None and _split(f"{scheme}://{named}/")[1:3] != (host, port):
        raise UnclearError("its Host header names another host")
    # (3) What is asked for there.
    pairs = query_pairs(query)
    if "_method" in {name for name, _ in pairs}:
        raise UnclearError("a parameter of it (_method) makes another request of it")
    kind, body_fields = body_shape(request.body, request.headers.get("content-type", ""))
    template, operation = "", ""
    at_home = (scheme, host, port) == (surface.scheme, surface.host, surface.port)
    if surface.openapi is not None and at_home:
        template, operation = surface.openapi.match(request.method, path)
    # (4) What that risks.
    risks = set() if at_home else {Risk.EXFILTRATION}
    if request.method == "DELETE":
        risks.add(Risk.DESTRUCTIVE)
    return Facts(
        Verb(f"http_{request.method.lower()}"),
        risks=frozenset(risks),
        http=HttpFacts(
            method=request.method,
            scheme=scheme,
            host=host,
            port=port,
            path=path,
            template=template,
            operation=operation,
            query=frozenset(name for name, _ in pairs),
            query_values=frozenset(f"{name}={value}" for name, value in pairs),
            headers=frozenset(request.headers),
            body=kind,
            body_fields=body_fields,
            body_bytes=len(request.body.encode("utf-8", "surrogatepass")),
        ),
    )


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _split(url: str) -> tuple[str, str, int, str, str]:
    """(scheme, host, port, path, query) of a URL, each in one spelling."""
    if not url.isascii() or any(char <= " " or char in '\\"<>^`{|}' for char in url):
        raise UnclearError("its address holds a character that has no place in one")
    if "#" in url:
        raise UnclearError("its address has a fragment, which is never sent")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise UnclearError("its address is not understood") from None
    if parts.scheme not in _PORTS or not url.startswith(f"{parts.scheme}://"):
        raise UnclearError("its address is neither a path nor an http or https URL")
    if "@" in parts.netloc:
        raise UnclearError("its address holds a user or a password")
    authority = parts.netloc
    written = authority.rpartition(":")[0] if _has_port(authority) else authority
    if not written:
        raise UnclearError("its address names no host")
    host = normal_host(written)
    path = normal_path(parts.path or "/")
    return parts.scheme, host, _PORTS[parts.scheme] if port is None else port, path, parts.query


def _has_port(authority: str) -> bool:
    return ":" in authority.rpartition("]")[2]
