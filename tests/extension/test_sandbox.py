"""How kernels start, restart and end in the sandbox, and when they are refused."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from jupyter_client import KernelManager, MultiKernelManager
from traitlets.config import Config

from jupyter_zt.errors import PermissionDeniedError, UnavailableError, ZTError
from jupyter_zt.extension import bubblewrap, sandbox, seccomp
from jupyter_zt.extension.sandbox_view import check_work_folder
from tests.kernel.running_kernel import RunningKernel, TestBroker

ROOT = Path(__file__).parents[2]
OWN_STDERR = "sys.stderr._original_stdstream_copy"  # where ipykernel moved the process's own


@pytest.fixture(autouse=True)
def _own_temporary_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """So that the folders of other kernels on this machine are not counted."""
    tmp_path_factory.getbasetemp()  # made before the change: it stays where it is
    folder = tempfile.mkdtemp(prefix="zt-t-")
    monkeypatch.setattr(tempfile, "tempdir", folder)
    yield
    shutil.rmtree(folder)


@pytest.fixture
def broker() -> Iterator[TestBroker]:
    folder = Path(tempfile.mkdtemp(prefix="zt-s-"))
    with TestBroker(folder) as broker:
        yield broker
    shutil.rmtree(folder)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "notebooks"
    folder.mkdir()
    return folder


def own_folders() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob("zt-kernel-*"))


def test_a_kernel_ends_without_a_process_or_a_folder_left(work: Path, broker: TestBroker) -> None:
    before = own_folders()
    kernel = RunningKernel(work, env={**os.environ, "JPY_SESSION_NAME": "tour.ipynb"})
    processes = [psutil.Process(kernel.pid), *psutil.Process(kernel.pid).children(recursive=True)]
    assert len(own_folders() - before) == 1
    kernel.stop()
    psutil.wait_procs(processes, timeout=10)
    assert not any(process.is_running() for process in processes)
    assert own_folders() == before
    (kernel_id, notebook, state) = broker.opened[0]
    assert notebook == "tour.ipynb"
    assert state.state == "sandboxed"
    assert state.detail.startswith("bubblewrap 0.")
    assert broker.ended == [(kernel_id, False)]


def test_a_restart_keeps_kernel_id_and_folder(work: Path, broker: TestBroker) -> None:
    kernel = RunningKernel(work)
    folder, pid = Path(kernel.manager.connection_file).parent, kernel.pid
    kernel.run("x = 1")
    kernel.restart()
    assert kernel.run("x").reply["ename"] == "NameError"
    assert Path(kernel.manager.connection_file).parent == folder
    assert kernel.pid != pid
    kernel.stop()
    ids = {kernel_id for kernel_id, _, _ in broker.opened}
    assert len(ids) == 1
    assert [restart for _, restart in broker.ended] == [True, False]


@pytest.mark.usefixtures("broker")
def test_each_kernel_has_a_folder_of_its_own_for_its_user_alone(work: Path) -> None:
    kernels = [RunningKernel(work), RunningKernel(work)]
    folders = {Path(kernel.manager.connection_file).parent for kernel in kernels}
    assert len(folders) == 2
    assert {folder.stat().st_mode & 0o777 for folder in folders} == {0o700}
    assert all(kernel.manager.transport == "ipc" for kernel in kernels)
    for kernel in kernels:
        kernel.stop()


@pytest.mark.usefixtures("broker")
def test_the_environment_is_an_allow_list(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setenv("PGPASSWORD", "x")
    kernel = RunningKernel(work)
    names = set(ast.literal_eval(kernel.value("list(__import__('os').environ)")))
    kernel.stop()
    assert {"LC_ALL", "ZT_SOCKET", "HOME", "PATH"} <= names
    set_by_ipykernel = {"PWD", "TERM", "CLICOLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "PAGER"}
    set_by_ipykernel |= {"GIT_PAGER", "MPLBACKEND", "PYDEVD_USE_FRAME_EVAL"}
    allowed = {"LANG", "LANGUAGE", "TZ", "JPY_SESSION_NAME", "PYTHONDONTWRITEBYTECODE"}
    allowed |= {"PYTHONNOUSERSITE", "PYTHONPATH", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"}
    allowed |= {"MKL_NUM_THREADS", "LC_ALL", "ZT_SOCKET", "HOME", "PATH", "JUPYTER_ZT_URL"}
    assert names <= allowed | set_by_ipykernel | {n for n in names if n.startswith("LC_")}


def refused(work: Path, **settings: Any) -> ZTError:
    before = own_folders()
    manager = KernelManager(kernel_name="zt", config=Config(settings))
    with pytest.raises(ZTError) as caught:
        manager.start_kernel(cwd=str(work))
    assert own_folders() == before
    return caught.value


def test_without_a_broker_no_kernel_of_a_server_starts_whoever_is_logged_in(work: Path) -> None:
    """A stock Jupyter server serves whoever comes: it never gets its user's own login."""
    sandbox.set_session_opener(None)
    before = own_folders()
    with pytest.raises(UnavailableError) as caught:
        MultiKernelManager().start_kernel(kernel_name="zt", cwd=str(work))
    assert caught.value.code == "no_broker"
    assert own_folders() == before


def test_without_a_broker_and_a_login_no_kernel_starts(work: Path) -> None:
    sandbox.set_session_opener(None)
    assert refused(work).code == "not_logged_in"


def test_a_broker_that_refuses_stops_the_start(work: Path) -> None:
    class Refusing(TestBroker):
        async def open(self, *args: object) -> Path:
            raise PermissionDeniedError("Log in first.", code="login_expired")

    with Refusing(work):
        assert refused(work).code == "login_expired"


def test_without_bubblewrap_it_says_what_to_install_and_which_setting_accepts_the_risk(
    work: Path, broker: TestBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bubblewrap, "find", lambda: "")
    error = refused(work)
    assert error.code == "no_bubblewrap"
    for words in ("apt install bubblewrap", "c.ZT.allow_unsandboxed = True"):
        assert words in str(error)
    assert broker.opened == []


@pytest.mark.usefixtures("broker")
def test_without_user_namespaces_it_says_so(
    work: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "bwrap"
    broken.write_text(
        "#!/bin/sh\necho 'bwrap: No permissions to create a new namespace' >&2\nexit 1"
    )
    broken.chmod(0o755)
    monkeypatch.setattr(bubblewrap, "find", lambda: str(broken))
    error = refused(work)
    assert error.code == "sandbox_unavailable"
    assert "No permissions to create a new namespace" in str(error)
    assert "unprivileged_userns_clone" in str(error)


@pytest.mark.parametrize("accepted", [True, "True", "1"])
def test_the_accepted_risk_is_said_and_the_environment_is_scrubbed_all_the_same(
    work: Path, broker: TestBroker, monkeypatch: pytest.MonkeyPatch, accepted: object
) -> None:
    monkeypatch.setattr(bubblewrap, "find", lambda: "")
    monkeypatch.setenv("PGPASSWORD", "x")
    manager = KernelManager(
        kernel_name="zt", config=Config({"ZT": {"allow_unsandboxed": accepted}})
    )
    manager.start_kernel(cwd=str(work))
    try:
        client = manager.client()
        client.start_channels()
        client.wait_for_ready(timeout=60)
        seen: list[str] = []
        client.execute_interactive(
            "import os; print(*map(os.environ.get, ('PGPASSWORD', 'JUPYTER_ZT_URL', 'ZT_SOCKET')))",
            output_hook=lambda message: seen.append(message["content"].get("text", "")),
        )
        client.stop_channels()
    finally:
        manager.shutdown_kernel(now=True)
    assert "".join(seen).strip() == f"None None {broker.folder}/gateway.sock"
    state = broker.opened[0][2]
    assert state.state == "unsandboxed"
    assert "not installed" in state.detail


@pytest.mark.usefixtures("broker")
def test_it_is_not_accepted_by_anything_else(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bubblewrap, "find", lambda: "")
    for value in (False, "False", "no", ""):
        assert refused(work, ZT={"allow_unsandboxed": value}).code == "no_bubblewrap"


def test_folders_that_no_kernel_gets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, runtime = tmp_path / "home", tmp_path / "home" / "run"
    for folder in (home / "work", runtime, tmp_path / "state" / "deep"):
        folder.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(runtime))
    protected = [tmp_path / "state" / "deep"]
    assert check_work_folder(home / "work", None, protected) == home / "work"
    bad = [home, tmp_path, runtime, tmp_path / "state", protected[0], Path("/"), Path("/etc")]
    for folder in [*bad, tmp_path / "missing"]:
        with pytest.raises(PermissionDeniedError) as caught:
            check_work_folder(folder, None, protected)
        assert caught.value.code == "work_folder_refused"


@pytest.mark.usefixtures("broker")
def test_a_kernel_that_dies_is_explained_in_the_servers_log(
    work: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kernel = RunningKernel(work)
    kernel.start(f"import os, sys; os.write({OWN_STDERR}, b'no \\x1b[31mluck\\n'); os._exit(7)")
    deadline = time.monotonic() + 10
    while kernel.manager.is_alive() and time.monotonic() < deadline:
        time.sleep(0.05)
    kernel.stop()
    assert "no ?[31mluck" in caplog.text


@pytest.mark.usefixtures("broker")
def test_output_without_end_does_not_block_a_kernel(work: Path) -> None:
    kernel = RunningKernel(work)
    kernel.run(f"import os, sys\nfor _ in range(2000): os.write({OWN_STDERR}, b'x' * 1000)")
    assert kernel.value("1 + 1") == "2"
    kernel.stop()


@pytest.mark.usefixtures("broker")
def test_a_long_temporary_folder_does_not_break_the_sockets(
    work: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    long = tmp_path / ("x" * 90)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    kernel = RunningKernel(work)
    assert kernel.value("1 + 1") == "2"
    kernel.stop()


def test_an_ordinary_user_gets_the_same_sandbox(work: Path, broker: TestBroker) -> None:
    """Without any privilege: as user 1000 of a user namespace when the tests run as root."""
    program = (
        "import sys\nfrom pathlib import Path\n"
        "from tests.kernel.running_kernel import RunningKernel, TestBroker\n"
        "with TestBroker(Path(sys.argv[1])) as broker:\n"
        "    kernel = RunningKernel(Path(sys.argv[2]))\n"
        "    print(kernel.value('__import__(\"os\").getuid()'), broker.opened[0][2].state)\n"
        "    kernel.restart(); kernel.stop()\n"
    )
    line = [sys.executable, "-c", program, str(broker.folder), str(work)]
    if os.getuid() == 0:
        line = ["unshare", "-U", "--map-user=1000", "--map-group=1000", *line]
    done = subprocess.run(
        line,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["65534", "sandboxed"]


def test_the_filter_is_there_for_the_machines_that_it_knows() -> None:
    assert len(seccomp.program("x86_64")) % 8 == 0
    assert seccomp.program("x86_64") != seccomp.program("aarch64") != b""
    assert seccomp.program("s390x") == b""
