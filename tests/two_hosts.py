"""Another host: a network namespace of its own, and a cable (a veth pair) to this one."""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
CLONE_NEWNET = 0x40000000
_CAP_NET_ADMIN, _CAP_SYS_ADMIN = 12, 21


def why_not() -> str:
    """Why this process may not make network namespaces and cables; "" if it may."""
    status = Path("/proc/self/status").read_text()
    effective = int(status.partition("CapEff:")[2].split()[0], 16)
    missing = [
        name
        for name, bit in (("CAP_NET_ADMIN", _CAP_NET_ADMIN), ("CAP_SYS_ADMIN", _CAP_SYS_ADMIN))
        if not effective >> bit & 1
    ]
    return f"a cable between two network namespaces needs {' and '.join(missing)}" * bool(missing)


class OtherHost:
    """A network of its own that reaches this one over a cable, and nothing else.

    Attributes:
        this_side: This host's address on the cable.
        that_side: The other's.
        command: To be put before a command that is to run there.
    """

    def __init__(self, pid: int) -> None:
        self._namespace = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
        number = os.getpid() % 250
        self.this_side, self.that_side = f"10.213.{number}.1", f"10.213.{number}.2"
        self.command = ["nsenter", f"--net=/proc/{pid}/ns/net"]
        self.cable = f"zt{os.getpid()}"
        self._doors: list[socket.socket] = []
        link = f"link add {self.cable} type veth peer name cable netns {pid}"
        self._ip(link, [])
        self._ip(f"addr add {self.this_side}/30 dev {self.cable}", [])
        self._ip(f"addr add {self.that_side}/30 dev cable", self.command)
        self._ip(f"link set {self.cable} up", [])
        for name in ("cable", "lo"):
            self._ip(f"link set {name} up", self.command)

    @staticmethod
    def _ip(words: str, before: list[str]) -> None:
        subprocess.run([*before, "ip", *words.split()], check=True)

    def cut(self) -> None:
        """Pulls the cable. Nobody is told."""
        self._ip(f"link set {self.cable} down", [])

    def there(self, make: Callable[[], T]) -> T:
        """Calls a function on the other host; a socket that it makes stays there (setns(2))."""

        def call() -> T:
            libc = ctypes.CDLL(None, use_errno=True)
            assert libc.setns(self._namespace, CLONE_NEWNET) == 0, ctypes.get_errno()
            return make()

        with ThreadPoolExecutor(1) as thread:  # a thread is in one network, and then no more
            return thread.submit(call).result()

    def reach_from_here(self, port: int) -> None:
        """This host's loopback port leads to the same one there, as a proxy would."""
        self._door(_listener(port), lambda: self.there(lambda: _to(port)))

    def reach_from_there(self, port: int) -> None:
        """The other host's loopback port leads to the same one here."""
        self._door(self.there(lambda: _listener(port)), lambda: _to(port))

    def _door(self, listener: socket.socket, connect: Callable[[], socket.socket]) -> None:
        self._doors.append(listener)

        def accept() -> None:
            with suppress(OSError):
                while True:
                    near, _ = listener.accept()
                    far = connect()
                    for one, other in ((near, far), (far, near)):
                        threading.Thread(target=_pump, args=(one, other), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()

    def close(self) -> None:
        self._ip(f"link del {self.cable}", [])
        for door in self._doors:
            with suppress(OSError):
                door.shutdown(socket.SHUT_RDWR)
            door.close()
        os.close(self._namespace)


@contextmanager
def other_host() -> Iterator[OtherHost]:
    """It is there until the end of the block; then its network and the cable are gone."""
    with subprocess.Popen(["unshare", "--net", "sleep", "600"]) as keeper:
        try:
            ours = Path("/proc/self/ns/net").readlink()
            deadline = time.monotonic() + 10
            while Path(f"/proc/{keeper.pid}/ns/net").readlink() == ours:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            host = OtherHost(keeper.pid)
            try:
                yield host
            finally:
                host.close()
        finally:
            keeper.kill()


def _listener(port: int) -> socket.socket:
    return socket.create_server(("127.0.0.1", port))


def _to(port: int) -> socket.socket:
    # The server behind it may not be up yet: then whoever connected here is hung up on.
    line = socket.socket()
    with suppress(ConnectionRefusedError):
        line.connect(("127.0.0.1", port))
    return line


def _pump(one: socket.socket, other: socket.socket) -> None:
    with suppress(OSError):
        while data := one.recv(65536):
            other.sendall(data)
    for end in (one, other):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
