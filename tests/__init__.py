"""Tests, a package of its own: an installed one of the same name must not stand in its place."""
