"""`classification.yaml`: what each column holds, and how it is shown.

::

    warehouse:                                              # connection
      customers:                                            # relation, in the connection's schema
        id: clear                                           # short for {tag: none, mask: clear}
        email: {tag: email, mask: pseudonym}
        phone: {tag: phone, mask: partial, argument: last4}
        credit_limit: {tag: credit, mask: bucket, argument: 5000}
        birth_date: {tag: birth_date, mask: bucket, argument: year}
        national_id: {tag: national_id, mask: hide}

A column that is not listed is hidden; a relation that is not listed is not visible at all. Columns
with the same tag share the key of their pseudonyms, so the same person has the same token in every
table of the connection.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import NoReturn

import yaml

from jupyter_zt.errors import ConfigError
from jupyter_zt.model import ColumnMask, MaskKind

BUCKET_PERIODS = ("year", "month", "decade")
PARTIAL_FORMS = ("last4", "domain", "initial", "year")
TAG_OF_CLEAR = "none"

_TAG = re.compile(r"[a-z][a-z0-9_]{0,31}")
_WIDTH = re.compile(r"[1-9][0-9]{0,17}")
_KEYS = ("tag", "mask", "argument")


@dataclass(frozen=True, slots=True)
class Classification:
    """What each column of each connection holds, and how it is shown.

    Attributes:
        connections: Connection -> relation -> column -> mask. Read-only.
    """

    connections: Mapping[str, Mapping[str, Mapping[str, ColumnMask]]]

    @classmethod
    def load(cls, path: Path, connections: Collection[str]) -> Classification:
        """Read and check `classification.yaml`.

        Args:
            path: The file.
            connections: Names of the connections that are configured.

        Raises:
            ConfigError: With file and line, and what to write instead.
        """
        return cls(_Reader(path, connections).read())

    def for_connection(self, name: str) -> Mapping[str, Mapping[str, ColumnMask]]:
        """Relation -> column -> mask; empty where nothing is classified, so nothing is visible."""
        return self.connections.get(name, MappingProxyType({}))

    @property
    def digest(self) -> str:
        """Hex SHA-256 of what it says, whatever its layout, comments and order."""
        plain = {
            connection: {
                relation: {
                    column: [mask.tag, mask.kind.value, mask.argument]
                    for column, mask in columns.items()
                }
                for relation, columns in relations.items()
            }
            for connection, relations in self.connections.items()
        }
        text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


class _Reader:
    """Walks the YAML nodes, because only nodes know their lines."""

    def __init__(self, path: Path, connections: Collection[str]) -> None:
        self.path = path
        self.known = connections

    def read(self) -> Mapping[str, Mapping[str, Mapping[str, ColumnMask]]]:
        result: dict[str, Mapping[str, Mapping[str, ColumnMask]]] = {}
        for connection, node in self._entries(self._root(), "connections"):
            name = connection.value
            if name not in self.known:
                self._refuse(
                    connection,
                    f"There is no connection {name!r}.",
                    f"Configured in gateway.yaml: {', '.join(sorted(self.known)) or 'none'}.",
                )
            result[name] = MappingProxyType(
                {
                    relation.value: self._columns(relation.value, columns)
                    for relation, columns in self._entries(node, f"relations of {name}")
                }
            )
        return MappingProxyType(result)

    def _root(self) -> yaml.Node | None:
        try:
            return yaml.compose(self.path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                "The classification can't be read.",
                file=str(self.path),
                hint="It must be a readable UTF-8 file; without it no column may be shown.",
            ) from error
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            raise ConfigError(
                f"This is not YAML: {getattr(error, 'problem', None) or 'it cannot be parsed'}.",
                file=str(self.path),
                line=mark.line + 1 if mark else 0,
            ) from error

    def _columns(self, relation: str, node: yaml.Node) -> Mapping[str, ColumnMask]:
        return MappingProxyType(
            {
                column.value: self._mask(relation, column.value, value)
                for column, value in self._entries(node, f"columns of {relation}")
            }
        )

    def _mask(self, relation: str, column: str, node: yaml.Node) -> ColumnMask:
        if isinstance(node, yaml.ScalarNode):
            if node.value == MaskKind.CLEAR:
                return ColumnMask(relation, column, TAG_OF_CLEAR, MaskKind.CLEAR)
            self._refuse(
                node,
                f"{relation}.{column} has no tag.",
                "Write `clear`, or `{tag: email, mask: pseudonym}`.",
            )
        fields = {}
        for key, value in self._entries(node, f"the fields of {relation}.{column}"):
            if key.value not in _KEYS:
                self._refuse(key, f"Unknown field {key.value!r}.", f"Write {', '.join(_KEYS)}.")
            if not isinstance(value, yaml.ScalarNode):
                self._refuse(value, f"{key.value} of {relation}.{column} must be one value.")
            fields[key.value] = value
        for needed in ("tag", "mask"):
            if needed not in fields:
                self._refuse(node, f"{relation}.{column} has no {needed}.")
        tag = fields["tag"].value
        if not _TAG.fullmatch(tag):
            self._refuse(
                fields["tag"],
                f"{tag!r} is not a tag.",
                "Write a word of lower case letters, digits and _, such as national_id.",
            )
        if fields["mask"].value not in set(MaskKind):
            self._refuse(
                fields["mask"],
                f"There is no mask {fields['mask'].value!r}.",
                f"Write one of {', '.join(MaskKind)}.",
            )
        kind = MaskKind(fields["mask"].value)
        argument = self._argument(kind, fields.get("argument"), fields["mask"])
        return ColumnMask(relation, column, tag, kind, argument)

    def _argument(self, kind: MaskKind, node: yaml.Node | None, mask: yaml.Node) -> str:
        argument = "" if node is None else str(node.value)
        place = node or mask
        if kind is MaskKind.PARTIAL and argument not in PARTIAL_FORMS:
            self._refuse(
                place,
                "A partial mask needs its form.",
                f"Write `argument:` and one of {', '.join(PARTIAL_FORMS)}.",
            )
        if kind is MaskKind.BUCKET and not (
            argument in BUCKET_PERIODS or _WIDTH.fullmatch(argument)
        ):
            self._refuse(
                place,
                "A bucket needs its width.",
                "Write `argument:` and a whole number from 1, or one of "
                f"{', '.join(BUCKET_PERIODS)}.",
            )
        if kind not in {MaskKind.PARTIAL, MaskKind.BUCKET} and argument:
            self._refuse(place, f"The mask {kind.value} takes no argument.")
        return argument

    def _entries(
        self, node: yaml.Node | None, what: str
    ) -> Iterator[tuple[yaml.ScalarNode, yaml.Node]]:
        """The pairs of a mapping, each key once and a plain text."""
        if node is None:
            return
        if isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null":
            return
        if not isinstance(node, yaml.MappingNode):
            self._refuse(node, f"Here the {what} are expected, as `name: ...` lines.")
        seen: set[str] = set()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode) or not key.value or "\0" in key.value:
                self._refuse(key, f"Here the {what} are expected, each a name.")
            if key.tag == "tag:yaml.org,2002:merge":
                self._refuse(key, "Merge keys (<<) are not supported.", "Write each line out.")
            if key.value in seen:
                self._refuse(key, f"{key.value!r} stands here twice.", "Keep one of the two.")
            seen.add(key.value)
            yield key, value

    def _refuse(self, node: yaml.Node, message: str, hint: str = "") -> NoReturn:
        raise ConfigError(
            message, file=str(self.path), line=node.start_mark.line + 1, hint=hint
        ) from None
