from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from jupyter_zt.errors import ConfigError, EvidenceError
from jupyter_zt.recording.signing import load_or_create_key, sign_checkpoint, verifier_key
from jupyter_zt.recording.verify.note import (
    Checkpoint,
    Proof,
    VerifierKey,
    decode_base64,
    open_note,
    split_note,
)

# The example of https://c2sp.org/signed-note
EXAMPLE_VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
EXAMPLE_NOTE = (
    "This is an example message.\n\n"
    "\u2014 example.com/foo "
    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
CHECKPOINT = Checkpoint("gateway.test/zt", 42, bytes(range(32)))
NOTE = sign_checkpoint(CHECKPOINT, KEY)
VKEY = VerifierKey.parse(verifier_key(CHECKPOINT.origin, KEY))


def test_the_specifications_example_verifies() -> None:
    text, signers = open_note(EXAMPLE_NOTE, [VerifierKey.parse(EXAMPLE_VKEY)])
    assert text == "This is an example message.\n"
    assert [key.name for key in signers] == ["example.com/foo"]


def test_a_signed_checkpoint_reads_back() -> None:
    text, signers = open_note(NOTE, [VKEY])
    assert Checkpoint.parse(text) == CHECKPOINT
    assert signers == [VKEY]


def test_signatures_of_unknown_keys_are_ignored_and_count_for_nothing() -> None:
    other = Ed25519PrivateKey.generate()
    both = NOTE + sign_checkpoint(CHECKPOINT, other).split("\n")[-2] + "\n"
    assert open_note(both, [VKEY])[1] == [VKEY]
    assert open_note(both, [])[1] == []
    assert len(split_note(both)[1]) == 2


def test_a_wrong_signature_of_a_known_key_rejects_the_note() -> None:
    forged = NOTE.replace("\n42\n", "\n43\n")
    with pytest.raises(EvidenceError) as caught:
        open_note(forged, [VKEY])
    assert caught.value.code == "bad_signature"


@pytest.mark.parametrize("place", range(len(NOTE.encode())))
def test_no_byte_of_a_note_can_be_changed(place: int) -> None:
    changed = bytearray(NOTE.encode())
    changed[place] ^= 1
    try:
        note = changed.decode()
        text, signers = open_note(note, [VKEY])
        accepted = signers == [VKEY] and Checkpoint.parse(text) == CHECKPOINT
    except (EvidenceError, UnicodeDecodeError):
        return
    assert not accepted


def _checkpoint_of(proof: str) -> Checkpoint:
    return Checkpoint.parse(open_note(Proof.parse(proof).note, [VKEY])[0])


def test_a_proof_reads_back_and_is_strict() -> None:
    proof = Proof(7, (bytes(32), bytes(range(32))), NOTE)
    text = proof.text()
    assert text.startswith("c2sp.org/tlog-proof@v1\nindex 7\n")
    assert Proof.parse(text) == proof
    for wrong in (
        text.replace("index 7", "index 07"),
        text.replace("@v1", "@v2"),
        text.replace("index 7\n", "index 7\n\n", 1).replace("=\n", "\n", 1),
        text.replace("AAA=", "AAB=", 1),
    ):
        with pytest.raises(EvidenceError):
            _checkpoint_of(wrong)


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "name",
        "name+00000000",
        EXAMPLE_VKEY.replace("530d903a", "530d903b"),
        EXAMPLE_VKEY.replace("530d903a", "530D903A"),
        EXAMPLE_VKEY[:-1],
        EXAMPLE_VKEY.replace("example.com/foo", "example.com/ foo"),
    ],
)
def test_a_key_that_is_not_exactly_a_vkey_is_refused(vkey: str) -> None:
    with pytest.raises(EvidenceError):
        VerifierKey.parse(vkey)


@given(st.text(max_size=200) | st.sampled_from([NOTE, EXAMPLE_NOTE]), st.text(max_size=20))
def test_whatever_is_read_as_a_note_raises_the_domains_error_or_nothing(a: str, b: str) -> None:
    for text in (a, a + b, b + a, a[: len(a) // 2] + b + a[len(a) // 2 :]):
        for read in (split_note, Checkpoint.parse, Proof.parse, VerifierKey.parse, decode_base64):
            with contextlib.suppress(EvidenceError):
                read(text)


def test_the_key_file_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "log.key"
    first = load_or_create_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_or_create_key(path).private_bytes_raw() == first.private_bytes_raw()
    assert list(tmp_path.iterdir()) == [path]


def test_a_key_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "log.key"
    load_or_create_key(path)
    path.chmod(0o640)
    with pytest.raises(ConfigError, match="Others may read"):
        load_or_create_key(path)


@pytest.mark.parametrize("content", [b"", b"no key", b"\xff" * 100])
def test_a_broken_key_file_is_never_replaced(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "log.key"
    path.touch(mode=0o600)
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="can't be used"):
        load_or_create_key(path)
    assert path.read_bytes() == content


def test_a_key_in_a_folder_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_or_create_key(tmp_path / "missing" / "log.key")
    assert os.fspath(tmp_path) in caught.value.file
