"""The shape of a request's body: where values stand in it, without the values."""

from __future__ import annotations

import json
import re

from jupyter_zt.policy.http_target import query_pairs
from jupyter_zt.policy.unclear import UnclearError

__all__ = ["body_shape", "media_type", "read_json"]

MAX_BODY_BYTES = 1024 * 1024
MAX_FIELDS = 2000
MAX_DEPTH = 64
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")


def media_type(content_type: str) -> str:
    """The type of a Content-Type in lower case, without parameters.

    Raises:
        UnclearError: It asks for another encoding than UTF-8.
    """
    name, *parameters = (part.strip().lower() for part in content_type.split(";"))
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key == "charset" and value.strip('"') not in {"utf-8", "us-ascii"}:
            raise UnclearError("its body is not in UTF-8")
    return name


def body_shape(body: str, content_type: str) -> tuple[str, frozenset[str]]:
    """(kind, fields) of a body.

    Returns:
        Kind ``none``, ``json``, ``form``, ``text`` or ``binary``; the paths of the values in a JSON
        or form body: ``customer.name``, ``items[].id``.

    Raises:
        UnclearError: It is not what its type says, too long, too deep, or names a field twice.
    """
    if not body:
        return "none", frozenset()
    if len(body.encode("utf-8", "surrogatepass")) > MAX_BODY_BYTES:
        raise UnclearError(f"its body is longer than {MAX_BODY_BYTES} bytes")
    kind = media_type(content_type)
    if kind == "application/json" or kind.endswith("+json"):
        return "json", _fields(read_json(body))
    if kind == "application/x-www-form-urlencoded":
        names = frozenset(name for name, _ in query_pairs(body.strip()))
        if "_method" in names:
            raise UnclearError("a field of it (_method) makes another request of it")
        return "form", names
    return ("text" if kind.startswith("text/") else "binary"), frozenset()


def read_json(text: str) -> object:
    """A JSON document.

    Raises:
        UnclearError: It is none (RFC 8259), or names a member twice: parsers differ on that.
    """
    try:
        return json.loads(text, object_pairs_hook=_members, parse_constant=_no_number)
    except RecursionError:
        raise UnclearError("its body is nested too deeply") from None
    except UnclearError:
        raise
    except ValueError:
        raise UnclearError("its body is not JSON") from None


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise UnclearError("its body names a member twice")
    return members


def _no_number(name: str) -> None:
    raise UnclearError(f"its body holds {name}, which is no JSON")


def _fields(document: object) -> frozenset[str]:
    found: set[str] = set()
    stack: list[tuple[str, object, int]] = [("", document, 0)]
    while stack:
        path, value, depth = stack.pop()
        if depth > MAX_DEPTH or len(found) > MAX_FIELDS:
            raise UnclearError("its body is too large to be looked through")
        if isinstance(value, dict):
            for name, item in value.items():
                shown = name if _PLAIN_NAME.fullmatch(name) else json.dumps(name)
                stack.append((f"{path}.{shown}" if path else shown, item, depth + 1))
        elif isinstance(value, list):
            stack.extend((f"{path}[]", item, depth + 1) for item in value)
        elif path:
            found.add(path)
        if isinstance(value, dict | list) and not value and path:
            found.add(path)
    return frozenset(found)
