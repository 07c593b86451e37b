"""The demo's directory: its lock, its ports, its secrets, and files that a person has edited."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

import pytest

from jupyter_zt.cli.demo.configuration import Writer
from jupyter_zt.cli.demo.layout import Layout, make_layout
from jupyter_zt.errors import ConflictError, UnavailableError


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = make_layout(tmp_path / "demo")
    layout.prepare()
    return layout


def test_second_demo_in_the_same_directory_is_refused(layout: Layout) -> None:
    layout.lock()
    with pytest.raises(ConflictError) as refused:
        layout.lock()
    assert refused.value.code == "demo_running"
    assert str(layout.root) in refused.value.message
    assert "--dir" in refused.value.hint


def test_secrets_stay_and_only_their_owner_can_read_them(layout: Layout) -> None:
    before = layout.secret("warehouse")
    layout.prepare()
    assert layout.secret("warehouse") == before
    assert stat.S_IMODE(layout.secret_file("warehouse").stat().st_mode) == 0o600


def test_gateway_does_not_get_the_superusers_password(layout: Layout) -> None:
    superuser = layout.secret("postgres_superuser")
    given = [path.read_text() for path in layout.gateway.rglob("*") if path.is_file()]
    assert superuser not in given


def test_ports_are_the_same_next_time(layout: Layout) -> None:
    assert layout.ports(taken=1) == layout.ports(taken=1)


def test_port_that_is_in_use_is_replaced_and_the_others_stay(layout: Layout) -> None:
    before = layout.ports(taken=1)
    with socket.socket() as other:
        other.bind(("127.0.0.1", before["gateway"]))
        other.listen()
        after = layout.ports(taken=1)
    assert after["gateway"] != before["gateway"]
    assert {**after, "gateway": 0} == {**before, "gateway": 0}


def test_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UnavailableError) as refused:
        make_layout(tmp_path / "file" / "demo")
    assert "--dir" in refused.value.hint


def test_edited_file_is_kept_and_an_untouched_one_is_renewed(layout: Layout) -> None:
    edited, untouched = layout.gateway / "gateway.yaml", layout.gateway / "classification.yaml"
    first = Writer(layout)
    for path in (edited, untouched):
        first.write(path, "first")
    edited.write_text("mine")
    second = Writer(layout)
    for path in (edited, untouched):
        second.write(path, "second")
    assert edited.read_text() == "mine"
    assert untouched.read_text() == "second"
    assert second.kept == ["gateway/gateway.yaml"]
