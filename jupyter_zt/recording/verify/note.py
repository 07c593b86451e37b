"""C2SP signed notes, checkpoints and tlog proofs: parsing and checking. No IO.

Sources: https://c2sp.org/signed-note, https://c2sp.org/tlog-checkpoint, https://c2sp.org/tlog-proof.
Parsing is strict: base64 that decodes but isn't what an encoder writes is refused, so that no
byte of a note or proof can be changed without a complaint.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from jupyter_zt.errors import EvidenceError

__all__ = [
    "ED25519",
    "Checkpoint",
    "Proof",
    "VerifierKey",
    "decode_base64",
    "key_id",
    "open_note",
    "parse_hashes",
    "split_note",
]

ED25519 = 0x01  # signature type of signed-note
_MAX_NOTE_CHARACTERS = 64 * 1024
_MAX_SIGNATURES = 64
_MAX_PROOF_HASHES = 64  # a tree of 2**63 leaves needs 63
_PROOF_HEADER = "c2sp.org/tlog-proof@v1"
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_NAME = re.compile(r"[^\s+]+")


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A pinned Ed25519 key (a *vkey*): ``<name>+<hex key id>+<base64(0x01 || public key)>``."""

    name: str
    id: bytes
    public: bytes

    @classmethod
    def parse(cls, vkey: str) -> VerifierKey:
        """Read a vkey.

        Raises:
            EvidenceError: It is not one, or not of Ed25519.
        """
        name, _, rest = vkey.partition("+")
        hex_id, _, encoded = rest.partition("+")
        material = decode_base64(encoded)
        if not _NAME.fullmatch(name) or len(material) != 33 or material[0] != ED25519:
            raise _bad_note("the verifier key is not an Ed25519 vkey")
        public = material[1:]
        if hex_id != key_id(name, public).hex():
            raise _bad_note("the verifier key's id does not belong to its name and key")
        return cls(name, bytes.fromhex(hex_id), public)

    def check(self, text: bytes, signature: bytes) -> None:
        """Check this key's signature over a note's text.

        Raises:
            EvidenceError: With code ``bad_signature``.
        """
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text)
        except (InvalidSignature, ValueError) as error:
            raise EvidenceError(
                f"The signature of {self.name} does not belong to this checkpoint.",
                code="bad_signature",
            ) from error


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A log's tree head: origin, number of leaves, root hash."""

    origin: str
    size: int
    root: bytes

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """Read a note's text as a checkpoint. Extension lines are refused: ours has none.

        Raises:
            EvidenceError: It is not one.
        """
        lines = text.split("\n")
        if len(lines) != 4 or lines[3] or not lines[0]:
            raise _bad_note("a checkpoint has three lines")
        root = decode_base64(lines[2])
        if not _DECIMAL.fullmatch(lines[1]) or len(root) != 32:
            raise _bad_note("the checkpoint's size or root can't be read")
        return cls(lines[0], int(lines[1]), root)

    def text(self) -> str:
        """The note text that is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


@dataclass(frozen=True, slots=True)
class Proof:
    """A tlog proof: where a leaf is, its inclusion proof, and the checkpoint it leads to."""

    leaf: int
    hashes: tuple[bytes, ...]
    note: str

    @classmethod
    def parse(cls, text: str) -> Proof:
        """Read a tlog proof without extra data.

        Raises:
            EvidenceError: It is not one.
        """
        head, _, note = text.partition("\n\n")
        lines = head.split("\n")
        if len(lines) < 2 or len(lines) > 2 + _MAX_PROOF_HASHES or lines[0] != _PROOF_HEADER:
            raise _bad_note("it is not a tlog proof")
        word, _, index = lines[1].partition(" ")
        if word != "index" or not _DECIMAL.fullmatch(index):
            raise _bad_note("the proof's index can't be read")
        return cls(int(index), parse_hashes(lines[2:]), note)

    def text(self) -> str:
        """The proof as C2SP writes it."""
        lines = [_PROOF_HEADER, f"index {self.leaf}"]
        lines += [base64.b64encode(item).decode() for item in self.hashes]
        return "\n".join(lines) + "\n\n" + self.note


def open_note(note: str, keys: Sequence[VerifierKey]) -> tuple[str, list[VerifierKey]]:
    """Check a note's signatures against pinned keys.

    Returns:
        Its text, and the pinned keys that signed it: empty when none did.

    Raises:
        EvidenceError: ``bad_note`` when it is malformed, ``bad_signature`` when the signature of a
            pinned key is wrong. Signatures of unknown keys are ignored, as signed-note asks.
    """
    text, signatures = split_note(note)
    signers: list[VerifierKey] = []
    for name, identifier, signature in signatures:
        for key in keys:
            if (key.name, key.id) == (name, identifier):
                key.check(text.encode(), signature)
                signers.append(key)
    return text, signers


def split_note(note: str) -> tuple[str, list[tuple[str, bytes, bytes]]]:
    """A note's text and its signatures as (key name, key id, signature), unchecked.

    Raises:
        EvidenceError: It is not a signed note.
    """
    if len(note) > _MAX_NOTE_CHARACTERS or _CONTROL.search(note):
        raise _bad_note("it is too long or holds control characters")
    text, separator, tail = note.rpartition("\n\n")
    lines = tail.split("\n")
    if not separator or lines.pop() or not 0 < len(lines) <= _MAX_SIGNATURES:
        raise _bad_note("it has no signature lines")
    return text + "\n", [_signature(line) for line in lines]


def key_id(name: str, public: bytes) -> bytes:
    """First four bytes of ``SHA-256(name || 0x0A || 0x01 || public key)``."""
    return hashlib.sha256(name.encode() + b"\n" + bytes([ED25519]) + public).digest()[:4]


def decode_base64(text: str) -> bytes:
    """Decode standard base64 exactly as an encoder writes it.

    Raises:
        EvidenceError: It holds anything else, such as spaces or stray bits.
    """
    try:
        decoded = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, ValueError) as error:
        raise _bad_note("its base64 can't be read") from error
    if base64.b64encode(decoded).decode() != text:
        raise _bad_note("its base64 is not canonical")
    return decoded


def parse_hashes(lines: Sequence[str]) -> tuple[bytes, ...]:
    """Lines of base64, one SHA-256 hash each.

    Raises:
        EvidenceError: One is not.
    """
    hashes = tuple(decode_base64(line) for line in lines)
    if any(len(item) != 32 for item in hashes):
        raise _bad_note("a hash is not of 32 bytes")
    return hashes


def _signature(line: str) -> tuple[str, bytes, bytes]:
    dash, _, rest = line.partition(" ")
    name, _, encoded = rest.partition(" ")
    if dash != "\u2014" or not _NAME.fullmatch(name):
        raise _bad_note("a signature line can't be read")
    decoded = decode_base64(encoded)
    if len(decoded) < 5:
        raise _bad_note("a signature is too short")
    return name, decoded[:4], decoded[4:]


def _bad_note(why: str) -> EvidenceError:
    return EvidenceError(f"This is no well-formed note: {why}.", code="bad_note")
