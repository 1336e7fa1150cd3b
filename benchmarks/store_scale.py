"""The store and the sweep at scale, on runs that cost nothing: `python -m benchmarks.store_scale`.

Writes RUNS fake runs with curves of 300 evaluations, as a sweep that merged its files would
leave them, then times what a reader of such a store waits for.  Every time is measured in a
process of its own, with the peak memory of that process.  `--sweep N` also times a sweep of
N instant runs: what is left is the sweep's own overhead.
"""

import contextlib
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import numpy as np
import pyarrow as pa

from lib.runs import shard
from lib.runs.run import Run
from lib.runs.store import SHARD, Store
from lib.spec import RunSpec
from lib.sweeps.sweep import sweep

STEPS = {  # what is timed: code that runs with `store` at hand
    "load all runs into a frame": "assert len(store.runs()) >= {runs}",
    "find the keys that are there": "assert len(store.keys()) >= {runs}",
    "one curve": "store.curves([store._index()['key'][0]])",
    "curves of 1,000 runs": "store.curves(store.runs()['key'][::{runs} // 1000 or 1])",
    "compact: nothing to do": "store.compact()",
}


def fake_train(spec: RunSpec, *, threads: int = 1, on_progress=None) -> Run:
    """A plausible run in no time."""
    epochs = spec.eval_epochs()
    rng = np.random.default_rng(spec.seed)
    curve = {name: rng.random(len(epochs)) for name in shard.CURVE} | {"epoch": epochs}
    return Run(spec, "finished", curve, {}, "numba", threads, 0.0)


def fill(store: Store, runs: int) -> None:
    """Files of `SHARD` runs each.  The curves repeat; keys, seeds and digests do not."""
    base = shard.table(fake_train(RunSpec(seed=seed)) for seed in range(SHARD))
    for first in range(0, runs, SHARD):
        seeds = range(first, min(first + SHARD, runs))
        table, keys = base.slice(0, len(seeds)), [RunSpec(seed=seed).key for seed in seeds]
        for name, values in {"seed": seeds, "key": keys, "digest": [3 * k for k in keys]}.items():
            at = table.schema.get_field_index(name)
            values = pa.array(list(values), table.schema.field(at).type)
            table = table.set_column(at, name, values)
        shard.write(store.runs_folder, table)


def measure(store: Store, code: str) -> list[float]:
    """Seconds, CPU seconds and peak MiB of a fresh process that does this to the store."""
    program = (
        "import resource, sys, time\nfrom lib.runs.store import Store\n"
        "store = Store(sys.argv[1])\nstart, cpu = time.perf_counter(), time.process_time()\n"
        f"{code}\nprint(time.perf_counter() - start, time.process_time() - cpu, "
        "resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"
    )
    words = [sys.executable, "-c", program, str(store.folder)]
    return list(
        map(float, subprocess.run(words, check=True, stdout=subprocess.PIPE).stdout.split())
    )


def overhead(store: Store, swept: int, where: str) -> tuple[float, float]:
    """Seconds and peak MiB of a sweep of runs that take no time, by two workers."""
    from benchmarks.store_scale import fake_train as train  # workers import it by this name
    from lib.sweeps import cluster

    first = 10**6 + len(store.keys())  # seeds that are not stored
    specs = [RunSpec(seed=first + n) for n in range(swept)]
    options = dict(rate=lambda width: 1e30, train=train, progress=False, jobs=2, nice=False)
    start = time.perf_counter()
    with contextlib.ExitStack() as stack:
        if where == "Dask":
            from distributed import LocalCluster

            words = dict(n_workers=2, threads_per_worker=1, dashboard_address=None)
            address = stack.enter_context(LocalCluster(**words)).scheduler_address
            client = stack.enter_context(cluster.connect(address))
            options["crew"] = lambda: cluster.Crew(client, store, train)
            start = time.perf_counter()
        report = sweep(specs, store, **options)
        seconds = time.perf_counter() - start
    assert report.done == swept, report
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@click.command()
@click.option("--runs", default=100_000, show_default=True)
@click.option("--sweep", "swept", default=2_000, show_default=True, help="Instant runs to sweep.")
@click.option("--folder", type=click.Path(path_type=Path), help="Keep the store here.")
def main(runs: int, swept: int, folder: Path | None) -> None:
    """Time a store of RUNS fake runs."""
    with tempfile.TemporaryDirectory() as temporary:
        store = Store((folder or Path(temporary)) / "results", Path(temporary) / "cache")
        if not store.files():
            fill(store, runs)
        size = sum(path.stat().st_size for path in store.runs_folder.iterdir())
        click.echo(f"{runs:,} runs in {len(store.files()):,} files, {size / 2**20:,.0f} MiB; ")
        click.echo(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n")
        click.echo("| | Seconds | of CPU | Peak memory |\n|:--|--:|--:|--:|")
        for name, code in STEPS.items():
            seconds, cpu, memory = measure(store, code.format(runs=runs))
            click.echo(f"| {name} | {seconds:.2f} | {cpu:.2f} | {memory:,.0f} MiB |")
        for where in ("processes", "Dask") if swept else ():
            seconds, memory = overhead(store, swept, where)
            each = f"{1000 * seconds / swept:.1f} ms each"
            what = f"sweep of {swept:,} instant runs beside them, {where}: {each}"
            click.echo(f"| {what} | {seconds:.1f} | | {memory:,.0f} MiB |")


if __name__ == "__main__":
    main()
