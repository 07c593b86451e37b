"""Who opens sessions for kernels, as far as their sandbox needs it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class SandboxState:
    """How a kernel is confined, as every page and every record says it."""

    state: Literal["sandboxed", "unsandboxed"]
    detail: str


class SessionOpener(Protocol):
    """The broker, as far as kernels need it."""

    async def open(self, kernel_id: str, notebook: str, sandbox_state: SandboxState) -> Path:
        """Opens the kernel's session, or finds the one that it has already.

        Args:
            kernel_id: Jupyter's id of the kernel; the same after a restart.
            sandbox_state: How the kernel is confined, for the session's record.
            notebook: API path of the notebook; "" for a kernel without one.

        Returns:
            The folder that holds the session's socket (``gateway.sock``) and nothing else.
        """

    async def closed(self, kernel_id: str, restart: bool) -> None:  # noqa: FBT001 - Jupyter's word
        """The kernel's process has ended; with `restart` another one follows at once."""
