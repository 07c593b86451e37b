"""Merkle tree hashes and proof checks (RFC 6962 section 2.1, RFC 9162 section 2.1.3). No IO."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from jupyter_zt.errors import EvidenceError

__all__ = [
    "EMPTY_ROOT",
    "check_consistency",
    "check_inclusion",
    "leaf_hash",
    "node_hash",
    "root_of",
]

EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(data: bytes) -> bytes:
    """Hash of one leaf: ``SHA-256(0x00 || data)``."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of one inner node: ``SHA-256(0x01 || left || right)``."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_of(leaf_hashes: Sequence[bytes]) -> bytes:
    """Merkle tree hash over leaves that are hashed already."""
    if not leaf_hashes:
        return EMPTY_ROOT
    level = list(leaf_hashes)
    while len(level) > 1:
        # A node without a sibling moves up unchanged: the same tree as RFC 6962's recursion.
        pairs = [node_hash(level[at], level[at + 1]) for at in range(0, len(level) - 1, 2)]
        level = pairs + level[2 * len(pairs) :]
    return level[0]


def check_inclusion(
    leaf: int, size: int, hashed_leaf: bytes, proof: Sequence[bytes], root: bytes
) -> None:
    """Check that the leaf at index `leaf` is in the tree of `size` leaves (RFC 9162 2.1.3.2).

    Raises:
        EvidenceError: It is not, or the proof is not of the right shape.
    """
    if any(len(item) != 32 for item in (hashed_leaf, root, *proof)):
        raise _bad_proof("a hash is not of 32 bytes")
    if not 0 <= leaf < size:
        raise _bad_proof("the leaf's index is outside of the tree")
    node, last, computed = leaf, size - 1, hashed_leaf
    for sibling in proof:
        if last == 0:
            raise _bad_proof("it is too long")
        if node & 1 or node == last:
            computed = node_hash(sibling, computed)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            computed = node_hash(computed, sibling)
        node, last = node >> 1, last >> 1
    if last != 0:
        raise _bad_proof("it is too short")
    if computed != root:
        raise _bad_proof("it leads to another root")


def check_consistency(
    old_size: int, new_size: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes
) -> None:
    """Check that the tree of `old_size` is a prefix of that of `new_size` (RFC 6962 2.1.2).

    Raises:
        EvidenceError: It is not, or the proof is not of the right shape.
    """
    if not 0 < old_size <= new_size:
        raise _bad_proof("the sizes are out of order")
    path = list(proof)
    try:
        computed = _both_roots(old_size, new_size, old_root, path, whole=True)
    except IndexError as error:
        raise _bad_proof("it is too short") from error
    if path:
        raise _bad_proof("it is too long")
    if computed != (old_root, new_root):
        raise _bad_proof("it leads to other roots")


def _both_roots(
    old_size: int, new_size: int, old_root: bytes, path: list[bytes], *, whole: bool
) -> tuple[bytes, bytes]:
    """Old and new root of a subtree: SUBPROOF of RFC 6962 read backwards, the topmost hash first.

    `whole` says that the old subtree is the whole old tree, whose root needs no proof.
    """
    if old_size == new_size:
        root = old_root if whole else path.pop()
        return root, root
    middle = 1 << ((new_size - 1).bit_length() - 1)
    sibling = path.pop()
    if old_size <= middle:
        old, new = _both_roots(old_size, middle, old_root, path, whole=whole)
        return old, node_hash(new, sibling)
    old, new = _both_roots(old_size - middle, new_size - middle, old_root, path, whole=False)
    return node_hash(sibling, old), node_hash(sibling, new)


def _bad_proof(why: str) -> EvidenceError:
    return EvidenceError(f"The Merkle proof does not hold: {why}.", code="bad_proof")
