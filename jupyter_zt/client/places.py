"""Where the command line keeps what it knows, and where the gateway is.

The gateway is, in this order: what `--gateway` says, what the environment's ``JUPYTER_ZT_GATEWAY``
says, and what ``gateway.json`` in the state directory says. `jupyter zt demo` writes that file
while it runs.
"""

from __future__ import annotations

import json
import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from jupyter_zt.errors import ConfigError, PermissionDeniedError
from jupyter_zt.identity import is_protected

GATEWAY_VARIABLE = "JUPYTER_ZT_GATEWAY"
_POINTER = "gateway.json"
_MAX_FILE_CHARACTERS = 64 * 1024


def state_directory() -> Path:
    """Of this user: ``$XDG_STATE_HOME/jupyter-zt``, mode 0700, made when it is not there.

    Raises:
        PermissionDeniedError: `state_exposed`: others can write in it.
    """
    base = Path(os.environ.get("XDG_STATE_HOME", ""))
    # XDG Base Directory Specification: a relative path is to be ignored.
    home = base if base.is_absolute() else Path.home() / ".local" / "state"
    directory = home / "jupyter-zt"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    about = directory.stat()
    if about.st_uid != os.getuid() or about.st_mode & 0o022:
        raise PermissionDeniedError(
            f"{directory} can be changed by other users.",
            code="state_exposed",
            hint=f"Make it yours alone: chmod 700 {directory}",
        )
    return directory


def write_private(path: Path, text: str) -> None:
    """Writes a file that only this user can read; readers see the old one or the new one."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink()
        raise


def read_private(path: Path) -> str | None:
    """The text of a file that only this user can read; None when there is no such file.

    Raises:
        PermissionDeniedError: `login_exposed`: others can read or change it, or it is a link.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _exposed(path, error.strerror or "it can't be opened") from error
    with os.fdopen(descriptor, encoding="utf-8") as file:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode) or about.st_uid != os.getuid():
            raise _exposed(path, "it is not a file of yours")
        if about.st_mode & 0o077:
            raise _exposed(path, f"its mode is {stat.S_IMODE(about.st_mode):04o} and not 0600")
        return file.read()


def read_own(path: Path) -> str:
    """The text of a key or token file that only its owner can read. Links are followed.

    Raises:
        PermissionDeniedError: `file_exposed`: others can read or change it.
        ConfigError: `file_missing`: it can't be read.
    """
    try:
        with path.open(encoding="utf-8") as file:
            about = os.fstat(file.fileno())
            if about.st_mode & 0o077:
                raise PermissionDeniedError(
                    f"{path} is not used: its mode is {stat.S_IMODE(about.st_mode):04o}.",
                    code="file_exposed",
                    hint="Somebody else may have read it. Make a new one, and chmod 600 it.",
                )
            return file.read(_MAX_FILE_CHARACTERS)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path} can't be read: {type(error).__name__}.", file=str(path), code="file_missing"
        ) from error


def find_gateway(named: str | None) -> str:
    """Base address of the gateway.

    Args:
        named: What the person said, or None.

    Raises:
        ConfigError: `no_gateway`, or `insecure_gateway`: neither https nor on this machine.
    """
    url = named or os.environ.get(GATEWAY_VARIABLE) or _pointed_at()
    if not url:
        raise ConfigError(
            "It is not known which gateway to use.",
            code="no_gateway",
            hint=f"Name it: --gateway URL, or {GATEWAY_VARIABLE} in the environment.",
        )
    if not is_protected(url):
        raise ConfigError(
            f"The gateway {url!r} is neither https nor on this machine.",
            code="insecure_gateway",
            hint="Use its https address; http is accepted on loopback only.",
        )
    return url.rstrip("/")


def point_at(url: str) -> None:
    """From now on, who names no gateway means this one."""
    write_private(state_directory() / _POINTER, json.dumps({"gateway": url}) + "\n")


def stop_pointing_at(url: str) -> None:
    """Takes `point_at` back, unless it was another since."""
    if _pointed_at() == url:
        with suppress(FileNotFoundError):
            (state_directory() / _POINTER).unlink()


def _pointed_at() -> str:
    try:
        document = json.loads((state_directory() / _POINTER).read_text(encoding="utf-8"))
        return str(document["gateway"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _exposed(path: Path, why: str) -> PermissionDeniedError:
    return PermissionDeniedError(
        f"The login in {path} is not used: {why}.",
        code="login_exposed",
        hint=f"Somebody else may have it. Remove it (rm {path}) and log in again: jupyter zt login",
    )
