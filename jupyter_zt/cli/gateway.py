"""`jupyter zt gateway --config DIR`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from jupyter_zt.gateway import serve


def main(argv: Sequence[str]) -> int:
    """Serves until it is told to stop.

    Returns:
        The exit status.

    Raises:
        ConfigError: The directory can't be used; says file, line and what to write instead.
    """
    parser = argparse.ArgumentParser(
        prog="jupyter zt gateway",
        description="Run the gateway: it alone holds the targets' credentials.",
    )
    parser.add_argument(
        "--config",
        required=True,
        type=Path,
        metavar="DIR",
        help="directory with gateway.yaml, classification.yaml and policies/",
    )
    return serve(parser.parse_args(argv).config)
