"""`jupyter zt demo`: everything on this machine, each part its own process, loopback only."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str]) -> int:
    """Runs the demo: see `jupyter_zt.cli.demo.start.main`."""
    # Late: the model server is a module of this package, and needs none of this.
    from jupyter_zt.cli.demo import start

    return start.main(argv)
