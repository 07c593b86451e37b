"""Fixtures that every room shares."""

from __future__ import annotations

import pytest

pytest_plugins = ["tests.fixtures_postgres", "tests.fixtures_gateway", "tests.fixtures_demo"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browsers come last: Playwright's own event loop runs until the end, and allows no other."""
    items.sort(key=lambda item: "chromium" in getattr(item, "fixturenames", ()))
