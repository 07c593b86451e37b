"""Runs a cell that must succeed."""

from __future__ import annotations

from tests.kernel.running_kernel import RunningKernel


def ok(kernel: RunningKernel, code: str) -> str:
    """What it printed and showed. A stream comes in pieces, cut wherever the kernel flushed."""
    ran = kernel.run(code)
    assert ran.reply["status"] == "ok", ran.text
    shown = [output.get("data", {}).get("text/plain", "") for output in ran.outputs]
    printed = "".join(output.get("text", "") for output in ran.outputs)
    return "\n".join([printed, *shown]).strip("\n")
