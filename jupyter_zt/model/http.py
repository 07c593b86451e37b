"""What analysis found in an HTTP request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True, slots=True)
class HttpFacts:
    """An HTTP request, in the one spelling in which it is also sent.

    Attributes:
        method: As RFC 9110 section 9 spells it: ``GET``.
        scheme: ``http`` or ``https``.
        host: Lower case, without port; an IPv6 address without brackets.
        path: Normalised (RFC 3986 section 6.2.2): no dot segments, unreserved characters decoded.
        template: Path of the OpenAPI document that it falls under (``/orders/{id}``), or "".
        operation: Its ``operationId``, or "".
        query: Names of the query's parameters, decoded.
        query_values: ``name=value`` of each, decoded.
        headers: Names of the headers that the request sets, lower case.
        body: ``none``, ``json``, ``form``, ``text`` or ``binary``.
        body_fields: Where values stand in a JSON or form body: ``customer.name``, ``items[].id``.
        body_bytes: Its size.
    """

    method: str
    scheme: str = "https"
    host: str = ""
    port: int = 443
    path: str = "/"
    template: str = ""
    operation: str = ""
    query: frozenset[str] = frozenset()
    query_values: frozenset[str] = frozenset()
    headers: frozenset[str] = frozenset()
    body: str = "none"
    body_fields: frozenset[str] = frozenset()
    body_bytes: int = 0

    def to_json(self) -> dict[str, object]:
        """Plain JSON: sets as sorted lists, numbers as strings."""
        return {
            field.name: sorted(value) if isinstance(value, frozenset) else str(value)
            for field in fields(self)
            for value in (getattr(self, field.name),)
        }

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> HttpFacts:
        """What `to_json` wrote."""
        known = {field.name for field in fields(cls)}
        values: dict[str, Any] = {
            name: frozenset(value) if isinstance(value, list) else value
            for name, value in plain.items()
            if name in known
        }
        for number in {"port", "body_bytes"} & set(values):
            values[number] = int(values[number])
        return cls(**values)
