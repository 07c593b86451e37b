"""Bypass of the path: code in a kernel that tries to get out, or at what lies beside it.

Each attack runs in a real kernel in the real sandbox. Only the session's socket is there, unserved.
"""

from __future__ import annotations

import ast
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from jupyter_zt.errors import PermissionDeniedError
from jupyter_zt.extension import bubblewrap
from jupyter_zt.extension.sandbox_view import check_work_folder
from tests.kernel.running_kernel import RunningKernel, TestBroker

SECRET = "s3cret-" + "0451-planted"
SECRET_EXPRESSION = "'s3cret-' + '0451-planted'"


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of the host's with a Jupyter runtime folder, as a running server has it."""
    folder = tmp_path_factory.mktemp("host")
    runtime = folder / "runtime"
    runtime.mkdir()
    (runtime / "jpserver-1.json").write_text(json.dumps({"token": SECRET}))
    (runtime / "jupyter_cookie_secret").write_text(SECRET)
    patch = pytest.MonkeyPatch()
    patch.setenv("JUPYTER_RUNTIME_DIR", str(runtime))
    for name in ("JUPYTERHUB_API_TOKEN", "AWS_SECRET_ACCESS_KEY", "PGPASSWORD", "ZT_CLIENT_SECRET"):
        patch.setenv(name, SECRET)
    yield folder
    patch.undo()


@pytest.fixture(scope="module")
def session_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="zt-s-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def kernel(host: Path, session_folder: Path) -> Iterator[RunningKernel]:
    work = host / "notebooks"
    (work / "recordings").mkdir(parents=True)
    with TestBroker(session_folder):
        kernel = RunningKernel(work, env=dict(os.environ))
        yield kernel
        kernel.stop()


@pytest.fixture(scope="module")
def listener() -> Iterator[int]:
    """A server of the host's that would answer: its port."""
    server = socket.create_server(("0.0.0.0", 0))
    yield server.getsockname()[1]
    server.close()


def attempt(kernel: RunningKernel, code: str) -> str:
    """What the attack prints: its result, or the name of the error that stopped it."""
    body = "\n".join(f"        {line}" for line in code.strip().splitlines())
    ran = kernel.run(
        f"def attack():\n    try:\n{body}\n    except BaseException as e:\n"
        "        return type(e).__name__\nprint(attack())"
    )
    return ran.text.strip()


def own_address() -> str:
    """An address of this host's that is not loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


# ---------------------------------------------------------------------------- network


def test_tcp_to_the_hosts_loopback(kernel: RunningKernel, listener: int) -> None:
    socket.create_connection(("127.0.0.1", listener), 5).close()
    for address in ("127.0.0.1", "localhost"):
        got = attempt(
            kernel, f"import socket; socket.create_connection(('{address}', {listener}), 3)"
        )
        assert got == "ConnectionRefusedError"


def test_tcp_to_the_hosts_own_address(kernel: RunningKernel, listener: int) -> None:
    got = attempt(
        kernel, f"import socket; socket.create_connection(('{own_address()}', {listener}), 3)"
    )
    assert got in {"OSError", "ConnectionRefusedError"}


@pytest.mark.parametrize("address", ["169.254.169.254", "10.0.0.1", "1.1.1.1"])
def test_metadata_and_outside_addresses(kernel: RunningKernel, address: str) -> None:
    assert attempt(kernel, f"import socket; socket.create_connection(('{address}', 80), 3)") == (
        "OSError"
    )


def test_udp_and_dns(kernel: RunningKernel) -> None:
    assert attempt(kernel, "import socket; socket.getaddrinfo('example.org', 443)") == "gaierror"
    datagram = "import socket; s = socket.socket(type=socket.SOCK_DGRAM)"
    assert attempt(kernel, f"{datagram}; s.sendto(b'x', ('8.8.8.8', 53))") == "OSError"


def test_only_loopback_is_there(kernel: RunningKernel) -> None:
    assert kernel.value("[name for _, name in __import__('socket').if_nameindex()]") == "['lo']"


def test_curl_and_pip_in_a_subprocess(kernel: RunningKernel, listener: int) -> None:
    code = "import subprocess as s\nreturn s.run(['curl', '-s', '-m', '3', '{}']).returncode"
    assert attempt(kernel, code.format(f"http://127.0.0.1:{listener}")) != "0"
    pip = "return s.call([sys.executable, '-m', 'pip', 'install', '--retries', '0', 'six-x'])"
    assert attempt(kernel, f"import subprocess as s, sys\n{pip}") != "0"


def test_sockets_of_a_family_without_a_namespace(kernel: RunningKernel) -> None:
    """AF_VSOCK reaches the host of a virtual machine past any network namespace."""
    for family in ("AF_VSOCK", "AF_PACKET", "AF_ALG"):
        got = attempt(kernel, f"import socket; socket.socket(socket.{family}, socket.SOCK_RAW)")
        assert got == "OSError"


def test_io_uring_that_opens_sockets_unseen(kernel: RunningKernel) -> None:
    code = "import ctypes\nreturn ctypes.CDLL(None).syscall(425, 1, 0)"
    assert attempt(kernel, code) == "-1"


def test_an_abstract_socket_of_the_hosts(kernel: RunningKernel) -> None:
    name = f"zt-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"\0{name}")
        server.listen()
        code = f"import socket; socket.socket(socket.AF_UNIX).connect('\\0{name}')"
        assert attempt(kernel, code) == "ConnectionRefusedError"


# ---------------------------------------------------------------------------- files of the host's


def test_the_servers_token_file_and_cookie_secret(kernel: RunningKernel, host: Path) -> None:
    runtime = host / "runtime"
    assert attempt(kernel, f"return open('{runtime}/jpserver-1.json').read()") == (
        "FileNotFoundError"
    )
    code = (
        "import os\nreturn [os.path.join(d, f) for d, _, fs in os.walk('/') for f in fs\n"
        "        if f.startswith('jpserver-') or f == 'jupyter_cookie_secret']"
    )
    assert attempt(kernel, code) == "[]"


def test_connection_files_and_sockets_of_other_kernels(
    kernel: RunningKernel, host: Path, session_folder: Path
) -> None:
    work = host / "others"
    work.mkdir()
    with TestBroker(session_folder):
        other = RunningKernel(work)
    try:
        code = (
            "import os\nreturn sorted(os.path.join(d, f) for d, _, fs in os.walk('/tmp')\n"
            "        for f in fs if f == 'kernel.json' or f.startswith('k-'))"
        )
        seen = attempt(kernel, code)
        assert str(Path(kernel.manager.connection_file)) in seen
        assert str(Path(other.manager.connection_file).parent) not in seen
        assert "1.0" not in seen
        assert attempt(kernel, f"return open('{other.manager.connection_file}').read()") == (
            "FileNotFoundError"
        )
    finally:
        other.stop()


def test_home_and_system_secrets(kernel: RunningKernel) -> None:
    home = Path.home()
    assert attempt(kernel, f"import os; return os.listdir('{home}/.ssh')") == "FileNotFoundError"
    for path in ("/etc/shadow", "/sys/kernel", "/var", "/proc/1/root/etc/shadow"):
        assert attempt(kernel, f"import os; os.stat('{path}')") in {
            "FileNotFoundError",
            "PermissionError",
        }


def test_a_link_in_the_work_folder_leads_nowhere(kernel: RunningKernel, host: Path) -> None:
    (host / "secret.txt").write_text(SECRET)
    code = f"import os\nos.symlink('{host}/secret.txt', 'link')\nreturn open('link').read()"
    assert attempt(kernel, code) == "FileNotFoundError"
    for path in ("../secret.txt", "../runtime/jpserver-1.json", "recordings/../../secret.txt"):
        assert attempt(kernel, f"return open('{path}').read()") == "FileNotFoundError"


def test_a_work_folder_that_became_a_link_out_of_the_root(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (root / "reports").symlink_to(outside)
    with pytest.raises(PermissionDeniedError) as caught:
        check_work_folder(root / "reports", root, [])
    assert caught.value.code == "work_folder_refused"


def test_a_folder_of_recordings_that_became_a_link(tmp_path: Path, session_folder: Path) -> None:
    work, elsewhere = tmp_path / "work", tmp_path / "elsewhere"
    work.mkdir()
    elsewhere.mkdir()
    (work / "recordings").symlink_to(elsewhere)
    with TestBroker(session_folder) as broker, pytest.raises(PermissionDeniedError):
        RunningKernel(work)
    assert broker.ended[-1][1] is False, "the session that was opened is given back"


def test_reading_writing_or_replacing_recordings(kernel: RunningKernel) -> None:
    (kernel.work / "recordings" / "tour.zt.ipynb").write_text("evidence")
    for code in (
        "open('recordings/forged.zt.ipynb', 'w')",
        "import os; os.rename('recordings', 'elsewhere')",
        "import os; os.remove('recordings/tour.zt.ipynb')",
        "import shutil; shutil.rmtree('recordings')",
    ):
        assert attempt(kernel, code) == "OSError"
    for code in (
        "open('recordings/tour.zt.ipynb')",
        "import os; os.chmod('recordings/tour.zt.ipynb', 0o777)",
    ):
        assert attempt(kernel, code) == "FileNotFoundError"
    assert attempt(kernel, "import os; return os.listdir('recordings')") == "[]"
    assert (kernel.work / "recordings" / "tour.zt.ipynb").read_text() == "evidence"


def test_a_kernel_of_a_notebook_among_the_recordings(tmp_path: Path, session_folder: Path) -> None:
    recordings = tmp_path / "recordings"
    deeper = recordings / "deeper"
    deeper.mkdir(parents=True)
    (recordings / "tour.zt.ipynb").write_text("evidence")
    config = {"recordings_folder": str(recordings)}
    with TestBroker(session_folder):
        kernel = RunningKernel(recordings, config=config)
        assert attempt(kernel, "import os; return os.listdir()") == "[]"
        assert attempt(kernel, "open('forged', 'w')") == "OSError"
        kernel.stop()
        with pytest.raises(PermissionDeniedError):
            RunningKernel(deeper, config=config)


def test_replacing_what_the_server_reads_or_runs(kernel: RunningKernel) -> None:
    for path in (
        kernel.manager.connection_file,
        "/run/zt/gateway.sock",
        "/run/zt/planted",
        "/usr/bin/planted",
        os.path.realpath(os.__file__),
        f"{Path(psutil.__file__).parent}/planted.py",
    ):
        assert attempt(kernel, f"open('{path}', 'w')") == "OSError"


def test_an_environment_in_the_work_folder_stays_as_it_is(tmp_path: Path) -> None:
    environment = tmp_path / ".venv"
    environment.mkdir()
    view = bubblewrap.View(
        writable=[(tmp_path, tmp_path)], covered=[(environment, environment)], folder=tmp_path
    )
    line = bubblewrap.arguments(
        bubblewrap.find(), view, bubblewrap.Limits(), Path("/home/zt"), ["/usr/bin/touch"]
    )
    assert subprocess.run([*line, "mine"], env={}, check=False).returncode == 0
    assert subprocess.run([*line, ".venv/planted"], env={}, check=False).returncode != 0


def test_a_set_uid_file_in_the_work_folder(kernel: RunningKernel) -> None:
    code = "import os, shutil\nshutil.copy('/usr/bin/id', 'id')\nos.chmod('id', 0o4755)"
    assert attempt(kernel, code) == "PermissionError"
    assert (kernel.work / "id").stat().st_mode & 0o6000 == 0


# ---------------------------------------------------------------------------- secrets of the server


def test_secrets_in_the_environment(kernel: RunningKernel) -> None:
    assert (
        kernel.value(
            f"[n for n, v in __import__('os').environ.items() if {SECRET_EXPRESSION} in v]"
        )
        == "[]"
    )
    code = (
        f"import glob\nsecret = ({SECRET_EXPRESSION}).encode()\n"
        "return [p for p in glob.glob('/proc/[0-9]*/environ') + glob.glob('/proc/[0-9]*/cmdline')\n"
        "        if secret in open(p, 'rb').read()]"
    )
    assert attempt(kernel, code) == "[]"


def test_secrets_in_the_kernels_memory(kernel: RunningKernel) -> None:
    code = f"""
secret = ({SECRET_EXPRESSION}).encode()[::-1]
found = 0
with open('/proc/self/maps') as maps, open('/proc/self/mem', 'rb', 0) as memory:
    for line in maps:
        where, mode = line.split()[:2]
        start, end = (int(part, 16) for part in where.split('-'))
        if 'r' not in mode or end - start > 2**28 or '[v' in line:
            continue
        try:
            memory.seek(start)
            found += memory.read(end - start)[::-1].count(secret)
        except OSError:
            pass
return found
"""
    # The literal itself is the only place: its halves are joined for a moment.
    assert int(attempt(kernel, code)) <= 2
    planted = f"planted = {SECRET!r} * 100"
    kernel.run(planted)
    assert int(attempt(kernel, code)) >= 100, "the search finds what is there"
    kernel.run("del planted")


def test_the_servers_terminal(kernel: RunningKernel) -> None:
    expression = "[__import__('os').isatty(n) for n in (0, 1, 2)]"
    assert kernel.value(expression) == "[False, False, False]"
    assert attempt(kernel, "open('/dev/tty')") == "OSError"


# ---------------------------------------------------------------------------- other processes


def test_processes_of_the_hosts(kernel: RunningKernel) -> None:
    commands = attempt(
        kernel,
        "import glob\nnames = glob.glob('/proc/[0-9]*/cmdline')\n"
        "return [open(name).read().split('\\0') for name in names]",
    )
    programs = [command[0] for command in ast.literal_eval(commands)]
    assert sorted(Path(program).name for program in programs) == ["bwrap", "python", "python"]
    code = "import os\nreturn max(int(name) for name in os.listdir('/proc') if name.isdigit())"
    assert int(attempt(kernel, code)) < os.getpid()


def test_ptrace_of_the_sandboxes_own_parent(kernel: RunningKernel) -> None:
    code = "import ctypes\nreturn ctypes.CDLL(None).ptrace(16, {}, 0, 0)"
    assert attempt(kernel, code.format(1)) == "-1"
    assert attempt(kernel, code.format("__import__('os').getppid()")) == "-1"
    # What is there as process 1 belongs to the sandbox, and may do as little as the kernel.
    assert "CapEff:\t0000000000000000" in attempt(kernel, "return open('/proc/1/status').read()")


def test_another_user_namespace_or_a_mount(kernel: RunningKernel) -> None:
    for command in (
        "unshare -U id",
        "unshare -m id",
        "mount -t tmpfs x /tmp",
        "bwrap --ro-bind / / id",
    ):
        code = f"import subprocess as s\nreturn s.run('{command}', shell=True).returncode"
        assert attempt(kernel, code) != "0"
    clone = "import ctypes\nreturn ctypes.CDLL(None).syscall(56, 0x10000000 | 17, 0, 0, 0, 0)"
    assert attempt(kernel, clone) == "-1"


def test_capabilities_are_gone_also_for_root(kernel: RunningKernel) -> None:
    status = attempt(kernel, "return open('/proc/self/status').read()")
    for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert f"{name}:\t0000000000000000" in status
    assert "NoNewPrivs:\t1" in status
    assert "Seccomp:\t2" in status


def test_a_process_that_detaches_does_not_outlive_the_kernel(
    host: Path, session_folder: Path
) -> None:
    work = host / "daemon"
    work.mkdir()
    mark = f"31{os.getpid()}"
    with TestBroker(session_folder):
        kernel = RunningKernel(work)
    kernel.run(f"import subprocess as s; s.Popen(['setsid', 'nohup', 'sleep', '{mark}'])")
    assert any(mark in process.info["cmdline"] for process in running())
    kernel.stop()
    wait_until(lambda: not any(mark in process.info["cmdline"] for process in running()))


def test_filling_memory_ends_in_an_error(host: Path, session_folder: Path) -> None:
    work = host / "hungry"
    work.mkdir()
    limits = {"max_data_bytes": 512 * 1024**2, "max_scratch_bytes": 1024**2, "max_processes": 64}
    with TestBroker(session_folder):
        kernel = RunningKernel(work, config=limits)
    try:
        assert attempt(kernel, "x = bytearray(2**30)") == "MemoryError"
        assert attempt(kernel, "open('/tmp/x', 'wb').write(bytes(2**22))") == "OSError"
        assert attempt(kernel, "open('/x', 'wb')") == "OSError"
    finally:
        kernel.stop()


def test_interrupt_reaches_a_busy_kernel(kernel: RunningKernel) -> None:
    message = kernel.start("print('go', flush=True)\nwhile True: pass")
    kernel.wait_for_output(message, "stream")
    threading.Timer(0.1, kernel.interrupt).start()
    assert kernel.finish(message).reply["ename"] == "KeyboardInterrupt"


def test_the_end_of_the_server_ends_the_kernel(host: Path, session_folder: Path) -> None:
    """Even by SIGKILL, when nothing can be cleaned up."""
    work = host / "orphan"
    work.mkdir()
    program = (
        "import sys, time; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path\n"
        "from tests.kernel.running_kernel import RunningKernel, TestBroker\n"
        "with TestBroker(Path(sys.argv[2])):\n"
        "    kernel = RunningKernel(Path(sys.argv[3]))\n"
        "    print(kernel.pid, kernel.manager.connection_file, flush=True)\n"
        "    time.sleep(600)\n"
    )
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", program, root, session_folder, work],
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None
        pid, connection_file = server.stdout.readline().split()
        inside = psutil.Process(int(pid)).children(recursive=True)
        assert inside
        server.send_signal(signal.SIGKILL)
    wait_until(
        lambda: not any(process.is_running() and process.status() != "zombie" for process in inside)
    )
    shutil.rmtree(Path(connection_file).parent)


def running() -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter(["cmdline"]):
        process.info["cmdline"] = process.info["cmdline"] or []
        found.append(process)
    return found


def wait_until(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
