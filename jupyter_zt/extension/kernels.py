"""The server's kernels, as the broker sees them: which may start, whose they are, their end.

Set for the whole server as ``c.ServerApp.kernel_manager_class``. What a kernel is, is decided here,
by the server: neither a request's body nor the page is asked.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, Protocol
from uuid import UUID, uuid4

import zmq.asyncio
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager
from tornado.web import HTTPError
from traitlets import default

from jupyter_zt.errors import ZTError
from jupyter_zt.extension import ownership
from jupyter_zt.extension.kernel_watch import KernelWatch
from jupyter_zt.extension.own_kernels import OwnKernels

__all__ = ["KERNEL_NAME", "KernelCare", "ZTKernelManager"]

KERNEL_NAME: Final = "zt"
_PROVISIONER_NAME: Final = "zt-sandbox"
_MAX_WAITING_MESSAGES: Final = 100_000


class KernelCare(Protocol):
    """What the broker does for kernels."""

    allow_other_kernels: bool

    def claim(self, kernel_id: str) -> None:
        """A person starts this kernel. Raises `HTTPError` when nobody is logged in."""

    def listen(self, kernel_id: str, kernel: KernelManager) -> None:
        """The kernel runs."""

    def watch(self, kernel_id: str) -> KernelWatch | None:
        """The broker's ear at it."""

    async def end(self, kernel_id: str) -> None:
        """It is gone for good."""


class ZTKernelManager(OwnKernels):
    """Starts, restarts and stops kernels as the stock manager does, in the broker's care."""

    care: KernelCare | None = None

    @default("context")
    def _roomy_context(self) -> zmq.asyncio.Context:
        """Sockets that lose no message while the server is busy, as a subscriber's else do."""
        context: zmq.asyncio.Context = super()._context_default()
        context.rcvhwm = _MAX_WAITING_MESSAGES
        return context

    def is_confined(self, kernel_id: str) -> bool:
        """Whether the broker filters and records this kernel. A kernel that is not there is."""
        kernel = self._kernels.get(kernel_id)
        return kernel is None or kernel.kernel_name == KERNEL_NAME

    def watch(self, kernel_id: str) -> KernelWatch | None:
        """The broker's ear at a kernel; None when it has none."""
        return self.care.watch(kernel_id) if self.care else None

    async def _async_start_kernel(
        self, *, kernel_id: str | None = None, path: Any = None, **kwargs: Any
    ) -> str:
        """Start a kernel for the person whose request this is.

        Raises:
            HTTPError: 403 for a kernel that is not allowed or not theirs, 400 for a bad id, 503
            without the broker.
        """
        if kernel_id is not None and kernel_id in self:
            _check_is_theirs(kernel_id)
            return kernel_id
        kernel_id = self._new_id(kernel_id)
        name = kwargs.get("kernel_name") or self.default_kernel_name
        if not self._is_allowed(name):
            raise HTTPError(
                403,
                f"Only the kernel {KERNEL_NAME!r} may run here (c.ZT.allow_other_kernels is off).",
            )
        care = self._care()
        care.claim(kernel_id)
        try:
            started: str = await super()._async_start_kernel(
                kernel_id=kernel_id, path=path, **{**kwargs, "kernel_name": name}
            )
        except BaseException as error:
            # The base class keeps a kernel that failed to start among those that are starting.
            self._pending_kernels.pop(kernel_id, None)
            await care.end(kernel_id)
            if isinstance(error, ZTError):
                raise HTTPError(error.status, error.diagnostics()) from error
            raise
        return started

    start_kernel = _async_start_kernel  # type: ignore[assignment]

    async def _async_restart_kernel(self, kernel_id: str, now: bool = False) -> Any:  # noqa: FBT001, FBT002
        _check_is_theirs(kernel_id)
        restarted = await super()._async_restart_kernel(kernel_id, now=now)
        self._listen(kernel_id)
        return restarted

    restart_kernel = _async_restart_kernel  # type: ignore[assignment]

    async def _async_shutdown_kernel(
        self,
        kernel_id: str,
        now: bool | None = False,  # noqa: FBT001, FBT002 - the base class's signature
        restart: bool | None = False,  # noqa: FBT001, FBT002
    ) -> None:
        _check_is_theirs(kernel_id)
        try:
            await super()._async_shutdown_kernel(kernel_id, now=now, restart=restart)
        finally:
            if not restart:
                await self._care().end(kernel_id)

    shutdown_kernel = _async_shutdown_kernel  # type: ignore[assignment]

    def interrupt_kernel(self, kernel_id: str) -> Any:
        """Interrupt a kernel of the person whose request this is."""
        _check_is_theirs(kernel_id)
        return super().interrupt_kernel(kernel_id)

    def start_watching_activity(self, kernel_id: str) -> None:
        """The kernel runs: the broker listens."""
        super().start_watching_activity(kernel_id)
        self._listen(kernel_id)

    def _listen(self, kernel_id: str) -> None:
        care = self._care()
        if self.is_confined(kernel_id) and care.watch(kernel_id) is None:
            care.listen(kernel_id, self.get_kernel(kernel_id))

    def _handle_kernel_died(self, kernel_id: str) -> None:
        super()._handle_kernel_died(kernel_id)
        self._ending = asyncio.ensure_future(self._care().end(kernel_id))

    def _care(self) -> KernelCare:
        if self.care is None:
            raise HTTPError(503, "Jupyter ZT's server extension is not loaded, so no kernel runs.")
        return self.care

    def _is_allowed(self, name: str) -> bool:
        """Whether this kernelspec may run: ours with our sandbox, or any where that is allowed."""
        if name != KERNEL_NAME:
            return self._care().allow_other_kernels
        specs: KernelSpecManager | None = self.kernel_spec_manager
        metadata = specs.get_kernel_spec(name).metadata if specs else {}
        provisioner = metadata.get("kernel_provisioner", {}).get("provisioner_name")
        return bool(provisioner == _PROVISIONER_NAME)

    @staticmethod
    def _new_id(proposed: str | None) -> str:
        """A client may choose an id, but only a UUID: it becomes part of file names."""
        if proposed is None:
            return str(uuid4())
        try:
            return str(UUID(proposed))
        except ValueError as error:
            raise HTTPError(400, "A kernel id is a UUID.") from error


def _check_is_theirs(kernel_id: str) -> None:
    """A person acts on their own kernels only; the server itself (culling, its end) on all.

    Raises:
        HTTPError: 404, as for a kernel that is not there.
    """
    if not ownership.may_see(kernel_id):
        raise HTTPError(404, f"Kernel does not exist: {kernel_id}")
