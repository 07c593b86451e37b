"""Full, read-only and failing disks, and a second writer: no false acknowledgement."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from jupyter_zt.errors import LogUnavailableError
from jupyter_zt.model import Record, RecordDraft, RecordKind
from jupyter_zt.recording import Log
from tests.fixtures_recording import draft, open_log


async def pragma(log: Log, statement: str) -> None:
    """Set something on the connection that the writer commits with."""
    await log.write(lambda group: group.connection.exec_driver_sql(statement).close())


def large(size_bytes: int = 400_000) -> RecordDraft:
    return RecordDraft(RecordKind.ADMIN, "s_1", {}, {"body": os.urandom(size_bytes)})


async def fill(log: Log) -> tuple[list[Record], LogUnavailableError]:
    """Append until it is refused."""
    kept: list[Record] = []
    for _ in range(500):
        try:
            kept += await log.append([large()])
        except LogUnavailableError as error:
            return kept, error
    raise AssertionError("it never filled up")


async def test_a_full_disk_refuses_and_works_again_when_space_is_back(tmp_path: Path) -> None:
    fatal: list[str] = []
    with open_log(tmp_path, on_fatal=fatal.append) as log:
        await pragma(log, "PRAGMA max_page_count = 500")
        kept, error = await fill(log)
        assert "full" in error.message
        assert error.hint
        assert kept
        before = log.checkpoint()
        # The writer has left the connection with the limit: space is back.
        after = await log.append([large()])
        assert after[0].leaf == kept[-1].leaf + 1
        assert log.checkpoint() != before
        records = log.session_records("s_1")
        assert records == [*kept, *after]
    assert fatal == []
    with open_log(tmp_path) as log:
        assert log.session_records("s_1") == records


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    if mount is None or os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    done = subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip(f"mounting is not permitted: {done.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def _remount(disk: Path, size: str) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}", disk], check=True)


async def test_a_file_system_without_space_refuses_and_recovers(small_disk: Path) -> None:
    with open_log(small_disk) as log:
        kept, _ = await fill(log)
        with pytest.raises(LogUnavailableError):
            await log.append([large()])
        assert log.session_records("s_1") == kept
        _remount(small_disk, "64m")
        after = await log.append([large()])
        assert after[0].seq == len(kept)
    with open_log(small_disk) as log:
        assert log.session_records("s_1") == [*kept, *after]


async def test_a_read_only_database_refuses_and_works_again(tmp_path: Path) -> None:
    with open_log(tmp_path) as log:
        await log.append([draft(RecordKind.ADMIN)])
        await pragma(log, "PRAGMA query_only = ON")
        outcomes = await asyncio.gather(
            *(log.append([draft(RecordKind.ADMIN)]) for _ in range(5)), return_exceptions=True
        )
        assert any(isinstance(item, LogUnavailableError) for item in outcomes)
        acknowledged = sum(not isinstance(item, BaseException) for item in outcomes)
        await log.append([draft(RecordKind.ADMIN)])
        assert len(log.session_records("s_1")) == acknowledged + 2


async def test_a_callback_that_hides_a_full_disk_does_not_make_a_false_acknowledgement(
    tmp_path: Path,
) -> None:
    hidden: list[str] = []

    def hide(connection: Connection, _records: object) -> None:
        try:
            connection.exec_driver_sql("create table hog as select randomblob(9000000) as x")
        except OperationalError as error:
            hidden.append(str(error))

    with open_log(tmp_path) as log:
        await log.append([draft(RecordKind.ADMIN)])
        await pragma(log, "PRAGMA max_page_count = 500")
        acknowledged = 1
        try:
            await log.append([draft(RecordKind.ADMIN)], hide)
            acknowledged += 1
        except LogUnavailableError:
            pass
        assert hidden
    with open_log(tmp_path) as log:
        assert len(log.session_records("s_1")) == acknowledged


async def test_a_second_writer_closes_the_log_for_good(tmp_path: Path) -> None:
    fatal: list[str] = []
    with open_log(tmp_path, on_fatal=fatal.append) as first:
        await first.append([draft(RecordKind.ADMIN)])
        with open_log(tmp_path) as second:
            taken = await second.append([draft(RecordKind.ADMIN, "s_2")])
        for _ in range(2):
            with pytest.raises(LogUnavailableError) as caught:
                await first.append([draft(RecordKind.ADMIN)])
            assert "Restart" in caught.value.hint
        assert len(fatal) == 1
        assert second.session_records("s_2") == taken
        assert len(second.session_records("s_1")) == 1


FAILING_FSYNC = """
    #include <errno.h>
    #include <unistd.h>
    static int failed(void) { errno = EIO; return -1; }
    int fsync(int fd) { return access("fail-fsync", F_OK) == 0 ? failed() : 0; }
    int fdatasync(int fd) { return fsync(fd); }
"""
CHILD = """
    import asyncio, json, sys
    from pathlib import Path
    from jupyter_zt.errors import LogUnavailableError
    from jupyter_zt.model import RecordKind
    from tests.fixtures_recording import draft, open_log

    async def main():
        fatal, refused = [], []
        with open_log(Path("."), on_fatal=fatal.append) as log:
            kept = await log.append([draft(RecordKind.ADMIN)])
            Path("fail-fsync").touch()
            for attempt in range(3):
                if attempt == 1:
                    Path("fail-fsync").unlink()  # a later success must not be believed
                try:
                    kept += await log.append([draft(RecordKind.ADMIN)])
                except LogUnavailableError as error:
                    refused.append(error.message)
        print(json.dumps({"kept": len(kept), "refused": len(refused), "fatal": len(fatal)}))

    asyncio.run(main())
"""


def test_a_failed_fsync_is_never_acknowledged_and_never_retried(tmp_path: Path) -> None:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("a C compiler makes the failing disk")
    source, shim = tmp_path / "shim.c", tmp_path / "shim.so"
    source.write_text(textwrap.dedent(FAILING_FSYNC))
    subprocess.run([compiler, "-shared", "-fPIC", "-o", shim, source], check=True)
    root = Path(__file__).parents[2]
    child = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(CHILD)],
        cwd=tmp_path,
        env={**os.environ, "LD_PRELOAD": str(shim), "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert child.stdout.strip() == '{"kept": 1, "refused": 3, "fatal": 1}', child.stderr
