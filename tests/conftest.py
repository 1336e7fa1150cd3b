"""Fixtures of all tests: those of the browser tests live in `browsing`."""

import os
import signal
import sys

import pytest

# PyTorch's and the BLAS's pools spin while they wait, here and in every process started from
# here, and the small products of the tests gain nothing by them.
for pool in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(pool, "1")

# jsonschema, which reads notebooks, would build a grammar of addresses: two seconds, for a check
# that none of its schemas here asks for, and that it does without where the module is not there.
sys.modules.setdefault("rfc3987_syntax", None)

from lib.runs.store import Store  # noqa: E402  (loads what has pools)

pytest_plugins = ["browsing"]

# A shell that starts the tests in the background has them ignore Ctrl-C, and every process
# that they start inherits it; those that are sent one must hear it.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True, tryfirst=True)  # around pytest-xdist, which reads the groups
def pytest_collection_modifyitems(items):
    """Tests that share a browser, its pages or a server run in one worker (`--dist loadgroup`).

    pytest-xdist 3.8 adds a test's group to its name where pytest 9.2 no longer looks, and each
    worker would then open every page (pytest-xdist's issue 1386).
    """
    for item in items:
        if {"browser", "jupyter"} & set(item.fixturenames):
            base = item.callspec.params.get("base", "") if hasattr(item, "callspec") else ""
            item.add_marker(pytest.mark.xdist_group(f"{item.module.__name__} {base}".strip()))
    yield
    for item in items:
        if hasattr(item, "id") and hasattr(item, "_nodeid"):
            item._id = type(item.id).parse(item._nodeid)


@pytest.fixture
def store(tmp_path):
    """An empty store of the test's own."""
    return Store(tmp_path / "results", tmp_path / "cache")


@pytest.fixture
def known(tmp_path, monkeypatch):
    """Sets the experiments that commands know, by name; their folders are the test's own, and
    nobody measures the machine's speed."""
    monkeypatch.setenv("GROKKING_RESULTS", str(tmp_path / "results"))
    monkeypatch.setenv("GROKKING_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("lib.cli.options.machine_rate", lambda *_, **__: lambda width: 1e9)

    def known(**grids):
        for command in ("circuits", "options", "status", "sweep"):
            monkeypatch.setattr(f"lib.cli.{command}.EXPERIMENTS", grids)

    return known


@pytest.fixture
def marks(tmp_path):
    """Where the stand-in trainers leave a mark for each run begun: seed-process."""
    (tmp_path / "marks").mkdir()
    return tmp_path / "marks"
