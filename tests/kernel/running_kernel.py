"""A real kernel, started the way Jupyter starts it: kernelspec, provisioner, sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from jupyter_client import KernelManager
from traitlets.config import Config

from jupyter_zt.extension.sandbox import set_session_opener
from jupyter_zt.extension.session_opener import SandboxState
from tests.fixtures_gateway import Session

READY_SECONDS = 60
CELL_SECONDS = 60


class TestBroker:
    """Opens a session for every kernel: always the folder that the test gives."""

    __test__ = False

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.opened: list[tuple[str, str, SandboxState]] = []
        self.ended: list[tuple[str, bool]] = []

    async def open(self, kernel_id: str, notebook: str, sandbox_state: SandboxState) -> Path:
        self.opened.append((kernel_id, notebook, sandbox_state))
        return self.folder

    async def closed(self, kernel_id: str, restart: bool) -> None:  # noqa: FBT001
        self.ended.append((kernel_id, restart))

    def __enter__(self) -> Self:
        set_session_opener(self)
        return self

    def __exit__(self, *exc: object) -> None:
        set_session_opener(None)


@dataclass
class Ran:
    """What one cell put out."""

    reply: dict[str, Any] = field(default_factory=dict)
    outputs: list[dict[str, Any]] = field(default_factory=list)
    updates: list[dict[str, Any]] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Everything printed, shown and raised, as text."""
        parts = []
        for output in self.outputs:
            parts.append(output.get("text", ""))
            parts.append(output.get("data", {}).get("text/plain", ""))
            parts.append("\n".join(output.get("traceback", ())))
        return "\n".join(part for part in parts if part)

    @property
    def error(self) -> list[str]:
        """The lines of the error that ended it."""
        return next((o["traceback"] for o in self.outputs if "traceback" in o), [])

    def data(self, mime: str) -> Any:
        """The first output of one mime type."""
        return next(o["data"][mime] for o in self.outputs if mime in o.get("data", {}))


class RunningKernel:
    """A kernel and a client of it."""

    def __init__(
        self, work: Path, *, config: dict[str, Any] | None = None, env: dict[str, str] | None = None
    ) -> None:
        self.work = work
        settings = Config({"SandboxProvisioner": config or {}})
        self.manager = KernelManager(kernel_name="zt", config=settings)
        more = {"env": env} if env is not None else {}
        self.manager.start_kernel(cwd=str(work), **more)
        self.client = self.manager.client()
        self.client.start_channels()
        try:
            self.client.wait_for_ready(timeout=READY_SECONDS)
        except BaseException:
            self.stop()
            raise

    def start(self, code: str, **options: Any) -> str:
        """Sends a cell without waiting for it."""
        return str(self.client.execute(code, **options))

    def run(self, code: str, **options: Any) -> Ran:
        """Runs a cell to its end."""
        return self.finish(self.start(code, **options))

    def finish(self, message: str, seconds: float = CELL_SECONDS) -> Ran:
        """Collects what a cell puts out until it is done."""
        ran = Ran()
        while True:
            heard = self.client.get_iopub_msg(timeout=seconds)
            if heard["parent_header"].get("msg_id") != message:
                continue
            kind, content = heard["msg_type"], heard["content"]
            if kind == "status" and content["execution_state"] == "idle":
                break
            if kind == "update_display_data":
                ran.updates.append(content)
            elif kind in {"stream", "display_data", "execute_result", "error"}:
                ran.outputs.append(content)
        ran.reply = self._reply(message, seconds)
        return ran

    def wait_for_output(self, message: str, kind: str, seconds: float = CELL_SECONDS) -> Any:
        """The next message of one kind that a running cell puts out."""
        while True:
            heard = self.client.get_iopub_msg(timeout=seconds)
            if heard["parent_header"].get("msg_id") == message and heard["msg_type"] == kind:
                return heard["content"]

    def value(self, expression: str) -> str:
        """`repr` of an expression."""
        ran = self.run(f"print(repr(({expression})))")
        return ran.text.strip()

    def _reply(self, message: str, seconds: float) -> dict[str, Any]:
        while True:
            reply = self.client.get_shell_msg(timeout=seconds)
            if reply["parent_header"].get("msg_id") == message:
                return dict(reply["content"])

    def interrupt(self) -> None:
        self.manager.interrupt_kernel()

    def restart(self) -> None:
        self.manager.restart_kernel()
        self.client.wait_for_ready(timeout=READY_SECONDS)

    def stop(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel()

    @property
    def pid(self) -> int:
        """Of the outermost process."""
        provisioner: Any = self.manager.provisioner
        return int(provisioner.pid)


@contextmanager
def kernel_of(session: Session, work: Path) -> Iterator[RunningKernel]:
    """A sandboxed kernel on the socket of a real gateway's session."""
    with TestBroker(Path(session.socket).parent):
        kernel = RunningKernel(work)
        yield kernel
        kernel.stop()
