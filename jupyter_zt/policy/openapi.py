"""The operations of an OpenAPI document: which one is this request?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from jupyter_zt.errors import ConfigError
from jupyter_zt.policy.http_target import normal_path
from jupyter_zt.policy.unclear import UnclearError

__all__ = ["OpenApi"]

_PARAMETER = re.compile(r"\{[^{}/]+\}")
_METHODS = frozenset({"get", "head", "options", "post", "put", "patch", "delete"})


@dataclass(frozen=True, slots=True)
class _Template:
    text: str
    form: re.Pattern[str]
    parameters: int
    operations: Mapping[str, str]


class OpenApi:
    """The paths of a document (OpenAPI 3.x, or Swagger 2.0).

    Args:
        document: As parsed from its JSON or YAML.
        file: What errors call it.

    Raises:
        ConfigError: It is none, or one of its paths is no plain path.
    """

    def __init__(self, document: Mapping[str, Any], file: str = "openapi") -> None:
        version = str(document.get("openapi") or document.get("swagger") or "")
        paths = document.get("paths")
        if not version.startswith(("3.", "2.")) or not isinstance(paths, Mapping):
            raise ConfigError(
                "This is no OpenAPI document.", file=file, hint="OpenAPI 3.x or Swagger 2.0."
            )
        base = _base_path(document)
        self._templates: list[_Template] = []
        for path, item in paths.items():
            try:
                self._templates.append(_template(base, str(path), item))
            except UnclearError as error:
                raise ConfigError(f"{path}: {error}.", file=file) from error
        # Concrete paths before templated ones (OpenAPI 3.1 section 4.8.8).
        self._templates.sort(key=lambda it: it.parameters)

    def match(self, method: str, path: str) -> tuple[str, str]:
        """The (path template, operation) of a request; "" for what the document does not have.

        Args:
            method: ``GET``.
            path: From `normal_path`.
        """
        fitting = [it for it in self._templates if it.form.fullmatch(path)]
        if not fitting:
            return "", ""
        best = [it for it in fitting if it.parameters == fitting[0].parameters]
        if len(best) > 1:
            return "", ""  # the document does not say which: neither
        return best[0].text, best[0].operations.get(method.lower(), "")


def _base_path(document: Mapping[str, Any]) -> str:
    servers = document.get("servers")
    url = servers[0].get("url", "") if isinstance(servers, list) and servers else ""
    return (urlsplit(str(url)).path or str(document.get("basePath") or "")).rstrip("/")


def _template(base: str, path: str, item: object) -> _Template:
    text = base + path
    parts = _PARAMETER.split(text)
    # A stand-in of unreserved characters, so that the rest is normalised around it.
    normal = normal_path("~parameter~".join(parts))
    form = "[^/]+".join(re.escape(part) for part in normal.split("~parameter~"))
    operations = {
        method: str(operation.get("operationId") or f"{method.upper()} {path}")
        for method, operation in (item.items() if isinstance(item, Mapping) else ())
        if method in _METHODS and isinstance(operation, Mapping)
    }
    return _Template(text, re.compile(form), len(parts) - 1, operations)
