"""`python -m zt_kernel -f CONNECTION_FILE`."""

from __future__ import annotations

from zt_kernel.kernel import ZTKernel  # before ipykernel's application: it turns the debugger off

from ipykernel.kernelapp import IPKernelApp  # isort: skip


def main() -> None:
    """Runs one kernel until it is shut down."""
    IPKernelApp.launch_instance(kernel_class=ZTKernel)


if __name__ == "__main__":
    main()
