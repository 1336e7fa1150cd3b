"""`search`: train the search for the paper's recipe, as a race."""

import math
import time

import click

from lib.analysis.gather import gather
from lib.cli import options
from lib.cli.sweep import conclude
from lib.paper.race import in_the_race, next_runs, specs, standings
from lib.paper.scores import in_words
from lib.runs.machine import cores
from lib.runs.store import Store
from lib.sweeps.plan import estimate, format_duration, makespan
from lib.sweeps.sweep import sweep

BATCH = 3
"""Runs for each core between two looks at who leads."""


@click.command()
@click.option("--places", type=click.IntRange(1, 30), default=1, show_default=True,
              help="Go on until the best so many recipes are known.")  # fmt: skip
@click.option("--budget", callback=options.duration, help="Start no run that ends later: 45m, 2h.")
@click.option("--jobs", type=click.IntRange(1, 1024), help="Runs at once.  [default: all cores]")
@click.option("--dry-run", is_flag=True, help="Say who leads and what the rest costs at most.")
@click.option("--nice/--no-nice", default=True, help="Let other programs go first.  [default: on]")
@options.MEASURE
@options.RESULTS
def command(places, budget, jobs, dry_run, nice, measure, results):
    """Train what can still change which recipe fits the paper best.

    The recipe that can still score highest comes first, with its cheapest cell.  Can be
    interrupted and resumed at will.
    """
    store, jobs = Store(results), jobs or cores()
    end = time.monotonic() + (math.inf if budget is None else budget)
    rate, known = options.rate_of(specs(), store, jobs, measure=measure or not dry_run)
    while True:
        found = gather(specs(), store=store)
        racers = standings(specs(), found.runs, found.curves)
        left = [spec for racer in in_the_race(racers, places) for spec in racer.left]
        for line in _told(racers, places):
            click.echo(line)
        if left and rate:
            time_left = format_duration(makespan(estimate(left, rate, store.runs()), jobs))
            click.echo(
                f"their {len(left):,} runs take at most {time_left}, {jobs} at once ({known})"
            )
        if dry_run or not left:
            break
        batch = next_runs(racers, places, BATCH * jobs)
        report = sweep(
            batch, store, jobs=jobs, budget_s=end - time.monotonic(), nice=nice, rate=rate
        )
        conclude(report, store)
        if report.left:  # no time for them
            break
    options.close(store)


def _told(racers, places):
    """Who leads, in a line for each place, and how many may still come there."""
    for racer in racers[:places]:
        lacks = f" at best, {len(racer.left)} of its runs missing" if racer.left else ""
        yield f"{in_words(racer.recipe)}: {racer.bound:.2g}{lacks}"
    able = len(in_the_race(racers, places))
    where = "first place" if places == 1 else f"the first {places} places"
    yield f"{able} of {len(racers)} recipes lack runs and may still come to {where}"
