"""Fixtures that every room shares."""

from __future__ import annotations

pytest_plugins = ["tests.fixtures_postgres", "tests.fixtures_gateway", "tests.fixtures_demo"]
