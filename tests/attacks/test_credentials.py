"""Code in a kernel of the running demo looks for each credential of the demo, and for a way out.

The sandbox by itself is attacked in test_kernel_escape; here it is the one that people get: started
by JupyterLab's server, with a login, a session, a lease in use and everything listening.
"""

from __future__ import annotations

import ast
import json
import re
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from tests.extension.jupyter_stack import Page, Person
from tests.fixtures_demo import Demo

DECOY = "decoy-4f1f6a0d-planted"

SEARCH = r"""
import glob, os, re, sys

# Written so that neither the list nor a compiled pattern holds what it looks for.
NEEDLES = {name: re.compile(pattern.encode()) for name, pattern in NEEDLES_HERE.items()}
NEEDLES["a signed token"] = re.compile(rb"eyJ[\w-]{16,}\.eyJ[\w-]{16,}\.[\w-]{8,}")

def seen(place, blob):
    return [(place, name) for name, needle in NEEDLES.items() if needle.search(blob)]

def in_memory():
    found, read = [], 0
    with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", 0) as memory:
        for line in maps:
            where, mode = line.split()[:2]
            start, end = (int(part, 16) for part in where.split("-"))
            if "r" not in mode or end - start > 2**28 or "[v" in line:
                continue
            try:
                memory.seek(start)
                blob = memory.read(end - start)
            except OSError:
                continue
            read += len(blob)
            found += seen(where, blob)
    return found, read

def in_processes():
    names = glob.glob("/proc/[0-9]*/environ") + glob.glob("/proc/[0-9]*/cmdline")
    found = [hit for name in names for hit in seen(name, open(name, "rb").read())]
    return found + seen("os.environ", repr(dict(os.environ)).encode())

def in_files():
    # Not the system's own programs, which come from the host as they are.
    system = ("/usr", "/lib", "/bin", "/sbin", "/proc", "/sys", sys.prefix, sys.base_prefix)
    found, read = [], 0
    for folder, folders, files in os.walk("/"):
        folders[:] = [f for f in folders if not os.path.join(folder, f).startswith(system)]
        for name in files:
            path = os.path.join(folder, name)
            try:
                if os.path.isfile(path) and os.path.getsize(path) < 2**25:
                    with open(path, "rb") as file:
                        found += seen(path, file.read())
                    read += 1
            except OSError:
                pass
    return found, read
"""


def spread(secret: str) -> str:
    """A pattern that finds a secret and does not hold it: [s][e][c][r][e][t]."""
    return "".join(f"[{re.escape(letter)}]" if letter.isalnum() else "." for letter in secret)


def secrets_of(demo: Demo, analyst: Person) -> dict[str, str]:
    """Every credential of the demo's, by what it is."""
    root = demo.directory
    folders = ("secrets", "gateway/secrets", "jupyter/secrets")
    found = {
        f"{folder}/{path.name}": path.read_text().strip()
        for folder in folders
        for path in (root / folder).iterdir()
    }
    found["the log's signing key"] = (root / "gateway/state/log.key").read_text().splitlines()[1]
    provider = json.loads((root / "identity/demo-provider-key.json").read_text())
    found["the provider's signing key"] = re.search(r"'d': '([\w-]+)'", repr(provider))[1]  # type: ignore[index]
    for cookie in analyst.headers["Cookie"].split("; "):
        name, _, value = cookie.partition("=")
        found[f"cookie {name}"] = value
    assert all(len(secret) >= 16 for secret in found.values()), sorted(found)
    assert len(found) >= 8
    return found


@pytest.fixture
async def analyst(demo: Demo) -> Person:
    return Person(demo.url, "analyst")


@pytest.fixture
async def page(analyst: Person) -> AsyncIterator[Page]:
    """A kernel in use: its session has read from the database."""
    kernel, session = analyst.start_kernel("tour.ipynb")
    page = await analyst.page(kernel)
    assert "email_" in await said(page, "%%sql warehouse\nSELECT email FROM customers LIMIT 2")
    yield page
    page.socket.close()
    analyst.http.delete(f"/api/sessions/{session}")


async def said(page: Page, code: str) -> str:
    """What a cell put out, as text."""
    parts: list[str] = []
    for message in await page.run(code):
        content = message["content"]
        parts.append(content.get("text", "") or content.get("data", {}).get("text/plain", ""))
        parts += content.get("traceback", [])
    return "\n".join(part for part in parts if part)


async def test_credentials_in_memory_environment_and_files(
    demo: Demo, analyst: Person, page: Page
) -> None:
    secrets = secrets_of(demo, analyst)
    needles = {name: spread(secret) for name, secret in {**secrets, "decoy": DECOY}.items()}
    assert await said(page, SEARCH.replace("NEEDLES_HERE", repr(needles))) == ""

    found, read_bytes = ast.literal_eval(await said(page, "print(in_memory())"))
    assert found == []
    assert read_bytes > 10_000_000, "it can read its memory"
    assert ast.literal_eval(await said(page, "print(in_processes())")) == []
    found, files = ast.literal_eval(await said(page, "print(in_files())"))
    assert found == []
    assert files > 5, "it can read its files"

    # The search finds what is there.
    half = len(DECOY) // 2
    joined = f"{DECOY[:half]!r}, {DECOY[half:]!r}"
    plant = f"planted = ''.join([{joined}]); open('decoy.txt', 'w').write(planted)"
    await said(page, plant)
    found, _ = ast.literal_eval(await said(page, "print(in_memory())"))
    assert {name for _, name in found} == {"decoy"}
    found, _ = ast.literal_eval(await said(page, "print(in_files())"))
    assert {name for _, name in found} == {"decoy"}
    (demo.directory / "work/decoy.txt").unlink()


async def test_tcp_to_every_part_of_the_demo(demo: Demo, page: Page) -> None:
    ports = listening(demo)
    assert len(ports) >= 5, "PostgreSQL, provider, model, gateway, JupyterLab"
    own = socket.gethostbyname(socket.gethostname())
    code = f"""
import socket
def attempt(address):
    try:
        socket.create_connection(address, timeout=1).close()
    except OSError as error:
        return type(error).__name__
    return "connected"
print([(host, port, attempt((host, port)))
       for port in {sorted(ports)!r} for host in ("127.0.0.1", "localhost", {own!r})])
"""
    tried = ast.literal_eval(await said(page, code))
    assert len(tried) == 3 * len(ports)
    assert [attempt for attempt in tried if attempt[2] == "connected"] == []


async def test_folders_of_the_demo_beside_the_notebooks(demo: Demo, page: Page) -> None:
    root = demo.directory
    wanted = [
        *("secrets", "gateway", "gateway/state/gateway.db", "identity", "postgres", "logs"),
        *("jupyter", "jupyter/runtime", "jupyter/secrets", "jupyter/jupyter_server_config.py"),
    ]
    paths = [str(root / name) for name in wanted]
    assert missing(paths) == []
    code = f"import os\nprint([path for path in {paths!r} if os.path.exists(path)])"
    assert ast.literal_eval(await said(page, code)) == []
    seen = await said(page, f"import os; print(sorted(os.listdir({str(root)!r})))")
    assert ast.literal_eval(seen) == ["work"]


def missing(paths: list[str]) -> list[str]:
    return [path for path in paths if not Path(path).exists()]


def listening(demo: Demo) -> set[int]:
    """Ports on which the demo's processes listen."""
    return {
        connection.laddr.port
        for process in psutil.Process(demo.pid).children(recursive=True)
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
