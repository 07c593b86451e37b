from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_zt.recording import Log
from tests.fixtures_recording import open_log


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    with open_log(tmp_path) as opened_log:
        yield opened_log
