"""The text of an HTTP command to the request that it is.

::

    POST /v1/orders?notify=no
    Content-Type: application/json

    {"item": 5}

A request line, headers, an empty line, the body. The target is a path of the connection's host or
a whole URL.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from jupyter_zt.policy.unclear import UnclearError

__all__ = ["METHODS", "HttpRequest", "read_request"]

METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
"""Methods that are understood, as RFC 9110 and RFC 5789 spell them; others and other cases are
not."""

MAX_COMMAND_BYTES = 2 * 1024 * 1024
MAX_HEADERS = 50
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?")
_LINE = re.compile(r"([A-Za-z]+) (\S+)(?: HTTP/1\.1)?")

# The gateway speaks for the person and the connection: nobody else sets who asks, for whom, by
# which way, or where one message ends (RFC 9110 section 7.6.1, RFC 9112 section 6).
_GATEWAYS_OWN = frozenset(
    {
        "authorization", "connection", "content-encoding", "content-length", "cookie", "expect",
        "forwarded", "http2-settings", "keep-alive", "proxy-authorization", "proxy-connection",
        "te", "trailer", "transfer-encoding", "upgrade", "via", "x-real-ip", "x-original-host",
        "x-host",
    }
)  # fmt: skip
_GATEWAYS_OWN_PREFIXES = ("x-forwarded-", "proxy-", "sec-", "impersonate-", "x-remote-", "x-zt-")
_ANOTHER_REQUEST = frozenset(
    {
        "x-http-method-override", "x-http-method", "x-method-override", "x-original-url",
        "x-rewrite-url", "x-original-method",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request as written.

    Attributes:
        method: One of `METHODS`.
        target: A path with query, or a whole URL.
        headers: Name in lower case -> value.
        body: Exact text.
    """

    method: str
    target: str
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""


def read_request(command: str) -> HttpRequest:
    """The request of a command.

    Raises:
        UnclearError: It is none, or it sets what is the gateway's to set.
    """
    if len(command.encode("utf-8", "surrogatepass")) > MAX_COMMAND_BYTES:
        raise UnclearError("it is too long")
    head, _, body = command.lstrip("\n").replace("\r\n", "\n").partition("\n\n")
    if "\r" in head or "\0" in command:
        raise UnclearError("it holds a lone carriage return or a NUL")
    first, *lines = head.rstrip("\n").split("\n")
    found = _LINE.fullmatch(first)
    if found is None or found[1] not in METHODS:
        methods = ", ".join(sorted(METHODS))
        raise UnclearError(f"its first line is no METHOD and target; methods are {methods}")
    headers = _headers(lines)
    if body and found[1] in {"GET", "HEAD", "OPTIONS", "DELETE"}:
        raise UnclearError(f"a {found[1]} with a body means different things to different servers")
    return HttpRequest(found[1], found[2], headers, body)


def _headers(lines: list[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    if len(lines) > MAX_HEADERS:
        raise UnclearError("it has too many headers")
    for line in lines:
        name, colon, value = line.partition(":")
        value = value.strip(" \t")
        if not colon or not _NAME.fullmatch(name) or (value and not _VALUE.fullmatch(value)):
            raise UnclearError("a header of it is not name: value in plain ASCII")
        name = name.lower()
        if name in headers:
            raise UnclearError("a header stands in it twice")
        if name in _GATEWAYS_OWN or name.startswith(_GATEWAYS_OWN_PREFIXES):
            raise UnclearError(f"the header {name} is the gateway's to set")
        if name in _ANOTHER_REQUEST:
            raise UnclearError(f"the header {name} makes another request of it")
        headers[name] = value
    return headers
