"""Where the tools get policies, connections and classification from."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

from jupyter_zt.errors import ConfigError
from jupyter_zt.model import ANALYST, ROLES
from jupyter_zt.policy import NOTHING_KNOWN, Classified, PolicySet
from jupyter_zt.policy.words import KINDS

PACKS = files("jupyter_zt").joinpath("policy", "packs")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What policies are written for.

    Attributes:
        kinds: Connection -> kind.
        classified: What is known of the connections' columns.
        config: The configuration directory, where one was named.
    """

    kinds: Mapping[str, str]
    classified: Classified
    config: Path | None

    def load(self, where: Path) -> PolicySet:
        """A policy set of a folder or file.

        Raises:
            ConfigError: It can't be used; says file and line.
        """
        return PolicySet.load(where, self.kinds, classified=self.classified)


def add_policies(parser: argparse.ArgumentParser) -> None:
    """Options that say which policies: a folder, a pack, or a configuration's own."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--policies", type=Path, metavar="PATH", help="folder of *.cedar files, or one file"
    )
    which.add_argument("--pack", choices=pack_names(), help="a starter pack")
    add_surroundings(parser)


def add_surroundings(parser: argparse.ArgumentParser) -> None:
    """Options that say what the policies are for."""
    parser.add_argument(
        "--config",
        type=Path,
        metavar="DIR",
        help="configuration directory of a gateway: its connections and classification count, "
        "and its policies where no others are named",
    )
    parser.add_argument(
        "--connection",
        action="append",
        default=[],
        metavar="NAME[=KIND]",
        help=f"a connection that there is; kinds are {', '.join(sorted(KINDS))} "
        "(default: warehouse=postgres)",
    )


def add_person(parser: argparse.ArgumentParser) -> None:
    """Options that say who acts."""
    parser.add_argument(
        "--role",
        action="append",
        choices=ROLES,
        help=f"role of the person; may be repeated (default: {ANALYST})",
    )
    parser.add_argument("--agent", metavar="NAME", help="the agent that acts for the person")


def pack_names() -> list[str]:
    """Names of the starter packs."""
    names = (path.name for path in PACKS.iterdir())
    return sorted(name.removesuffix(".cedar") for name in names if name.endswith(".cedar"))


def surroundings(
    arguments: argparse.Namespace, more: Mapping[str, str] | None = None
) -> Surroundings:
    """What the arguments say the policies are for.

    Args:
        arguments: With those of `add_surroundings`.
        more: Connections that are known from elsewhere (case files).

    Raises:
        ConfigError: The configuration can't be used, or a connection is not NAME=KIND.
    """
    kinds = dict(more or {})
    classified: Classified = NOTHING_KNOWN
    if arguments.config is not None:
        configured, classified = _configured(arguments.config)
        kinds |= configured
    for text in arguments.connection:
        name, _, kind = text.partition("=")
        kind = kind or kinds.get(name, "postgres")
        if not name or kind not in KINDS:
            hint = f"NAME=KIND; kinds are {', '.join(sorted(KINDS))}."
            raise ConfigError(f"--connection {text}: not understood.", hint=hint)
        kinds[name] = kind
    return Surroundings(kinds or {"warehouse": "postgres"}, classified, arguments.config)


def policies_path(arguments: argparse.Namespace, stack: ExitStack) -> Path:
    """Folder or file of the policies that the arguments name."""
    if arguments.policies is not None:
        return Path(arguments.policies)
    if arguments.config is not None and arguments.pack is None:
        return Path(arguments.config) / "policies"
    pack = PACKS.joinpath(f"{arguments.pack or 'demo'}.cedar")
    return stack.enter_context(as_file(pack))


def print_json(value: Mapping[str, object]) -> None:
    """One JSON document for machines."""
    print(json.dumps(value, indent=2))


def roles_of(arguments: argparse.Namespace) -> Sequence[str]:
    """The person's roles."""
    return arguments.role or [ANALYST]


def _configured(directory: Path) -> tuple[dict[str, str], Classified]:
    # Only here: a configuration needs the gateway's packages.
    from jupyter_zt.gateway.config import Configuration
    from jupyter_zt.masking import Classification

    config = Configuration.load(directory)
    kinds = {name: it.kind for name, it in config.values.connections.items()}
    path = config.directory / "classification.yaml"
    return dict(kinds), Classification.load(path, kinds).connections
