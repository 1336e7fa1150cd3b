"""`circuits`: look into the networks of named experiments."""

import contextlib
import time

import click
from tqdm import tqdm

from lib.analysis.dynamics import half_way
from lib.circuits.measures import CHECKPOINTS, Measured, check, lacking, measure_run
from lib.cli import options
from lib.paper.experiments import EXPERIMENTS
from lib.runs.compaction import CANNOT_MERGE
from lib.runs.locks import Locks
from lib.runs.machine import cores
from lib.runs.store import Store
from lib.sweeps.plan import costs_of, format_duration


@click.command()
@options.NAMES
@click.option("--seeds", callback=options.seeds, help="0:3, 5 or 0,2,7.  [default: all]")
@click.option(
    "--checkpoints",
    type=click.IntRange(1, 10_000),
    default=CHECKPOINTS,
    show_default=True,
    help="Epochs of a run that are measured; 1: its end only, from kept weights if possible.",
)
@click.option(
    "--half-way",
    "stuck",
    is_flag=True,
    help="Only stored runs that know their training set and end half-way: validation 0.1 to 0.95.",
)
@click.option("--threads", type=options.THREADS, help="Cores to use.  [default: all]")
@click.option("--dry-run", is_flag=True, help="Say what is missing and what it costs.")
@options.MEASURE
@options.RESULTS_TO_READ
def command(names, seeds, checkpoints, stuck, threads, dry_run, measure, results) -> None:
    """Look into the networks of named experiments, and keep what is measured.

    Trains them again, to the same bits, and measures on the way.  Can be interrupted and
    resumed at will.
    """
    store, threads = Store(results), threads or cores()
    specs = [spec for name in names for spec in EXPERIMENTS[name].specs(seeds)]
    if stuck:
        runs = store.runs()
        own = runs["engine"] == "numba"  # another engine's training would not come back
        keys = set(runs[half_way(runs) & own]["key"])
        specs = [spec for spec in specs if spec.key in keys]
    measured = Measured(store)
    todo = lacking(specs, measured, checkpoints)
    click.echo(f"{', '.join(names)}: {len(todo):,} of {len(set(specs)):,} runs are not measured")
    for spec in todo:
        check(spec)  # all of them before hours are spent on the first
    if todo and not dry_run:
        measured.probe()  # where it is kept
    costs = _costs(todo, store, checkpoints, threads, measure or not dry_run)
    if todo and not dry_run:
        if others := _measure(todo, measured, store, checkpoints, threads, costs):
            click.echo(f"{others:,} are in flight elsewhere; the same command measures them later")
        with contextlib.suppress(*CANNOT_MERGE):  # the measures are kept as they are
            measured.compact()
    measured.tables()  # and with it what is broken
    if store.broken or measured.broken:
        raise click.exceptions.Exit(2)


def _costs(todo, store, checkpoints, threads, measure):
    """Seconds that each run takes that is trained again, as far as the speed is known; said."""
    again = [s for s in todo if checkpoints > 1 or store.load_weights(s) is None]
    if not again:
        return {}
    rate, known = options.rate_of(again, store, cores(), measure=measure)
    costs = costs_of(again, rate, store) if rate else {}
    time_taken = f": about {format_duration(sum(costs.values()) / threads)} ({known})"
    click.echo(f"{len(again):,} are trained again{time_taken if rate else ''}")
    return costs


def _measure(todo, measured, store, checkpoints, threads, costs):
    """Measure runs one by one; on a terminal with a bar over what they should take.

    Returns how many were left because another process has them in flight.
    """
    others = 0
    form, locks = "{desc} {percentage:3.0f}%|{bar}| {elapsed}, about {remaining} left", Locks(store)
    with tqdm(total=sum(costs.values()), bar_format=form, smoothing=0, disable=None) as bar:
        ended = 0.0
        for i, spec in enumerate(todo, 1):
            start, cost = time.monotonic(), costs.get(spec, 0.0)

            def tell(progress, ended=ended, cost=cost):
                bar.update(ended + cost * progress.epoch / progress.epochs - bar.n)

            bar.set_description_str(f"{i - 1}/{len(todo)} runs")
            if not locks.take(spec.key):
                others += 1
            elif lacking([spec], measured, checkpoints):  # else done elsewhere meanwhile
                measure_run(spec, store, checkpoints, threads, on_progress=tell)
                time_taken = format_duration(time.monotonic() - start)
                tqdm.write(f"[{i}/{len(todo)}] {spec.label()}: measured in {time_taken}")
            locks.release(spec.key)
            ended += cost
            bar.update(ended - bar.n)
    return others
