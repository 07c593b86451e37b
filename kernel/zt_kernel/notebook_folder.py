"""The notebook's folder: where a kernel starts, and the only place that `--to` writes to."""

from __future__ import annotations

from pathlib import Path

from zt_kernel.errors import ZTRefused

NOTEBOOK_FOLDER = Path.cwd().resolve()
"""Loaded before any cell runs, so a later `os.chdir` changes nothing."""


def new_file(to: str, *, overwrite: bool) -> Path:
    """The file of a `--to`, which may be written.

    Args:
        to: As the person wrote it, relative to the notebook's folder.
        overwrite: Whether it may be there already.

    Raises:
        ZTRefused: ``bad_file``, ``outside_folder``, ``file_exists``.
    """
    asked = NOTEBOOK_FOLDER / to
    if asked.suffix != ".parquet" or "\0" in to:
        raise ZTRefused(
            f"{to!r} is no Parquet file.", code="bad_file", hint="Its name must end in .parquet."
        )
    try:
        folder = asked.parent.resolve(strict=True)
    except (OSError, RuntimeError, ValueError) as error:
        raise ZTRefused(
            f"There is no folder {str(asked.parent)!r}.", code="bad_file", hint="Make it first."
        ) from error
    if not folder.is_relative_to(NOTEBOOK_FOLDER):
        raise ZTRefused(
            f"{to!r} is outside of the notebook's folder.",
            code="outside_folder",
            hint="Results stay beside the notebook: give a name in its folder or below.",
        )
    path = folder / asked.name
    if not overwrite and (path.exists() or path.is_symlink()):
        raise exists(to)
    return path


def exists(to: str) -> ZTRefused:
    """A file is not replaced unless that is asked for."""
    return ZTRefused(
        f"{to!r} is there already.",
        code="file_exists",
        hint="Choose another name, or add --overwrite (overwrite=True).",
    )
