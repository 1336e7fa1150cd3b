"""Where things lie: the project, its results, its cache."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def default_results() -> Path:
    """The results folder: `GROKKING_RESULTS`, or `results` at the project's top level."""
    return Path(os.environ.get("GROKKING_RESULTS") or ROOT / "results")


def default_cache() -> Path:
    """The folder of what can be made again: `GROKKING_CACHE`, or `cache` at the top level."""
    return Path(os.environ.get("GROKKING_CACHE") or ROOT / "cache")
