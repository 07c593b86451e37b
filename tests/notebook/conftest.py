"""One gateway with two databases, and one sandboxed kernel, for all that a notebook can do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.fixtures_gateway import Gateway, Session, running_gateway
from tests.fixtures_postgres import PostgresServer
from tests.kernel.running_kernel import RunningKernel, kernel_of

LAB_SQL = (Path(__file__).parent / "lab.sql").read_text()
KINDS = (
    "id small big exact wide free real_ yes word day moment local_moment hour span doc docb code"
    " raw mood numbers words moments"
)
POLICY = """
@id("not-for-reviewers")
@code("not_yours")
@reason("Payments and telephones are not for reviewers.")
@hint("Ask an analyst.")
forbid (principal in ZT::Role::"reviewer", action, resource)
when { context.relations_read.contains("payments") || context.columns_read.contains("phone") };

@id("no-addresses-for-reviewers")
@reason("Reviewers read without addresses.")
@mask("email=hide")
permit (principal in ZT::Role::"reviewer", action in ZT::Action::"read", resource);
"""
LAB_CLASSIFICATION = {
    "kinds": dict.fromkeys(KINDS.split(), "clear"),
    "numbers": {"id": "clear", "filler": "clear", "Odd Name": "clear"},
    "people": {"id": "clear", "email": {"tag": "email", "mask": "redact"}},
}


@pytest.fixture(scope="package")
def gateway(
    postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    postgres.sql(LAB_SQL, postgres.admin_dsn)

    def configure(own: Gateway) -> None:
        settings = own.configuration
        settings["gateway"]["name"] = "notebook"  # apart from the shared gateway's leases and views
        settings["connections"]["lab"] = {
            **settings["connections"]["warehouse"],
            "schema": "lab",
            "limits": {"max_rows": 1_000_000, "statement_seconds": 60},
        }
        own.write()
        (own.folder / "policies/own.cedar").write_text(POLICY)
        file = own.folder / "classification.yaml"
        classified = {**yaml.safe_load(file.read_text()), "lab": LAB_CLASSIFICATION}
        file.write_text(yaml.safe_dump(classified))

    folder = tmp_path_factory.mktemp("notebook")
    with running_gateway(folder, postgres, configure=configure) as own:
        yield own
    postgres.sql("DROP SCHEMA lab CASCADE; SELECT 1", postgres.superuser_dsn)


@pytest.fixture(scope="package")
def session(gateway: Gateway) -> Session:
    return gateway.open()


@pytest.fixture(scope="package")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("notebooks")


@pytest.fixture(scope="package")
def kernel(session: Session, folder: Path) -> Iterator[RunningKernel]:
    with kernel_of(session, folder) as running:
        yield running
