"""`jupyter zt` as a person runs it: processes with a state directory of their own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.identity import world


class CommandLine:
    """One user's command line.

    Args:
        home: Folder of what it keeps.
        gateway: Address of the gateway that it logs in at; "" where it finds one by itself.
    """

    def __init__(self, home: Path, gateway: str) -> None:
        self.home = home
        self.gateway = gateway
        self.environment = {**os.environ, "XDG_STATE_HOME": str(home)}

    @property
    def login_file(self) -> Path:
        return self.home / "jupyter-zt" / "login.json"

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "jupyter_zt.cli", *arguments],
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, *arguments: str, text: str = "") -> tuple[int, str, str]:
        """Status, stdout and stderr."""
        process = self.start(*arguments)
        out, err = process.communicate(text.encode("utf-8", "surrogatepass"), timeout=90)
        return process.returncode, out.decode(), err.decode()

    def batch(
        self, lines: Iterable[object], *options: str, connection: str = "warehouse"
    ) -> tuple[int, list[dict[str, Any]]]:
        """Status and answers; a text is sent as the line that it is."""
        text = "".join(
            (line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines
        )
        status, out, err = self.run("exec", connection, "--batch", *options, text=text)
        assert not err, err
        return status, [json.loads(line) for line in out.splitlines()]

    def log_in(self, person: str) -> tuple[int, str, str]:
        """Runs `jupyter zt login` and decides in a browser; "" for the person cancels."""
        named = ("--gateway", self.gateway) if self.gateway else ()
        process = self.start("login", *named)
        assert process.stdout is not None
        said = b""
        while b"Waiting" not in said:
            line = process.stdout.readline()
            assert line, (said, process.communicate())
            said += line
        address = re.search(rb"or open (\S+)", said)
        assert address, said
        browser = world.Browser()
        try:
            world.decide_device(browser, address[1].decode(), person)
        finally:
            browser.close()
        out, err = process.communicate(timeout=60)
        return process.returncode, (said + out).decode(), err.decode()
