"""What a sandboxed kernel may use: settings of the Jupyter server (``c.SandboxProvisioner``)."""

from __future__ import annotations

import os
import random
import signal
from typing import Final

from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from traitlets import Integer, default

from jupyter_zt.extension.bubblewrap import Limits

__all__ = ["LimitedProvisioner", "why_it_ended"]

_GIB: Final = 1 << 30
_OF_ALL_MEMORY: Final = 0.75
_BY_SIGNAL: Final = 128


class LimitedProvisioner(LocalProvisioner):
    """The settings. 0 is no limit."""

    max_data_bytes = Integer(8 * _GIB, min=0, help="Memory of each process.").tag(config=True)
    max_memory_bytes = Integer(
        min=0,
        help="Memory of all processes of a kernel together, looked at several times a second. "
        "Default: three quarters of this machine's.",
    ).tag(config=True)
    max_scratch_bytes = Integer(
        _GIB, min=0, help="Each of /tmp, /dev/shm and the home, which are kept in memory."
    ).tag(config=True)
    max_open_files = Integer(4096, min=0, help="Open files of each process.").tag(config=True)
    max_processes = Integer(512, min=0, help="Processes and threads of a kernel.").tag(config=True)
    max_cpus = Integer(0, min=0, help="Processors that a kernel may use at once.").tag(config=True)
    max_cpu_seconds = Integer(
        0, min=0, help="Processor time of each process, the kernel's own included."
    ).tag(config=True)

    @default("max_memory_bytes")
    def _part_of_the_machine(self) -> int:
        return int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * _OF_ALL_MEMORY)

    def limits(self) -> Limits:
        """Those that the operating system holds, for one start of a kernel."""
        here = sorted(os.sched_getaffinity(0))
        return Limits(
            data_bytes=self.max_data_bytes,
            open_files=self.max_open_files,
            processes=self.max_processes,
            scratch_bytes=self.max_scratch_bytes,
            cpu_seconds=self.max_cpu_seconds,
            # Some, so that not all kernels share the same.
            cpus=random.sample(here, self.max_cpus) if 0 < self.max_cpus < len(here) else (),
        )


def why_it_ended(status: int) -> str:
    """Why a kernel that nobody ended did, as far as its exit status tells; "" if it does not."""
    ended_by = status - _BY_SIGNAL if status > _BY_SIGNAL else -status
    known: dict[int, str] = {
        signal.SIGKILL: "it was killed, as the system does when memory runs out",
        signal.SIGXCPU: "it had used its processor time (c.SandboxProvisioner.max_cpu_seconds)",
        signal.SIGSEGV: "it crashed (segmentation fault)",
        signal.SIGABRT: "it crashed (abort)",
    }
    return known.get(ended_by, "")
