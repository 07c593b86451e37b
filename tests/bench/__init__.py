"""Benchmarks on the real parts. `python -m tests.bench [--only NAME]` prints JSON lines."""
