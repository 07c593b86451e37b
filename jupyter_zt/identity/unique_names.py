"""JSON in which no name comes twice: two readers of one token must read the same."""

from __future__ import annotations

import json
from typing import Any


class UniqueNames(json.JSONDecoder):
    """Refuses an object that names a claim twice (RFC 7519, section 4: names must be unique).

    Raises:
        ValueError: It does.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, object_pairs_hook=_unique)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a claim is named twice")
    return members
