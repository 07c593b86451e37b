"""The broker's own ear at a kernel: a subscription that needs no browser, and no request outruns.

A subscription takes a moment to stand, after a start and after each restart. Until the first
message has been heard nothing is passed on for execution (`when_listening`), so that the journal
misses no output.
"""

from __future__ import annotations

from collections.abc import Callable
from logging import Logger, LoggerAdapter
from typing import Any, Final

from jupyter_client.manager import KernelManager
from jupyter_client.session import Session
from tornado.ioloop import PeriodicCallback
from zmq.eventloop.zmqstream import ZMQStream

from jupyter_zt.extension.journal import CellRun, KernelJournal
from jupyter_zt.extension.wire_messages import unpack

__all__ = ["KernelWatch"]

_NUDGE_MILLISECONDS: Final = 200


class KernelWatch:
    """Feeds one kernel's journal.

    Args:
        kernel: The server's manager of that kernel.
        journal: What was asked and what came out.
        finished: Takes the cells that are finished, in order.
        log: For what the administrator should know.
        nudge_milliseconds: Pause between two requests for a sign of life.
    """

    def __init__(
        self,
        kernel: KernelManager,
        journal: KernelJournal,
        finished: Callable[[list[CellRun]], None],
        log: Logger | LoggerAdapter[Any],
        nudge_milliseconds: int = _NUDGE_MILLISECONDS,
    ) -> None:
        self.journal = journal
        self._kernel = kernel
        self._finished = finished
        self._log = log
        self._listening = False
        self._held_back: list[Callable[[], None]] = []
        self._session = Session(config=kernel.session.config, key=kernel.session.key)
        self._iopub: ZMQStream | None = None
        self._control: ZMQStream | None = None
        self._ports: list[object] = []
        self._nudging = PeriodicCallback(self._nudge, nudge_milliseconds)
        self._subscribe()

    def when_listening(self, act: Callable[[], None]) -> None:
        """Do it now, or in order as soon as the subscription stands."""
        if self._listening:
            act()
        else:
            self._held_back.append(act)

    def restarted(self) -> None:
        """The kernel's process is another: what the last one did not finish is aborted."""
        self._hear_out()
        self._finished(self.journal.abandon() + self.journal.late_runs())
        self._listening = False
        self._subscribe()

    def close(self) -> None:
        """The kernel is gone for good."""
        self._hear_out()
        self._finished(self.journal.abandon() + self.journal.late_runs())
        self._held_back.clear()
        self._listening = False
        self._disconnect()

    def _subscribe(self) -> None:
        self._disconnect()
        self._ports = list(self._kernel.ports)
        # The server's kernel managers give streams where jupyter_client's own give sockets.
        kernel: Any = self._kernel
        iopub: ZMQStream = kernel.connect_iopub()
        iopub.on_recv(self._heard)
        self._iopub, self._control = iopub, kernel.connect_control()
        self._nudging.start()

    def _disconnect(self) -> None:
        self._nudging.stop()
        for stream in (self._iopub, self._control):
            if stream is not None and not stream.closed():
                stream.on_recv(None)
                stream.close(linger=0)
        self._iopub = self._control = None

    def _nudge(self) -> None:
        """Make the kernel say something, where its ports are now."""
        if list(self._kernel.ports) != self._ports:
            self._subscribe()
        if self._control is not None:
            self._session.send(self._control, "kernel_info_request")

    def _hear_out(self) -> None:
        """Take what has arrived and not been handled."""
        if self._iopub is not None and not self._iopub.closed():
            self._iopub.flush()

    def _heard(self, parts: list[bytes]) -> None:
        try:
            bare: Any = self._session.feed_identities(parts)[1]
            # As on the page's socket, the signature does not matter: the kernel has the key.
            runs = self.journal.published(unpack(bare[1:]))
        except Exception:  # noqa: BLE001 - whatever an untrusted kernel sends, the journal goes on
            self._log.warning(
                "A malformed message of kernel %s is not recorded", self._kernel.kernel_id
            )
            return
        if runs:
            self._finished(runs + self.journal.late_runs())
        if not self._listening:
            self._now_listening()

    def _now_listening(self) -> None:
        self._listening = True
        self._nudging.stop()
        held_back, self._held_back = self._held_back, []
        for act in held_back:
            act()
