from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import fixtures_postgres
from tests.hub import stand


@pytest.fixture(scope="session")
def hub(
    postgres: fixtures_postgres.PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[stand.Hub]:
    """One Hub for the whole run."""
    with stand.running_hub(tmp_path_factory.mktemp("hub"), postgres) as running:
        running.start_servers(*stand.PEOPLE)
        yield running
