"""`status` and `compact`: what is done of each experiment and what the rest costs; fewer files."""

import click
import pyarrow as pa

from lib.cli import options
from lib.errors import StoreError
from lib.paper.experiments import EXPERIMENTS
from lib.paper.mixtures import FOR_A_GPU
from lib.runs.machine import cores
from lib.runs.shard import BrokenFile
from lib.runs.store import Store
from lib.sweeps import roofline
from lib.sweeps.plan import costs_of, format_duration, makespan, missing


@click.command()
@click.option(
    "--estimate/--no-estimate", "timed", default=True, help="Say how long the rest takes."
)
@options.MEASURE
@options.RESULTS_TO_READ
def command(timed, measure, results):
    """Show what is done of each experiment of the paper."""
    if measure and not timed:
        raise click.UsageError("--measure is for the estimate, which --no-estimate leaves out")
    store, jobs = Store(results), cores()
    todo = {name: missing(grid, store) for name, grid in EXPERIMENTS.items()}
    widths = [spec for specs in todo.values() for spec in specs]
    rate, known = (None, "")
    if timed and widths:
        rate, known = options.rate_of(widths, store, jobs, measure=measure)
    for line in table(EXPERIMENTS, store, todo, jobs, rate, timed):
        click.echo(line)
    if rate:
        click.echo(f"times: {known}")
    options.close(store)


_row = "{:<22} {:>13} {:>9} {:>10} {:>8} {:>8}  {}".format


def table(experiments, store, todo, jobs, rate=None, timed=True):
    """Yield the table's lines.

    Times are of one core: what the stored runs of an experiment took on processors, and what the
    missing ones are expected to.  `todo` are the missing runs by experiment.  `rate` tells a
    width's speed (`lib.sweeps.speed.machine_rate`); without it nothing is expected.  `timed`: a
    GPU's time, which nothing here has to be measured for, is said.
    """

    def core_hours(seconds):
        return f"{seconds / 3600:,.1f} h"

    stored, runs = store.keys(), store.runs()
    every = list(dict.fromkeys(spec for specs in todo.values() for spec in specs))
    costs = costs_of(every, rate, store) if rate else {}
    own = runs[runs["device"] == "cpu"]
    spent = dict(zip(own["key"], own["wall_seconds"] * own["threads"], strict=True))
    yield _row("experiment", "runs", "seeds", "cells", "taken", "to do", "runs by seed")
    for name, grid in experiments.items():
        there = [[spec.key in stored for spec in grid.specs([n])] for n in grid.seed_range]
        by_seed = [sum(row) for row in there]
        complete = sum(count == len(grid.points()) for count in by_seed)
        whole = sum(map(all, zip(*there)))  # cells with all their seeds
        yield _row(
            name,
            f"{sum(by_seed):,} of {len(grid):,}",
            f"{complete} of {grid.seeds}",
            f"{whole} of {len(grid.points())}",
            core_hours(sum(spent.get(spec.key, 0.0) for spec in grid.specs())),
            core_hours(sum(costs[spec] for spec in todo[name])) if rate and todo[name] else "",
            " ".join(map(str, by_seed)),
        ).rstrip()
    large = [name for name in FOR_A_GPU if name in experiments]
    rest = {spec for name, specs in todo.items() if name not in large for spec in specs}
    if rate and rest:
        but = f" but {' and '.join(large)}, which need a GPU" if large else ""
        seconds = [costs[spec] for spec in every if spec in rest]
        yield (
            f"all that is missing{but}: {core_hours(sum(seconds))} of one core, "
            f"{format_duration(makespan(seconds, jobs))} with {jobs} at once"
        )
    waiting = {spec for name in large for spec in todo[name]}
    if timed and waiting:
        hours = sum(roofline.seconds(spec, roofline.H100["float32"]) for spec in waiting) / 3600
        yield (
            f"{' and '.join(large)}: {hours:,.1f} h of {roofline.H100['float32'].name}, with no "
            "early stop; rather half as much again (sweep NAME --device cuda --dry-run asks yours)"
        )
    place = f"{store.folder}, {store.stale:,} stale ones left out"
    if not store.folder.exists():  # as where GROKKING_RESULTS is misspelt
        place = f"{store.folder}, which does not exist"
    yield f"{len(stored):,} runs in {place}"


@click.command()
@options.RESULTS_TO_READ
def compact(results):
    """Merge small files of finished runs into few."""
    store = Store(results)
    before = store.files()
    try:
        store.compact()
    except (BrokenFile, pa.ArrowException) as error:  # columns that do not go together, say
        raise StoreError(f"cannot merge: {str(error).splitlines()[0]}; nothing is lost") from error
    click.echo(f"{len(before):,} files before, {len(store.files()):,} now, in {store.folder}")
    options.close(store)
