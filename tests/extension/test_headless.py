"""Kernels without a Jupyter server: nbclient, `jupyter execute`, papermill, `jupyter console`."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import nbformat
import pexpect
import pytest
from jupyter_core.utils import ensure_async
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError

from jupyter_zt.recording.verify import verify
from tests.cli.command_line import CommandLine
from tests.fixtures_gateway import Gateway

READ = "%%sql warehouse\nSELECT id, email FROM customers ORDER BY id LIMIT 2"


@pytest.fixture(scope="module")
def line(gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    """A person who is logged in on the command line."""
    line = CommandLine(tmp_path_factory.mktemp("login"), gateway.url)
    assert line.log_in("analyst")[0] == 0
    return line


@pytest.fixture
def login(line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """That person's login, in this process."""
    monkeypatch.setenv("XDG_STATE_HOME", line.environment["XDG_STATE_HOME"])


@pytest.fixture
def work() -> Iterator[Path]:
    """Where an ordinary user, too, gets in."""
    folder = Path(tempfile.mkdtemp(prefix="zt-headless-"))
    yield folder
    shutil.rmtree(folder)


def notebook(*sources: str) -> Any:
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    metadata = {"kernelspec": {"name": "zt", "display_name": "Zero trust"}}
    return nbformat.v4.new_notebook(cells=cells, metadata=metadata)


def client(work: Path, *sources: str, **options: Any) -> NotebookClient:
    resources = {"metadata": {"path": str(work)}}
    return NotebookClient(notebook(*sources), resources=resources, **{"timeout": 60, **options})


def recording(work: Path, stem: str = "*") -> Path:
    [found] = work.glob(f"{stem}.*.zt.ipynb")
    return found


def sources(path: Path) -> list[str]:
    cells = json.loads(path.read_text())["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def until(holds: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def report(gateway: Gateway, path: Path) -> Any:
    return verify(path, json.loads((gateway.folder / "state/trust.json").read_text()))


@pytest.mark.usefixtures("login")
def test_nbclient_runs_a_notebook_in_a_recorded_session(gateway: Gateway, work: Path) -> None:
    run = client(
        work,
        "%zt",
        READ,
        "from IPython.display import HTML, Javascript, display\n"
        "display(HTML('<b>5</b><script>vote()</script>'), Javascript('vote()'))",
        "import socket\ntry:\n    socket.create_connection(('127.0.0.1', 80), 2)\n"
        "except OSError as error:\n    print('no way out')",
    )
    run.execute()

    card, read, active, network = (cell.outputs for cell in run.nb.cells)
    assert "analyst" in card[0].data["text/plain"]
    assert "sandboxed (bubblewrap" in card[0].data["text/plain"]
    result = read[0].data["application/vnd.zt.result+json"]
    assert result["columns"][1]["mask"]["tag"] == "email"
    assert "script" not in active[0].data["text/html"]
    assert set(active[0].data) >= {"application/vnd.zt.html", "text/html"}
    assert not any("javascript" in mime for output in active for mime in output.data)
    assert network[0].text == "no way out\n"

    path = recording(work)
    found = report(gateway, path)
    assert found.verdict.name == "VALID", found.messages
    assert any("no Jupyter server vouches" in text for text in found.not_proven)
    assert sources(path) == [cell.source for cell in run.nb.cells]
    records = gateway.records(found.facts["session"])
    assert {r["attested_by"] for r in records if r["kind"] == "cell"} == {"kernel"}
    intent = next(r for r in records if r["kind"] == "intent")
    cell = [r for r in records if r["kind"] == "cell"][1]
    assert cell["actions"] == [str(intent["seq"])]
    assert records[0]["sandbox"]["state"] == "sandboxed"


@pytest.mark.usefixtures("login")
def test_a_cell_that_takes_too_long_is_interrupted_and_the_kernel_goes_on(
    gateway: Gateway, work: Path
) -> None:
    run = client(work, "import time\ntime.sleep(60)", "print(6 * 7)", timeout=2)
    run.interrupt_on_timeout = True
    run.allow_errors = True
    run.execute()
    assert "KeyboardInterrupt" in run.nb.cells[0].outputs[-1].ename
    assert run.nb.cells[1].outputs[0].text == "42\n"
    assert report(gateway, recording(work)).verdict.name == "VALID"


@pytest.mark.usefixtures("login")
async def test_a_restarted_kernel_keeps_session_and_recording(gateway: Gateway, work: Path) -> None:
    run = client(work, "a = 1\nprint('before')", "print('a' in globals())", READ)
    async with run.async_setup_kernel():
        await run.async_execute_cell(run.nb.cells[0], 0)
        assert run.km is not None
        assert run.kc is not None
        await ensure_async(run.km.restart_kernel())
        await ensure_async(run.kc.wait_for_ready(timeout=60))
        await run.async_execute_cell(run.nb.cells[1], 1)
        await run.async_execute_cell(run.nb.cells[2], 2)
        folder = Path(run.km.connection_file).parent
        assert folder.exists()
    assert run.nb.cells[1].outputs[0].text == "False\n"
    assert run.nb.cells[2].outputs[0].data["application/vnd.zt.result+json"]["row_count"] == "2"
    path = recording(work)
    assert sources(path) == [cell.source for cell in run.nb.cells]
    assert report(gateway, path).verdict.name == "VALID"
    assert not folder.exists()


@pytest.mark.usefixtures("login")
def test_a_kernel_that_is_stopped_in_the_middle_leaves_a_sealed_recording(
    gateway: Gateway, work: Path
) -> None:
    run = client(work, "print('begun')\nimport time\ntime.sleep(60)", timeout=2)
    with pytest.raises(CellTimeoutError):
        run.execute()
    path = recording(work)
    assert sources(path) == [run.nb.cells[0].source]
    assert report(gateway, path).verdict.name == "VALID"


@pytest.mark.usefixtures("login")
def test_an_agents_headless_kernel_is_held_to_its_ceiling(
    gateway: Gateway, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_ZT_AGENT", "react")
    run = client(work, "%%sql warehouse\nUPDATE customers SET city = 'Ulm' WHERE id = 1")
    with pytest.raises(CellExecutionError, match="agent_action"):
        run.execute()
    session = report(gateway, recording(work)).facts["session"]
    assert gateway.records(session)[0]["principal"]["agent"] == "react"


def test_a_logout_ends_a_headless_notebook_that_runs(
    gateway: Gateway, work: Path, tmp_path: Path
) -> None:
    line = CommandLine(tmp_path, gateway.url)
    assert line.log_in("analyst2")[0] == 0
    sources = ["print('begun')", "import time\ntime.sleep(4)", READ]
    nbformat.write(notebook(*sources), work / "long.ipynb")
    running = subprocess.Popen(
        [sys.executable, "-m", "jupyter", "execute", "--inplace", "--allow-errors", "long.ipynb"],
        cwd=work,
        env=line.environment,
    )
    sessions = tmp_path / "jupyter-zt" / "sessions"
    until(lambda: sessions.is_dir() and list(sessions.iterdir()))
    [session] = [file.name for file in sessions.iterdir()]
    until(lambda: [r for r in gateway.records(session) if r["kind"] == "cell"])
    assert line.run("logout")[0] == 0
    assert running.wait(60) == 0
    assert "session_revoked" in (work / "long.ipynb").read_text()


def test_nobody_who_is_logged_in_means_no_kernel(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with pytest.raises(Exception, match="not logged in"):
        client(work, "1").execute()
    assert list(work.iterdir()) == []


def command(line: CommandLine, work: Path, *arguments: str, text: str = "") -> Any:
    """A program of Jupyter's, as a person runs it in the notebook's folder."""
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=work,
        env=line.environment,
        input=text,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_jupyter_execute_and_papermill_name_the_recording_like_the_notebook(
    line: CommandLine, gateway: Gateway, work: Path
) -> None:
    nbformat.write(notebook(READ), work / "report.ipynb")
    ended = command(line, work, "jupyter", "execute", "--inplace", "report.ipynb")
    assert ended.returncode == 0, ended.stderr
    assert "vnd.zt.result" in (work / "report.ipynb").read_text()
    first = recording(work, "report")
    assert report(gateway, first).verdict.name == "VALID"
    first.unlink()
    ended = command(line, work, "papermill", "report.ipynb", "done.ipynb")
    assert ended.returncode == 0, ended.stderr
    assert "vnd.zt.result" in (work / "done.ipynb").read_text()
    assert report(gateway, recording(work, "report")).verdict.name == "VALID"


def test_a_console_on_a_terminal_is_interrupted_goes_on_and_is_recorded(
    line: CommandLine, gateway: Gateway, work: Path
) -> None:
    console = pexpect.spawn(
        sys.executable,
        ["-m", "jupyter", "console", "--kernel", "zt", "--simple-prompt"],
        cwd=str(work),
        env={**line.environment, "TERM": "dumb"},
        encoding="utf-8",
        timeout=60,
        echo=False,
    )
    console.expect(r"In \[1\]")
    console.sendline("zt.sql('warehouse', 'SELECT 40 + 2 AS answer')")
    console.expect("42")
    console.expect(r"In \[2\]")
    console.sendline("print('be' + 'gun'); import time; time.sleep(60)")
    console.expect("begun")
    console.sendintr()
    console.expect("KeyboardInterrupt")
    console.expect(r"In \[3\]")
    console.sendline("exit")
    console.expect(pexpect.EOF)
    console.close()
    path = recording(work, "console")
    assert report(gateway, path).verdict.name == "VALID"
    assert sources(path)[0] == "zt.sql('warehouse', 'SELECT 40 + 2 AS answer')"
    statuses = [
        record["status"]
        for record in gateway.records(report(gateway, path).facts["session"])
        if record["kind"] == "cell"
    ]
    assert statuses[:2] == ["ok", "error"]


def test_a_user_without_capabilities_runs_notebooks_too(
    line: CommandLine, gateway: Gateway, work: Path
) -> None:
    """Another user id and no capability, in a user namespace: as root, who is neither, shows."""
    nbformat.write(notebook("import os\nprint(os.getuid())", READ), work / "report.ipynb")
    ordinary = ["bwrap", "--dev-bind", "/", "/", "--unshare-user", "--uid", "1234", "--gid", "1234"]
    ended = subprocess.run(
        [
            *(*ordinary, "--cap-drop", "ALL", "--chdir", str(work)),
            *(sys.executable, "-m", "jupyter", "execute", "--inplace", "report.ipynb"),
        ],
        env=line.environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert "vnd.zt.result" in (work / "report.ipynb").read_text()
    assert report(gateway, recording(work, "report")).verdict.name == "VALID"


@pytest.fixture
def keys() -> Iterator[Path]:
    """Where a service's key is: no folder that a kernel sees."""
    folder = Path(tempfile.mkdtemp(prefix="zt-keys-"))
    yield folder
    shutil.rmtree(folder)


def nightly(gateway: Gateway, keys: Path, **changes: str) -> CommandLine:
    """A machine that runs as a service: nobody is logged in there."""
    line = CommandLine(keys / "state", "")
    line.environment |= gateway.service_environment(keys) | changes
    return line


def test_papermill_runs_as_a_service_and_its_recording_says_so(
    gateway: Gateway, work: Path, keys: Path
) -> None:
    line = nightly(gateway, keys)
    key = line.environment["JUPYTER_ZT_SERVICE_KEY"]
    looks = (
        "import os\n"
        f"print([name for name in os.environ if 'ZT' in name], os.path.exists({key!r}), "
        f"os.path.exists({str(keys)!r}))"
    )
    nbformat.write(notebook("%zt", READ, looks), work / "report.ipynb")
    ended = command(line, work, "papermill", "report.ipynb", "done.ipynb")
    assert ended.returncode == 0, ended.stderr

    card, read, looked = (cell.outputs for cell in nbformat.read(work / "done.ipynb", 4).cells)
    assert "service nightly" in card[0].data["text/plain"]
    assert read[0].data["application/vnd.zt.result+json"]["row_count"] == "2"
    names, key_is_there, folder_is_there = looked[0].text.rsplit(" ", 2)
    assert not {"JUPYTER_ZT_SERVICE", "JUPYTER_ZT_SERVICE_KEY"} & set(ast.literal_eval(names))
    assert (key_is_there, folder_is_there.strip()) == ("False", "False")

    path = recording(work, "report")
    found = report(gateway, path)
    assert found.verdict.name == "VALID", found.messages
    assert found.facts["service"] == "service nightly (nightly at urn:jupyter-zt:services)"
    assert "human" not in found.facts
    header = "".join(json.loads(path.read_text())["cells"][0]["source"])
    assert "service      service nightly" in header
    secret = Path(key).read_text().splitlines()[1]
    assert not any(secret in file.read_text() for file in work.iterdir())


def test_nbclient_as_a_service_asks_people_for_its_writes(
    gateway: Gateway, work: Path, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in nightly(gateway, keys).environment.items():
        monkeypatch.setenv(name, value)
    run = client(
        work, "%%sql warehouse\nUPDATE customers SET city = city WHERE id = 17 /* nightly */"
    )
    with ThreadPoolExecutor(1) as other:
        running = other.submit(run.execute)

        def asked() -> list[dict[str, Any]]:
            waiting = gateway.approvals("reviewer")
            return [it for it in waiting if it["command"].endswith("/* nightly */")]

        until(asked)
        [held] = asked()
        assert held["requester"]["service"]
        assert gateway.vote("reviewer", held["id"]).is_success
        running.result(60)
    assert report(gateway, recording(work)).verdict.name == "VALID"


@pytest.mark.parametrize(
    ("mode", "place", "said"),
    [(0o640, "keys", "its mode is 0640"), (0o600, "work", "it is, or holds, ")],
)
def test_a_services_key_that_others_can_read_is_not_used(
    gateway: Gateway, work: Path, keys: Path, mode: int, place: str, said: str
) -> None:
    line = nightly(gateway, keys)
    key = Path(line.environment["JUPYTER_ZT_SERVICE_KEY"])
    if place == "work":
        line.environment["JUPYTER_ZT_SERVICE_KEY"] = str(shutil.move(key, work / "key"))
        key = work / "key"
    key.chmod(mode)
    nbformat.write(notebook("1"), work / "report.ipynb")
    ended = command(line, work, "jupyter", "execute", "report.ipynb")
    assert ended.returncode != 0
    assert said in ended.stderr
    assert list(work.glob("*.zt.ipynb")) == []
