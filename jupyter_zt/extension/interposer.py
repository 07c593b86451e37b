"""Stands between a kernel and clients that reach it without the broker's websocket.

nbclient, papermill and `jupyter console` speak to a kernel by ZMQ. They are given sockets of ours,
in the process that started the kernel, and the kernel keeps its own: what passes goes through the
filter of the websocket, and the journal hears it. A message is signed with the kernel's key, which
says that it comes from a client of this kernel and nothing else.

1. From a client: only what a page may ask too (and the end of the kernel, which its manager asks
   for here). Code is noted before it is passed on, and not before its outputs can be heard.
2. From the kernel: only what a page may be shown.
3. The heartbeat passes as it is.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Mapping
from hmac import compare_digest
from logging import Logger, LoggerAdapter
from pathlib import Path
from typing import Any, Final

import zmq
import zmq.asyncio
from jupyter_client.session import DELIM, Session

from jupyter_zt.extension.journal import CellRun, KernelJournal
from jupyter_zt.extension.message_filter import Message, from_browser, from_kernel
from jupyter_zt.extension.wire_messages import pack, unpack

__all__ = ["CHANNELS", "Interposer"]

CHANNELS: Final = ("shell", "iopub", "stdin", "control", "hb")
_NUDGE_SECONDS: Final = 0.2
_LEAVE: Final = {"source": "ask_exit", "keepkernel": False}

Info = Mapping[str, Any]


class Interposer:
    """The client's side of one kernel, and the journal's ear.

    To be used from one event loop.

    Args:
        prefix: Of the paths of its sockets: ``<prefix>-<port>``, in a folder that is ours alone.
        key: The kernel's, by which messages are signed.
        journal: Hears what is asked and what comes out.
        finished: Takes the cells that are finished, in order.
        log: For what the person should know.
    """

    def __init__(
        self,
        prefix: Path,
        key: bytes,
        journal: KernelJournal,
        finished: Callable[[list[CellRun]], None],
        log: Logger | LoggerAdapter[Any],
    ) -> None:
        self._prefix = os.fspath(prefix)
        self._signer = Session(key=key)
        self._journal = journal
        self._finished = finished
        self._log = log
        self._context = zmq.asyncio.Context()
        self._fronts: dict[str, zmq.asyncio.Socket] = {}
        self._backs: dict[str, zmq.asyncio.Socket] = {}
        self._front_tasks: list[asyncio.Task[None]] = []
        self._back_tasks: list[asyncio.Task[None]] = []
        self._heard = asyncio.Event()

    async def connect(self, kernel: Info) -> None:
        """A kernel process was started: listen for clients, and speak to it.

        Args:
            kernel: Its connection information; its port numbers are ours too.
        """
        self._heard.clear()
        await self._disconnect()
        identity = os.urandom(16)  # the kernel asks for input by the name of who asked it to run
        for channel in CHANNELS:
            back = self._context.socket(zmq.SUB if channel == "iopub" else zmq.DEALER)
            if channel == "iopub":
                back.subscribe(b"")
            elif channel in {"shell", "stdin"}:
                back.identity = identity
            back.rcvhwm = back.sndhwm = 0
            back.connect(f"ipc://{kernel['ip']}-{kernel[f'{channel}_port']}")
            self._backs[channel] = back
            self._listen(channel, int(kernel[f"{channel}_port"]))
        for channel, back in self._backs.items():
            self._back_tasks.append(asyncio.create_task(self._from_kernel(channel, back)))
        self._back_tasks.append(asyncio.create_task(self._nudge(kernel)))

    def restarted(self) -> None:
        """The kernel's process is another: what the last one did not finish is aborted."""
        self._finished(self._journal.abandon() + self._journal.late_runs())

    def close(self) -> None:
        """The kernel is gone for good."""
        self._finished(self._journal.abandon() + self._journal.late_runs())
        for task in (*self._front_tasks, *self._back_tasks):
            task.cancel()
        self._context.destroy(linger=0)

    # ------------------------------------------------------------------ sockets

    def _listen(self, channel: str, port: int) -> None:
        """Its manager removes the sockets' files when a kernel ends: they are made anew."""
        address = f"ipc://{self._prefix}-{port}"
        front = self._fronts.get(channel)
        if front is not None:
            with contextlib.suppress(zmq.ZMQError):
                front.unbind(address)
            front.bind(address)
            return
        front = self._context.socket(zmq.PUB if channel == "iopub" else zmq.ROUTER)
        front.rcvhwm = front.sndhwm = 0
        front.bind(address)
        self._fronts[channel] = front
        if channel != "iopub":
            self._front_tasks.append(asyncio.create_task(self._from_clients(channel, front)))

    async def _disconnect(self) -> None:
        for task in self._back_tasks:
            task.cancel()
        await asyncio.gather(*self._back_tasks, return_exceptions=True)
        self._back_tasks.clear()
        for back in self._backs.values():
            back.close(linger=0)
        self._backs.clear()

    async def _nudge(self, kernel: Info) -> None:
        """A subscription takes a moment to stand: make the kernel say something until it does."""
        probe = self._context.socket(zmq.DEALER)
        probe.connect(f"ipc://{kernel['ip']}-{kernel['control_port']}")
        try:
            while not self._heard.is_set():
                request = self._signer.msg("kernel_info_request")
                parts = self._signer.serialize(request)
                await probe.send_multipart(parts)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._heard.wait(), _NUDGE_SECONDS)
        finally:
            probe.close(linger=0)

    # ------------------------------------------------------------------ from clients

    async def _from_clients(self, channel: str, front: zmq.asyncio.Socket) -> None:
        while True:
            frames = await front.recv_multipart()
            if channel != "hb":
                if channel == "shell":
                    await self._heard.wait()
                safe = self._request(channel, frames)
                if safe is None:
                    continue
                frames = safe
            back = self._backs.get(channel)
            if back is not None:
                await back.send_multipart(frames)

    def _request(self, channel: str, frames: list[bytes]) -> list[bytes] | None:
        """What of a client's message reaches the kernel."""
        try:
            names, parts = self._verified(frames)
            message = unpack(parts)
            safe = _end_of_kernel(channel, message) or from_browser(channel, message)
        except Exception as error:  # noqa: BLE001 - whatever a client sends, the others go on
            self._log.warning("A malformed message to the kernel was dropped: %s", error)
            return None
        if safe is None:
            kind = message["header"].get("msg_type")
            self._log.debug("A message to the kernel was dropped: %r is not allowed", kind)
            return None
        if safe["header"]["msg_type"] == "execute_request":
            msg_id = safe["header"].get("msg_id", "")
            if not msg_id or self._journal.knows(msg_id):
                self._log.warning("A request whose id was used before was dropped")
                return None
            content, cell = safe["content"], safe["metadata"].get("cellId", "")
            self._journal.asked(msg_id, content["code"], cell, silent=content["silent"])
        return self._signed(names, safe)

    def _verified(self, frames: list[bytes]) -> tuple[list[bytes], list[bytes]]:
        """Who sent it, and its parts.

        Raises:
            ValueError: Whoever sent it does not have the kernel's key.
        """
        cut = frames.index(DELIM)
        signature, parts = frames[cut + 1], frames[cut + 2 :]
        if not compare_digest(signature, self._signer.sign(parts[:4])):
            msg = "its signature is wrong"
            raise ValueError(msg)
        return frames[:cut], parts

    # ------------------------------------------------------------------ from the kernel

    async def _from_kernel(self, channel: str, back: zmq.asyncio.Socket) -> None:
        while True:
            frames = await back.recv_multipart()
            if channel == "hb":
                await self._fronts[channel].send_multipart(frames)
                continue
            safe = self._answer(channel, frames)
            if safe is not None:
                with contextlib.suppress(zmq.ZMQError):  # that client has gone
                    await self._fronts[channel].send_multipart(safe)
            if channel == "iopub":
                self._heard.set()

    def _answer(self, channel: str, frames: list[bytes]) -> list[bytes] | None:
        """What of a kernel's message reaches clients, and the journal."""
        try:
            cut = frames.index(DELIM)
            message = unpack(frames[cut + 2 :])
            if channel == "iopub":
                runs = self._journal.published(message)
                if runs:
                    self._finished(runs + self._journal.late_runs())
            safe = from_kernel(channel, message)
            if safe is not None and _asks_to_leave(message):
                safe["content"]["payload"] = [_LEAVE]
        except Exception as error:  # noqa: BLE001 - an untrusted kernel may send anything
            self._log.warning("A message of the kernel was dropped: %s", error)
            return None
        return None if safe is None else self._signed(frames[:cut], safe)

    def _signed(self, names: list[bytes], message: Message) -> list[bytes]:
        parts = pack(message)
        return [*names, DELIM, self._signer.sign(parts), *parts]


def _asks_to_leave(message: Message) -> bool:
    """Whether its cell was `exit`: the one payload that a console needs, and a page does not."""
    payload = message["content"].get("payload")
    return (
        message["header"]["msg_type"] == "execute_reply"
        and isinstance(payload, list)
        and any(isinstance(one, dict) and one.get("source") == "ask_exit" for one in payload)
    )


def _end_of_kernel(channel: str, message: Message) -> Message | None:
    """A `shutdown_request`, as the manager of this kernel sends it."""
    if (channel, message["header"].get("msg_type")) != ("control", "shutdown_request"):
        return None
    restart = message["content"].get("restart") is True
    return {**message, "metadata": {}, "content": {"restart": restart}, "buffers": []}
