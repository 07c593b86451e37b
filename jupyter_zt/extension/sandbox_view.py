"""What of this machine a sandboxed kernel sees, and which folders it must never be given."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from jupyter_core.paths import jupyter_config_dir, jupyter_data_dir, jupyter_runtime_dir

from jupyter_zt.errors import PermissionDeniedError
from jupyter_zt.extension.bubblewrap import View

SESSION_FOLDER = Path("/run/zt")
HOME = Path("/home/zt")
_NOTHING = "nothing"
_PREFIX_PARTS = ("bin", "include", "lib", "lib64", "pyvenv.cfg", "share")
# Where the shared libraries, the time zone and the fonts of /usr are looked up. No names of people.
_ETC = (
    "alternatives",
    "fonts",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "mime.types",
    "timezone",
)
_SYSTEM = ("/boot", "/dev", "/etc", "/proc", "/sys", "/usr")
_SYSTEM_STATE = ("/run", "/var/lib")  # a work folder deep in one of them may be meant
_ETC_FILES = {
    "passwd": f"zt:x:65534:65534:Jupyter ZT kernel:{HOME}:/bin/sh\n",
    "group": "zt:x:65534:\n",
    "hosts": "127.0.0.1 localhost\n::1 localhost\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
}


def check_work_folder(folder: Path, root: Path | None, protected: Sequence[Path]) -> Path:
    """The real path of a kernel's work folder, if a kernel may have it.

    Args:
        folder: Where the notebook stands.
        root: The server's root; a link in it must not lead a kernel out of it. None if unknown.
        protected: More paths that no kernel may see, besides this user's home, Jupyter's own
            folders and the system's.

    Raises:
        PermissionDeniedError: ``work_folder_refused``, with which path is at fault.
    """
    real = folder.resolve()
    if not real.is_dir():
        raise _refused(real, "it is not there")
    if root is not None and not real.is_relative_to(root.resolve()):
        raise _refused(real, "a link leads out of the server's root")
    home = Path.home().resolve()
    if home.is_relative_to(real):
        raise _refused(real, "it is, or holds, a home folder")
    private = [*_jupyters_own(), *(item.resolve() for item in protected)]
    for path in (*private, *(Path(item) for item in (*_SYSTEM, *_SYSTEM_STATE))):
        if path.is_relative_to(real):
            raise _refused(real, f"it is, or holds, {path}")
    for path in (*private, *(Path(item) for item in _SYSTEM)):
        if real.is_relative_to(path):
            raise _refused(real, f"it lies in {path}")
    return real


def build_view(kernel_folder: Path, session_folder: Path, work: Path, recordings: Path) -> View:
    """What one kernel sees.

    Args:
        kernel_folder: This kernel's own, as `prepare_kernel_folder` made it.
        session_folder: Holds the session's socket and nothing else.
        work: Checked by `check_work_folder`.
        recordings: Never seen: they are of all people. An empty folder stands in its place.

    Raises:
        PermissionDeniedError: ``work_folder_refused``: the folder of recordings is a link, or the
            work folder lies in it.
    """
    etc = [(Path("/etc", name), Path("/etc", name)) for name in _ETC]
    python = [(path, path) for path in python_paths()]
    own = [(kernel_folder / "etc" / name, Path("/etc", name)) for name in _ETC_FILES]
    sockets, connection_file = kernel_folder / "s", kernel_folder / "kernel.json"
    return View(
        read_only=[pair for pair in etc if pair[0].exists()] + own + python,
        hidden=[path for path in _jupyter_folders() if path.is_dir() and _is_seen(path)],
        writable=[(work, work), (sockets, sockets)],
        covered=[
            # An interpreter that lies in the work folder stays what it is: the server runs it too.
            *(pair for pair in python if pair[0].is_relative_to(work)),
            *_in_place_of(recordings, work, kernel_folder / _NOTHING),
            (connection_file, connection_file),
            (session_folder, SESSION_FOLDER),
        ],
        folder=work,
    )


def _in_place_of(recordings: Path, work: Path, nothing: Path) -> list[tuple[Path, Path]]:
    """What covers the recordings, where a kernel would see them."""
    if recordings.is_symlink():
        raise _refused(recordings, "the folder of recordings is a link")
    real = recordings.resolve()
    if real in work.parents:
        raise _refused(work, f"it lies in the folder of recordings, {recordings}")
    if not real.is_relative_to(work):
        return []
    real.mkdir(parents=True, exist_ok=True)
    return [(nothing, real)]


def prepare_kernel_folder(folder: Path) -> None:
    """Makes what `build_view` shows of a kernel's own folder, except the connection file."""
    for name in ("s", "etc", _NOTHING):
        (folder / name).mkdir(mode=0o700, exist_ok=True)
    for name, text in _ETC_FILES.items():
        (folder / "etc" / name).write_text(text, encoding="ascii")


def python_paths() -> list[Path]:
    """The interpreter, its environment and the packages of the kernel, outside of /usr."""
    prefixes = dict.fromkeys(Path(p) for p in (sys.base_prefix, sys.exec_prefix, sys.prefix))
    paths = [prefix / part for prefix in prefixes for part in _PREFIX_PARTS]
    paths = [path for path in paths if path.exists() and not _in_usr(path)]
    for package in ("ipykernel", "zt_kernel"):
        spec = find_spec(package)
        if spec is None or spec.origin is None:
            continue
        home = Path(spec.origin).parent
        # An editable install: the package alone, not the source tree around it.
        shown = home if package == "zt_kernel" else home.parent
        if not _in_usr(shown) and not any(shown.is_relative_to(path) for path in paths):
            paths.append(shown)
    return paths


def python_path_variable() -> str:
    """PYTHONPATH for packages that the interpreter finds through this user's home only."""
    prefixes = [Path(p) for p in (sys.base_prefix, sys.exec_prefix, sys.prefix)]
    entries = []
    for package in ("ipykernel", "zt_kernel"):
        spec = find_spec(package)
        if spec is None or spec.origin is None:
            continue
        site = Path(spec.origin).parent.parent
        if not _in_usr(site) and not any(site.is_relative_to(prefix) for prefix in prefixes):
            entries.append(os.fspath(site))
    return os.pathsep.join(dict.fromkeys(entries))


def _jupyter_folders() -> list[Path]:
    """Configuration, tokens and connection files of servers that use this Python."""
    prefix = Path(sys.prefix)
    return [
        prefix / "share" / "jupyter",
        prefix / "etc" / "jupyter",
        Path("/usr/local/etc"),
        Path(jupyter_runtime_dir()),
        Path(jupyter_config_dir()),
    ]


def _jupyters_own() -> list[Path]:
    folders = (jupyter_runtime_dir(), jupyter_config_dir(), jupyter_data_dir())
    return [Path(folder).resolve() for folder in folders]


def _is_seen(path: Path) -> bool:
    return _in_usr(path) or any(path.is_relative_to(shown) for shown in python_paths())


def _in_usr(path: Path) -> bool:
    return path.is_relative_to("/usr")


def _refused(folder: Path, why: str) -> PermissionDeniedError:
    return PermissionDeniedError(
        f"A kernel can't be given the folder {folder}: {why}.",
        code="work_folder_refused",
        hint="Kernels see the folder of their notebook. Put the notebook into a folder of its own.",
    )
