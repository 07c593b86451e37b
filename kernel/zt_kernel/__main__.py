"""`python -P -m zt_kernel -f CONNECTION_FILE`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from zt_kernel.kernel import ZTKernel  # before ipykernel's application: it turns the debugger off

from ipykernel.kernelapp import IPKernelApp  # isort: skip

from zt_kernel import loopback


class ZTKernelApp(IPKernelApp):
    """Serves one kernel."""

    def init_path(self) -> None:
        """Lets cells import what lies beside the notebook, as every Python kernel does.

        The interpreter started without that (`-P`): no file there can replace the kernel.
        """
        sites = (
            index
            for index, entry in enumerate(sys.path)
            if Path(entry).name in {"site-packages", "dist-packages"}
        )
        sys.path.insert(next(sites, len(sys.path)), "")

    def init_iopub(self, context: Any) -> None:
        """Lets outputs wait as long as there is memory: a flood of them loses none.

        By default the 1001st that waits is thrown away, and with it, perhaps, the word that the
        cell has ended. What the kernel may use of memory is the sandbox's to limit.
        """
        context.sndhwm = 0
        super().init_iopub(context)  # type: ignore[no-untyped-call]
        del context.sndhwm

    def log_connection_info(self) -> None:
        """Nobody reads the process's own output to find out how to connect."""


def main() -> None:
    """Runs one kernel until it is shut down."""
    loopback.start()
    ZTKernelApp.launch_instance(kernel_class=ZTKernel)


if __name__ == "__main__":
    main()
