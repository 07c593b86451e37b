"""The session bundle: a session's records in order, their salts and bodies. No IO.

Canonical JSON of ``{"v", "session", "records": [text], "bodies": {hash: {"salt", "body"}}}``:
records as the exact text that was hashed, hashes in hex, salts and bodies in base64.
Reading it checks every rule that needs no signature: places in the session, the chain of leaf
hashes, and that each body is the one that its record names.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from jupyter_zt.errors import EvidenceError
from jupyter_zt.recording.verify.merkle import leaf_hash
from jupyter_zt.recording.verify.note import decode_base64
from jupyter_zt.recording.verify.strict_json import canonical_text, parse_json

__all__ = ["Bundle", "Entry", "encode_bundle", "parse_bundle"]

_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")
_HASH = re.compile(r"[0-9a-f]{64}")
_BUNDLE_KEYS = {"v", "session", "records", "bodies"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One record of the bundle.

    Attributes:
        fields: The record, parsed.
        hash: Its leaf hash.
        bodies: Name -> hash in hex.
    """

    fields: Mapping[str, Any]
    hash: bytes
    leaf: int
    seq: int
    kind: str
    bodies: Mapping[str, str]

    def text(self, name: str) -> str:
        """A field as text, or "" where it is not text."""
        value = self.fields.get(name)
        return value if isinstance(value, str) else ""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A session's records and bodies, and what is wrong with them.

    Attributes:
        bodies: Hash in hex -> body, for those that are here.
        broken: What was changed, one sentence each.
    """

    origin: str
    session: str
    entries: tuple[Entry, ...]
    bodies: Mapping[str, bytes]
    broken: tuple[str, ...]

    def body(self, entry: Entry, name: str) -> bytes | None:
        """A record's body, or None where it was erased."""
        return self.bodies.get(entry.bodies.get(name, ""))

    def of_kind(self, kind: str) -> list[Entry]:
        """The records of one kind, in order."""
        return [entry for entry in self.entries if entry.kind == kind]


def encode_bundle(
    session: str, records: Iterable[bytes], bodies: Mapping[str, tuple[bytes, bytes]]
) -> str:
    """The bundle as the notebook's metadata holds it: base64 of canonical JSON."""
    value = {
        "v": "1",
        "session": session,
        "records": [record.decode() for record in records],
        "bodies": {
            name: {"salt": _base64(salt), "body": _base64(body)}
            for name, (salt, body) in bodies.items()
        },
    }
    return _base64(canonical_text(value).encode())


def parse_bundle(encoded: str) -> Bundle:
    """Read a bundle.

    Raises:
        EvidenceError: It is malformed. What is well-formed and yet wrong is in `Bundle.broken`.
    """
    raw = decode_base64(encoded)
    value = parse_json(raw)
    if not isinstance(value, dict) or set(value) != _BUNDLE_KEYS or value["v"] != "1":
        raise _malformed("it has other fields than version 1")
    if canonical_text(value).encode("utf-8", "replace") != raw:
        raise _malformed("it is not canonical JSON")
    texts, session = value["records"], value["session"]
    if not isinstance(session, str) or not isinstance(texts, list) or not texts:
        raise _malformed("it holds no records of a session")
    entries = tuple(_entry(text) for text in texts)
    bodies, wrong = _bodies(value["bodies"])
    broken = [*_chain_faults(session, entries), *wrong]
    named = {name for entry in entries for name in entry.bodies.values()}
    if not set(bodies) <= named:
        broken.append("A body is there that no record names.")
    return Bundle(entries[0].text("origin"), session, entries, bodies, tuple(broken))


def _entry(text: object) -> Entry:
    if not isinstance(text, str):
        raise _malformed("a record is no text")
    try:
        data = text.encode()
    except UnicodeEncodeError as error:
        raise _malformed("a record is no Unicode") from error
    fields = parse_json(data)
    if not isinstance(fields, dict) or fields.get("v") != "1":
        raise _malformed("a record is not of version 1")
    bodies = fields.get("bodies", {})
    if not isinstance(bodies, dict) or not all(_is_hash(item) for item in bodies.values()):
        raise _malformed("a record's body hashes can't be read")
    if not all(isinstance(fields.get(name), str) for name in ("kind", "origin", "session", "prev")):
        raise _malformed("a record lacks a field")
    leaf, seq = _count(fields.get("leaf")), _count(fields.get("seq"))
    return Entry(fields, leaf_hash(data), leaf, seq, fields["kind"], bodies)


def _chain_faults(session: str, entries: tuple[Entry, ...]) -> list[str]:
    """Where records do not follow each other as they were written."""
    faults: list[str] = []
    origin, prev, leaf = entries[0].text("origin"), "", -1
    for place, entry in enumerate(entries):
        if entry.text("session") != session or entry.text("origin") != origin:
            faults.append(f"Record {entry.leaf} belongs to another session or log.")
        elif entry.seq != place or entry.text("prev") != prev or entry.leaf <= leaf:
            faults.append(f"Record {entry.leaf} does not follow the one before it.")
        if entry.kind == "seal" and place != len(entries) - 1:
            faults.append("Records follow the seal.")
        prev, leaf = entry.hash.hex(), entry.leaf
    return faults


def _bodies(value: object) -> tuple[dict[str, bytes], list[str]]:
    if not isinstance(value, dict):
        raise _malformed("its bodies can't be read")
    bodies: dict[str, bytes] = {}
    faults: list[str] = []
    for name, item in value.items():
        if not _is_hash(name) or not isinstance(item, dict) or set(item) != {"salt", "body"}:
            raise _malformed("a body can't be read")
        if not all(isinstance(part, str) for part in item.values()):
            raise _malformed("a body is no text")
        salt, body = decode_base64(item["salt"]), decode_base64(item["body"])
        if len(salt) != 32 or hashlib.sha256(b"\x02" + salt + body).hexdigest() != name:
            faults.append(f"The body {name[:16]}... is not the one that was recorded.")
        bodies[name] = body
    return bodies, faults


def _is_hash(value: object) -> bool:
    return isinstance(value, str) and _HASH.fullmatch(value) is not None


def _count(value: object) -> int:
    if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
        raise _malformed("a record's place can't be read")
    return int(value)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _malformed(why: str) -> EvidenceError:
    return EvidenceError(f"The recorded session can't be read: {why}.", code="bad_bundle")
