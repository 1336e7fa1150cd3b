"""From the command to the outcome of a short run: the first time on a machine, and from then on."""

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RUN = "train --d-model 8 --modulus 31 --train-size 300 --epochs 60 --threads 1".split()
REPEATS = 3


def seconds(words: list[str], folder: str) -> float:
    """Processor time of one command of the project that keeps all it keeps in a folder."""
    own = {"NUMBA_CACHE_DIR": "code", "GROKKING_CACHE": "cache", "GROKKING_RESULTS": "results"}
    places = {name: str(Path(folder) / place) for name, place in own.items()}
    before = _of_children()
    subprocess.run(
        [sys.executable, "-m", "lib", *words],
        cwd=ROOT, env=os.environ | places, check=True, capture_output=True,
    )  # fmt: skip
    return _of_children() - before


def _of_children() -> float:
    import resource  # which Windows has not: there only this table is missing

    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def table() -> Iterator[str]:
    """The table in Markdown, a line at a time: seconds of processor time, medians."""
    found = {"the first time": [], "from then on": [], "`--help`": []}
    for repeat in range(REPEATS):
        with tempfile.TemporaryDirectory() as folder:
            found["the first time"].append(seconds(RUN, folder))
            again = [*RUN, "--seed", str(repeat + 1)]
            found["from then on"].append(seconds(again, folder))
            found["`--help`"].append(seconds(["--help"], folder))
    yield "| a short run, with all that it starts | seconds | shortest | longest |"
    yield "|:--|--:|--:|--:|"
    for name, each in found.items():
        values = " | ".join(f"{f(each):.1f}" for f in (statistics.median, min, max))
        yield f"| {name} | {values} |"
