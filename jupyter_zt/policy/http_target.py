"""Host, path and query of a request, each in one spelling.

What clients, proxies and servers are known to read differently is not normalised but refused:
a path that one of them takes for another one is how a filter is passed (RFC 3986 section 7.3).
What is sent is what came out of here.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import unquote_to_bytes

from jupyter_zt.policy.unclear import UnclearError

__all__ = ["normal_host", "normal_path", "query_pairs"]

MAX_PATH = 8192
MAX_PARAMETERS = 200
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"\d+|0x[0-9a-f]*")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})?")
_PATH_CHARACTERS = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,=:@/-]|%[0-9A-Fa-f]{2})*")
_QUERY_CHARACTERS = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,=:@/?\[\]-]|%[0-9A-Fa-f]{2})*")
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_NEVER_ESCAPED = frozenset(b"/\\%;") | frozenset(range(0x20)) | {0x7F}


def normal_host(text: str) -> str:
    """A host in one spelling: lower case, addresses in their canonical form, no final dot.

    Args:
        text: As in a URL; IPv6 in brackets.

    Raises:
        UnclearError: It could be read as another one: numbers that some resolvers take for an
            address (``2130706433``, ``0x7f.1``, ``127.1``), escapes, letters beyond ASCII.
    """
    if text.startswith("[") and text.endswith("]"):
        try:
            address = ipaddress.IPv6Address(text[1:-1])
        except ValueError:
            raise UnclearError("its host is no IPv6 address") from None
        if address.scope_id is not None:
            raise UnclearError("its host names a network interface")
        # ::ffff:127.0.0.1 reaches 127.0.0.1 (RFC 4291 section 2.5.5.2)
        return str(address.ipv4_mapped or address)
    host = text.lower().removesuffix(".")
    labels = host.split(".")
    if not host.isascii() or len(host) > 253 or not all(_LABEL.fullmatch(it) for it in labels):
        raise UnclearError("its host is not a plain name or address")
    if _NUMBER.fullmatch(labels[-1]):  # WHATWG URL: a host that ends in a number is an address
        try:
            return str(ipaddress.IPv4Address(host))
        except ValueError:
            raise UnclearError("its host is an address in an unusual notation") from None
    return host


def normal_path(text: str) -> str:
    """A path in one spelling (RFC 3986 section 6.2.2): no dot segments, escapes where needed.

    Args:
        text: Of the URL, percent-encoded, from its first slash.

    Raises:
        UnclearError: ``//``, ``;``, a backslash, an escaped slash, percent sign or control
            character, an escape that is none or no UTF-8, or a way above the root.
    """
    if not text.startswith("/") or len(text) > MAX_PATH:
        raise UnclearError("its path does not begin with a slash, or is too long")
    if not _PATH_CHARACTERS.fullmatch(text):
        raise UnclearError("its path holds a character or an escape that servers read differently")
    if "//" in text:
        raise UnclearError("its path holds an empty segment (//)")
    decoded = _ESCAPE.sub(_unescaped, text)
    _utf8(decoded)
    kept: list[str] = []
    segments = decoded.split("/")[1:]
    for segment in segments:
        if segment == "..":
            if not kept:
                raise UnclearError("its path leads above the root")
            kept.pop()
        elif segment not in {"", "."}:
            kept.append(segment)
    is_folder = segments[-1] in {"", ".", ".."} and bool(kept)
    return "/" + "/".join(kept) + ("/" if is_folder else "")


def query_pairs(text: str) -> list[tuple[str, str]]:
    """The parameters of a query, decoded.

    Raises:
        UnclearError: ``;`` (a separator to some), what is no escape, no UTF-8, or a control
            character.
    """
    if not text:
        return []
    if not _QUERY_CHARACTERS.fullmatch(text):
        raise UnclearError("its query holds a character or an escape that servers read differently")
    pairs = []
    for part in text.split("&"):
        name, _, value = part.partition("=")
        pairs.append((_utf8(name.replace("+", " ")), _utf8(value.replace("+", " "))))
    if len(pairs) > MAX_PARAMETERS:
        raise UnclearError("its query has too many parameters")
    return pairs


def _unescaped(found: re.Match[str]) -> str:
    byte = int(found[1], 16)
    if byte in _NEVER_ESCAPED:
        raise UnclearError("its path hides a slash, a percent sign or a control character")
    return chr(byte) if byte in _UNRESERVED else f"%{byte:02X}"


def _utf8(text: str) -> str:
    try:
        decoded = unquote_to_bytes(text).decode("utf-8")
    except UnicodeDecodeError:
        raise UnclearError("it holds escapes that are no UTF-8") from None
    if any(ord(char) < 0x20 or ord(char) == 0x7F for char in decoded):
        raise UnclearError("it holds a control character")
    return decoded
