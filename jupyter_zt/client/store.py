"""Where a login is kept: in the system's keyring, or else in a file that only its owner reads.

A keyring is used where the package `keyring` is installed and has found a backend that it
recommends itself. A file counts before a keyring, so that there is one place at a time.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from jupyter_zt.client.api import LoginSettings
from jupyter_zt.client.places import read_private, state_directory, write_private
from jupyter_zt.errors import AuthenticationError, UnavailableError
from jupyter_zt.identity import Tokens, dump_tokens, load_tokens

_FILE = "login.json"
_LOCK = "login.lock"
_SERVICE = "jupyter-zt"
_ENTRY = "login"


@dataclass(frozen=True, slots=True)
class CommandLineLogin:
    """A person's login at one gateway.

    Attributes:
        gateway: Base address; the tokens are shown to no other.
        settings: The provider that vouches, and the client that logged in there.
    """

    gateway: str
    settings: LoginSettings
    tokens: Tokens


@contextmanager
def locked() -> Iterator[None]:
    """Alone with the login among all processes of this user.

    A refresh token is good for one use: who takes it must put its successor back before anybody
    else looks.
    """
    descriptor = os.open(
        state_directory() / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
    )
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def load() -> CommandLineLogin | None:
    """The login that is kept, or None.

    Raises:
        AuthenticationError: `bad_token`: what is kept is no login.
        PermissionDeniedError: `login_exposed`: others can read the file.
        UnavailableError: `keyring_locked`.
    """
    text = read_private(state_directory() / _FILE)
    if text is None:
        text = _from_keyring()
    return None if text is None else _parse(text)


def save(login: CommandLineLogin) -> str:
    """Keeps the login instead of any other.

    Returns:
        Where, for a person.
    """
    text = json.dumps(
        {
            "v": "1",
            "gateway": login.gateway,
            "settings": asdict(login.settings),
            "tokens": dump_tokens(login.tokens),
        }
    )
    path = state_directory() / _FILE
    backend = _backend()
    if backend is not None:
        try:
            backend.set_password(_SERVICE, _ENTRY, text)
        except Exception:  # noqa: BLE001 - backends raise what they like; the file works as well
            backend = None
    if backend is not None:
        path.unlink(missing_ok=True)
        return "the system's keyring"
    write_private(path, text)
    return str(path)


def forget() -> None:
    """From now on nobody is logged in here."""
    (state_directory() / _FILE).unlink(missing_ok=True)
    backend = _backend()
    if backend is not None and _from_keyring() is not None:
        backend.delete_password(_SERVICE, _ENTRY)


def _from_keyring() -> str | None:
    backend = _backend()
    if backend is None:
        return None
    try:
        text = backend.get_password(_SERVICE, _ENTRY)
    except Exception as error:
        raise UnavailableError(
            f"The system's keyring can't be read ({type(error).__name__}).",
            code="keyring_locked",
            hint="Unlock it, or log in again: jupyter zt login",
        ) from error
    return text if isinstance(text, str) else None


def _backend() -> Any:
    """A keyring backend that can be relied on, or None."""
    try:
        from keyring import core  # noqa: PLC0415 - an extra that may be missing
    except ImportError:
        return None
    backend = core.get_keyring()
    return backend if core.recommended(backend) else None


def _parse(text: str) -> CommandLineLogin:
    try:
        document = json.loads(text)
        return CommandLineLogin(
            gateway=str(document["gateway"]),
            settings=LoginSettings.from_json(document["settings"]),
            tokens=load_tokens(document["tokens"]),
        )
    except (ValueError, KeyError, TypeError, AuthenticationError) as error:
        raise AuthenticationError(
            "The login that was kept can't be used.",
            code="bad_token",
            hint="Log in again: jupyter zt login",
        ) from error
