r"""The administrator's own named patterns over the text of commands: `patterns.yaml`.

::

    card-number: '\b\d{4}[ -]?\d{4}[ -]?\d{4}[ -]?\d{4}\b'
    ticket: '(?i)\bOPS-\d+\b'

Each is an RE2 regular expression (RE2 syntax, https://github.com/google/re2/wiki/Syntax), searched
for anywhere in the exact text. RE2 has no backtracking: the time is linear in the text, whatever
the pattern. A policy asks ``context.patterns.contains("ticket")``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

import yaml

from jupyter_zt.errors import ConfigError

__all__ = ["PATTERNS_FILE", "Patterns"]

PATTERNS_FILE = "patterns.yaml"

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_MAX_PATTERNS = 100
_CACHED_TEXTS = 2048
_CACHED_CHARACTERS = 8192


class Patterns:
    """Named patterns, checked and ready.

    Attributes:
        names: Their names.
    """

    def __init__(self, patterns: Mapping[str, str]) -> None:
        """Keep patterns that are known to be right; `read` checks them.

        Args:
            patterns: Name -> RE2 expression.
        """
        self.names = frozenset(patterns)
        self._patterns = dict(patterns)
        self._cached = lru_cache(maxsize=_CACHED_TEXTS)(self._search)

    @classmethod
    def read(cls, name: str, content: bytes) -> Patterns:
        """Check the content of a `patterns.yaml`.

        Args:
            name: What errors call the file.
            content: Its exact bytes.

        Raises:
            ConfigError: With file and line.
        """
        try:
            root = yaml.compose(content.decode("utf-8"), Loader=yaml.SafeLoader)
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            mark = getattr(error, "problem_mark", None)
            line = mark.line + 1 if mark else 0
            raise ConfigError("This is not YAML.", file=name, line=line) from error
        if root is None:
            return cls({})
        if not isinstance(root, yaml.MappingNode) or len(root.value) > _MAX_PATTERNS:
            raise ConfigError(
                f"This is no list of at most {_MAX_PATTERNS} patterns.",
                file=name,
                line=root.start_mark.line + 1,
                hint="Write name: 'expression' on each line.",
            )
        patterns: dict[str, str] = {}
        for key, value in root.value:
            line = key.start_mark.line + 1
            if not _NAME.fullmatch(str(key.value)) or key.value in patterns:
                raise ConfigError(
                    f"{key.value!r} is not the name of a new pattern.",
                    file=name,
                    line=line,
                    hint="Small letters, digits, dashes; each name once.",
                )
            patterns[key.value] = _checked(value, name, line)
        return cls(patterns)

    def found(self, command: str) -> frozenset[str]:
        """Names of the patterns that a command's text matches somewhere.

        A text that is not Unicode matches all of them.
        """
        if not self._patterns:
            return frozenset()
        return (
            self._cached(command) if len(command) <= _CACHED_CHARACTERS else self._search(command)
        )

    def _search(self, command: str) -> frozenset[str]:
        try:
            command.encode("utf-8")
        except UnicodeEncodeError:
            return self.names
        return frozenset(name for name, it in self._patterns.items() if _matches(it, command))


def _checked(value: yaml.Node, file: str, line: int) -> str:
    if not isinstance(value, yaml.ScalarNode) or not value.value:
        raise ConfigError("A pattern is one text.", file=file, line=line, hint="name: 'expression'")
    pattern = str(value.value)
    try:
        empty = _matches(pattern, "")
    except ValueError as error:
        raise ConfigError(
            f"This is not an RE2 expression: {error}.",
            file=file,
            line=line,
            hint="RE2 has no look-around and no back-references.",
        ) from error
    if empty:
        raise ConfigError(
            "This pattern matches every text.", file=file, line=line, hint="Make it say more."
        )
    return pattern


def _matches(pattern: str, text: str) -> bool:
    # Only where there are patterns: pyarrow takes a quarter of a second to load.
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.compute as pc  # noqa: PLC0415

    return bool(pc.match_substring_regex(pa.scalar(text), pattern=pattern).as_py())
