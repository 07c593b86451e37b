"""Which database errors leave the log as it was, and which leave doubt."""

from __future__ import annotations

from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    NotSupportedError,
    ProgrammingError,
)

__all__ = ["ForkedLogError", "is_database_failure", "leaves_no_doubt"]

# A failed fsync may have dropped what earlier writes left in the page cache, so no later success
# means anything (https://wiki.postgresql.org/wiki/Fsync_Errors); a corrupt file even less.
_DOUBTFUL_SQLITE = (
    "SQLITE_IOERR_FSYNC",
    "SQLITE_IOERR_DIR_FSYNC",
    "SQLITE_CORRUPT",
    "SQLITE_NOTADB",
)


class ForkedLogError(Exception):
    """The stored log isn't the one this process wrote: another writer, or a half-done commit."""


def is_database_failure(error: BaseException) -> bool:
    """Whether the transaction itself failed, not only one caller's part of it."""
    if isinstance(error, IntegrityError | ProgrammingError | DataError | NotSupportedError):
        return False
    return isinstance(error, DBAPIError | ForkedLogError)


def leaves_no_doubt(error: BaseException) -> bool:
    """Whether a failed commit is known to have left the log as it was before.

    Full or read-only disks and locks are such failures with SQLite: its log has no commit frame
    then. With any other database an error may come after the commit took place.
    """
    cause = error.orig if isinstance(error, DBAPIError) else None
    name = getattr(cause, "sqlite_errorname", None)
    return isinstance(name, str) and not name.startswith(_DOUBTFUL_SQLITE)
