"""The growing side of the Merkle tree (RFC 6962 section 2.1): frontier and proofs. No IO.

A tree of any size is a row of complete subtrees, largest first, one per bit of the size. These
roots (the *frontier*) are all that appending needs. A complete subtree is named by
``(level, position)``: it covers leaves ``position << level`` up to ``(position + 1) << level``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from jupyter_zt.recording.verify.merkle import EMPTY_ROOT, node_hash

__all__ = [
    "TILE_HEIGHT",
    "Frontier",
    "NodeSource",
    "consistency_proof",
    "inclusion_proof",
    "load_frontier",
]

TILE_HEIGHT = 8  # levels per tile, as C2SP tlog-tiles fixes it

NodeSource = Callable[[int, int], bytes]
"""``(level, position)`` -> root of that complete subtree."""


@dataclass(frozen=True, slots=True)
class Frontier:
    """Roots of the complete subtrees that a tree of `size` leaves consists of, largest first."""

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def append(self, hashed_leaf: bytes) -> tuple[Frontier, list[tuple[int, int, bytes]]]:
        """The frontier after one more leaf, and the tiles' roots that it completed.

        Returns:
            The new frontier and ``(level, position, hash)`` for each newly complete subtree whose
            level is a multiple of `TILE_HEIGHT` above 0.
        """
        hashes, computed, level = list(self.hashes), hashed_leaf, 0
        complete: list[tuple[int, int, bytes]] = []
        while self.size >> level & 1:
            computed = node_hash(hashes.pop(), computed)
            level += 1
            if level % TILE_HEIGHT == 0:
                complete.append((level, self.size >> level, computed))
        return Frontier(self.size + 1, (*hashes, computed)), complete

    def root(self) -> bytes:
        """Merkle tree hash of the whole."""
        if not self.hashes:
            return EMPTY_ROOT
        computed = self.hashes[-1]
        for left in reversed(self.hashes[:-1]):
            computed = node_hash(left, computed)
        return computed


def load_frontier(size: int, node: NodeSource) -> Frontier:
    """The frontier of a stored tree's first `size` leaves."""
    return Frontier(size, tuple(node(level, at >> level) for at, level in _complete(0, size)))


def inclusion_proof(leaf: int, size: int, node: NodeSource) -> list[bytes]:
    """PATH(leaf, D[size]), from the leaf's sibling up (RFC 6962 section 2.1.1)."""
    proof: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _largest_power_below(end - start)
        if leaf < middle:
            proof.append(_range_root(middle, end, node))
            end = middle
        else:
            proof.append(_range_root(start, middle, node))
            start = middle
    return proof[::-1]


def consistency_proof(old_size: int, new_size: int, node: NodeSource) -> list[bytes]:
    """PROOF(old_size, D[new_size]) (RFC 6962 section 2.1.2). Needs ``0 < old_size <= new_size``."""
    proof: list[bytes] = []
    start, end, whole = 0, new_size, True
    while old_size != end:
        middle = start + _largest_power_below(end - start)
        if old_size <= middle:
            proof.append(_range_root(middle, end, node))
            end = middle
        else:
            proof.append(_range_root(start, middle, node))
            start, whole = middle, False
    if not whole:
        proof.append(_range_root(start, end, node))
    return proof[::-1]


def _range_root(start: int, end: int, node: NodeSource) -> bytes:
    """Merkle tree hash of leaves `start` to `end`, where the range is one of RFC 6962's splits."""
    hashes = tuple(node(level, at >> level) for at, level in _complete(start, end))
    return Frontier(end - start, hashes).root()


def _complete(start: int, end: int) -> Iterator[tuple[int, int]]:
    """The complete subtrees of a range as (first leaf, level), largest first."""
    at = start
    while at < end:
        level = (end - at).bit_length() - 1
        yield at, level
        at += 1 << level


def _largest_power_below(count: int) -> int:
    return 1 << ((count - 1).bit_length() - 1)
