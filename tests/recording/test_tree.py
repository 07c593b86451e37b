from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from jupyter_zt.errors import EvidenceError
from jupyter_zt.recording.tree import (
    TILE_HEIGHT,
    Frontier,
    consistency_proof,
    inclusion_proof,
    load_frontier,
)
from jupyter_zt.recording.verify.merkle import (
    EMPTY_ROOT,
    check_consistency,
    check_inclusion,
    leaf_hash,
    node_hash,
    root_of,
)

LEAVES = [leaf_hash(b"%d" % number) for number in range(700)]
sizes = st.integers(1, 300)


def root_by_definition(leaves: list[bytes]) -> bytes:
    """MTH as RFC 6962 section 2.1 writes it."""
    if len(leaves) < 2:
        return leaves[0] if leaves else EMPTY_ROOT
    split = 1 << ((len(leaves) - 1).bit_length() - 1)
    return node_hash(root_by_definition(leaves[:split]), root_by_definition(leaves[split:]))


def node(level: int, position: int) -> bytes:
    return root_of(LEAVES[position << level : (position + 1) << level])


def holds(check: object, *arguments: object) -> bool:
    try:
        check(*arguments)  # type: ignore[operator]
    except EvidenceError:
        return False
    return True


def test_frontier_has_the_root_that_the_rfc_defines_at_every_size() -> None:
    frontier, tiles = Frontier(), {}
    assert frontier.root() == root_of([]) == EMPTY_ROOT
    for size, leaf in enumerate(LEAVES, 1):
        frontier, complete = frontier.append(leaf)
        tiles.update({(level, position): root for level, position, root in complete})
        assert frontier.root() == root_by_definition(LEAVES[:size]) == root_of(LEAVES[:size])
        assert load_frontier(size, node) == frontier
    assert tiles == {(TILE_HEIGHT, 0): node(8, 0), (TILE_HEIGHT, 1): node(8, 1)}


@given(sizes, st.data())
def test_inclusion_proof_holds_for_its_leaf_alone(size: int, data: st.DataObject) -> None:
    leaf = data.draw(st.integers(0, size - 1))
    proof, root = inclusion_proof(leaf, size, node), root_of(LEAVES[:size])
    assert holds(check_inclusion, leaf, size, LEAVES[leaf], proof, root)
    assert not holds(check_inclusion, leaf, size, LEAVES[leaf + 1], proof, root)
    assert not holds(check_inclusion, leaf, size, LEAVES[leaf], [*proof, LEAVES[0]], root)
    assert not holds(check_inclusion, leaf, size, LEAVES[leaf], proof, LEAVES[0] + b"x")
    if proof:
        assert not holds(check_inclusion, leaf, size, LEAVES[leaf], proof[:-1], root)
        assert not holds(check_inclusion, leaf, size, LEAVES[leaf], proof[::-1][:-1], root)
    for other in (-1, size, size + 1):
        assert not holds(check_inclusion, other, size, LEAVES[leaf], proof, root)


@given(sizes, st.data())
def test_consistency_proof_holds_for_prefixes_alone(size: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, size))
    proof = consistency_proof(old, size, node)
    old_root, root = root_of(LEAVES[:old]), root_of(LEAVES[:size])
    assert holds(check_consistency, old, size, proof, old_root, root)
    assert not holds(check_consistency, old, size, proof, LEAVES[699], root)
    assert not holds(check_consistency, old, size, proof, old_root, LEAVES[699])
    assert not holds(check_consistency, old, size, [*proof, root], old_root, root)
    assert not holds(check_consistency, size + 1, size, proof, old_root, root)
    assert not holds(check_consistency, 0, size, proof, EMPTY_ROOT, root)
    if proof:
        assert not holds(check_consistency, old, size, proof[:-1], old_root, root)
