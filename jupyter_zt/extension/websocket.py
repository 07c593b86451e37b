"""The browser's socket to a kernel, with the message filter on it and the journal beside it.

Set for the whole server as ``c.ServerApp.kernel_websocket_connection_class``. Kernels that are not
under the broker's care (``c.ZT.allow_other_kernels``) pass as in a stock server; which ones are is
the server's word, never the browser's.
"""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import uuid4

from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection
from tornado.websocket import WebSocketClosedError
from zmq.eventloop.zmqstream import ZMQStream

from jupyter_zt.extension.kernel_watch import KernelWatch
from jupyter_zt.extension.message_filter import Message, from_browser, from_kernel
from jupyter_zt.extension.wire_messages import from_frame, pack, to_frame, unpack

__all__ = ["ZTWebsocketConnection"]


class ZTWebsocketConnection(ZMQChannelsWebsocketConnection):
    """Shows a page only what is safe to show, and passes on only what the journal has noted."""

    @property
    def _watch(self) -> KernelWatch | None:
        """The broker's ear at this kernel; None for a kernel that is not in its care."""
        kernels: Any = self.multi_kernel_manager
        watch: KernelWatch | None = kernels.watch(self.kernel_id)
        return watch

    @property
    def _is_confined(self) -> bool:
        kernels: Any = self.multi_kernel_manager
        return bool(kernels.is_confined(self.kernel_id))

    # ------------------------------------------------------------------ from the browser

    def handle_incoming_message(self, incoming_msg: Any) -> None:
        """Pass on what a page may ask; refuse the rest, so that the page does not wait for it."""
        if not self._is_confined:
            super().handle_incoming_message(incoming_msg)
            return
        if not self.channels:
            return
        try:
            channel, message = from_frame(incoming_msg, self.subprotocol)
            safe = from_browser(channel, message)
        except Exception as error:  # noqa: BLE001 - whatever the page sends, the socket lives on
            self.log.warning(
                "A malformed message to kernel %s was dropped: %s", self.kernel_id, error
            )
            return
        if safe is None:
            self.log.warning(
                "A message to kernel %s was dropped: %r is not allowed on %r",
                self.kernel_id,
                message["header"].get("msg_type"),
                channel,
            )
            return
        watch = self._watch
        if watch is None:
            self._refuse(safe, "The kernel is over. Start it again.")
        elif channel == "shell":
            # In order, and not before the journal can hear the answer.
            watch.when_listening(partial(self._pass_on, channel, safe))
        else:
            self._pass_on(channel, safe)

    def _pass_on(self, channel: str, message: Message) -> None:
        """Note what is asked to run, then send it to the kernel."""
        stream = self.channels.get(channel)
        if stream is None or stream.closed():
            return
        watch = self._watch
        if message["header"]["msg_type"] == "execute_request" and watch is not None:
            msg_id = message["header"].get("msg_id", "")
            if not msg_id or watch.journal.knows(msg_id):
                self._refuse(message, "This request's id was used before. Run the cell again.")
                return
            content = message["content"]
            watch.journal.asked(
                msg_id,
                content["code"],
                message["metadata"].get("cellId", ""),
                silent=content["silent"],
            )
        self.session.send_raw(stream, pack(message))

    def _refuse(self, request: Message, reason: str) -> None:
        """Answer an execute request that is not passed on as a kernel would answer a failed one."""
        if request["header"]["msg_type"] != "execute_request":
            return
        error = {"ename": "ZTRefused", "evalue": reason, "traceback": [reason]}
        self._answer("iopub", request, "error", error)
        self._answer(
            "shell", request, "execute_reply", {"status": "error", "execution_count": None, **error}
        )
        self._answer("iopub", request, "status", {"execution_state": "idle"})

    def _answer(self, channel: str, request: Message, msg_type: str, content: Message) -> None:
        header = {**request["header"], "msg_id": uuid4().hex, "msg_type": msg_type}
        self._show(
            channel,
            {
                "header": header,
                "parent_header": request["header"],
                "metadata": {},
                "content": content,
                "buffers": [],
            },
        )

    # ------------------------------------------------------------------ from the kernel

    def _on_zmq_reply(self, stream: ZMQStream, msg_list: list[bytes] | Message) -> None:
        """Show a kernel's message (live or replayed from the buffer), made safe.

        Args:
            stream: Where it came in.
            msg_list: Parts in the v1 protocol, a deserialized message in the legacy one.
        """
        if not self._is_confined:
            super()._on_zmq_reply(stream, msg_list)
            return
        if stream.closed():
            self.disconnect()
            return
        channel = getattr(stream, "channel", "")
        try:
            message = msg_list if isinstance(msg_list, dict) else unpack(msg_list)
            safe = from_kernel(channel, message)
        except Exception as error:  # noqa: BLE001 - an untrusted kernel may send anything; nothing of it is shown
            self.log.warning("A message of kernel %s was dropped: %s", self.kernel_id, error)
            return
        if safe is not None:
            self._show(channel, safe)

    def _show(self, channel: str, message: Message) -> None:
        frame = to_frame(channel, message, self.subprotocol)
        try:
            self.write_message(frame, binary=isinstance(frame, bytes))
        except WebSocketClosedError:
            self.log.debug("The page of kernel %s has gone", self.kernel_id)
