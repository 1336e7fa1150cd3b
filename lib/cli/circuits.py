"""`circuits`: look into the networks of named experiments."""

import time
from pathlib import Path

import click

from lib.circuits.measures import CHECKPOINTS, Measured, lacking, measure_run, merge
from lib.cli import options
from lib.paper.experiments import EXPERIMENTS
from lib.runs.machine import cores
from lib.runs.store import Store
from lib.sweeps.plan import estimate, format_duration
from lib.sweeps.speed import machine_rate


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME…")
@click.option("--seeds", callback=options.seeds, help="0:3, 5 or 0,2,7.  [default: all]")
@click.option(
    "--checkpoints",
    type=click.IntRange(1, 10_000),
    default=CHECKPOINTS,
    show_default=True,
    help="Epochs of a run that are measured; 1: its end only, from kept weights if possible.",
)
@click.option("--threads", type=click.IntRange(1), help="Cores to use.  [default: all]")
@click.option("--dry-run", is_flag=True, help="Say what is missing and what it costs.")
@click.option("--results", type=click.Path(path_type=Path), help="Folder of finished runs.")
def command(names, seeds, checkpoints, threads, dry_run, results) -> None:
    """Look into the networks of named experiments, and keep what is measured.

    Trains them again, to the same bits, and measures on the way.  Can be interrupted and
    resumed at will.
    """
    for name in names:
        if name not in EXPERIMENTS:
            raise click.UsageError(f"unknown experiment {name!r}; known: {', '.join(EXPERIMENTS)}")
    store, threads = Store(results), threads or cores()
    specs = [spec for name in names for spec in EXPERIMENTS[name].specs(seeds)]
    todo = lacking(specs, store, checkpoints)
    click.echo(f"{', '.join(names)}: {len(todo):,} of {len(set(specs)):,} runs are not measured")
    again = [s for s in todo if checkpoints > 1 or store.load_weights(s) is None]
    if again:
        rate = machine_rate({s.d_model for s in again}, store.cache, jobs=cores())
        seconds = estimate(again, rate, store.runs()).sum() / threads
        click.echo(f"{len(again):,} are trained again: about {format_duration(seconds)}")
    if todo and not dry_run:
        for i, spec in enumerate(todo, 1):
            start = time.monotonic()
            measure_run(spec, store, checkpoints, threads)
            time_taken = format_duration(time.monotonic() - start)
            click.echo(f"[{i}/{len(todo)}] {spec.label()}: measured in {time_taken}")
        merge(store)
    measured = Measured(store)
    if measured.tables() is None or store.broken or measured.broken:
        raise click.exceptions.Exit(2)
