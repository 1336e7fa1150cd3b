"""Fixtures of all tests: those of the browser tests live in `browsing`."""

pytest_plugins = ["browsing"]
