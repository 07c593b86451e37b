"""The kernel: IPython's, with every door closed that a notebook does not need."""

from __future__ import annotations

import sys
import threading
from importlib import import_module
from typing import Any

# A debugger would be one more way to run code, and half a second of every start. Without its
# server ipykernel says by itself that it can't debug. Only the import is blocked, and only here.
_debugpy_before = sys.modules.get("debugpy")
sys.modules["debugpy"] = None  # type: ignore[assignment]
import ipykernel.debugger  # noqa: E402, F401 - decides at import whether there is a debugger
from ipykernel.ipkernel import IPythonKernel  # noqa: E402
from traitlets import List, Type  # noqa: E402

from zt_kernel.catalog import Kept  # noqa: E402
from zt_kernel.completion import complete  # noqa: E402
from zt_kernel.gateway import own_gateway  # noqa: E402
from zt_kernel.shell import ZTShell  # noqa: E402

if _debugpy_before is None:
    del sys.modules["debugpy"]
else:
    sys.modules["debugpy"] = _debugpy_before

_WARM_UP_SECONDS = 0.2


class ZTKernel(IPythonKernel):
    """A Python kernel whose tool cells go through the gateway.

    `user_expressions`, completion and inspection run Python like a cell does, in the same sandbox:
    they hold nothing that a cell does not. The debugger, subshells and comms are off.
    """

    implementation = "zt_kernel"
    banner = "Jupyter ZT: %zt shows who you are and which connections there are."
    shell_class = Type(ZTShell)
    help_links: List[Any] = List().tag(config=True)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)  # type: ignore[no-untyped-call]
        self._kept = Kept(own_gateway)
        # Nothing here needs comms, and the broker drops them: a widget would only look alive.
        for name in ("comm_open", "comm_msg", "comm_close"):
            self.shell_handlers.pop(name, None)

    def start(self) -> None:
        """Starts serving, then loads what the first result will need, while nobody waits."""
        super().start()  # type: ignore[no-untyped-call]
        timer = threading.Timer(_WARM_UP_SECONDS, import_module, args=("zt_kernel.tool",))
        timer.daemon = True
        timer.start()

    @property
    def kernel_info(self) -> dict[str, Any]:
        """What the kernel says of itself: neither subshells nor a debugger."""
        return {**super().kernel_info, "supported_features": []}

    def do_complete(  # type: ignore[override]  # as in ipykernel, where it is no coroutine
        self, code: str, cursor_pos: int
    ) -> dict[str, Any]:
        """Completes SQL in tool cells; everything else is Python's."""
        assert self.shell is not None  # noqa: S101 - as in ipykernel
        offer = complete(code, cursor_pos, self._kept, self.shell.user_ns)
        if offer is None:
            return dict(super().do_complete(code, cursor_pos))  # type: ignore[no-untyped-call]
        typed = [
            {"start": offer.start, "end": cursor_pos, "text": text, "type": kind}
            for text, kind in offer.matches
        ]
        return {
            "status": "ok",
            "matches": [text for text, _ in offer.matches],
            "cursor_start": offer.start,
            "cursor_end": cursor_pos,
            "metadata": {"_jupyter_types_experimental": typed},
        }

    async def poll_stopped_queue(self) -> None:
        """There is no debugger that could stop."""

    async def do_debug_request(self, msg: dict[str, Any]) -> dict[str, Any]:
        """Refuses: there is no debugger."""
        return {
            "type": "response",
            "request_seq": msg.get("seq", 0),
            "success": False,
            "command": msg.get("command", ""),
            "message": "The debugger is off in this kernel.",
        }

    async def create_subshell_request(self, socket: Any, ident: Any, parent: Any) -> None:
        """Refuses: a second line of execution beside the cells would be hard to account for."""
        if self.session:
            content = {
                "status": "error",
                "ename": "Refused",
                "evalue": "Subshells are off in this kernel.",
                "traceback": [],
            }
            self.session.send(socket, "create_subshell_reply", content, parent, ident)
