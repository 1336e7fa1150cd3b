"""`search`: train the search for the paper's recipe, as a race."""

import math
import time

import click

from lib.analysis.gather import gather
from lib.cli import options
from lib.cli.sweep import conclude
from lib.paper.race.scores import in_words
from lib.paper.race.standings import in_the_race, next_runs, specs, standings
from lib.runs.machine import cores
from lib.runs.store import Store
from lib.sweeps.plan import estimate, format_duration, makespan, missing
from lib.sweeps.sweep import Report, sweep

BATCH = 3
"""Runs for each core between two looks at who leads."""


@click.command()
@click.option("--places", type=click.IntRange(1), default=1, show_default=True,
              help="Go on until the best so many recipes are known.")  # fmt: skip
@click.option("--budget", callback=options.duration, help="Start no run that ends later: 45m, 2h.")
@click.option("--jobs", type=click.IntRange(1, 1024), help="Runs at once.  [default: all cores]")
@click.option("--dry-run", is_flag=True, help="Say who leads, and what all of the rest costs.")
@click.option("--nice/--no-nice", default=True, help="Let other programs go first.  [default: on]")
@options.MEASURE
@options.RESULTS
def command(places, budget, jobs, dry_run, nice, measure, results):
    """Train what can still change which recipe fits the paper best.

    The recipe that can still score highest comes first, in the cell that has told most of
    recipes for its cost.  Can be interrupted and resumed at will.
    """
    store, jobs = Store(results), jobs or cores()
    options.check_edits(store, None)
    end = time.monotonic() + (math.inf if budget is None else budget)
    total, rate, tried = Report(), None, set()
    while True:
        found = gather(specs(), store=store)
        racers = standings(specs(), found.runs, found.curves)
        for line in _told(racers, places):
            click.echo(line)
        left = [spec for racer in in_the_race(racers, places) for spec in racer.left]
        if not left:
            break
        if not rate:  # of no use to who has nothing to train, and it takes a minute
            if not dry_run:
                store.probe()
            rate, known = options.rate_of(specs(), store, jobs, measure=measure or not dry_run)
        if rate:
            time_left = format_duration(makespan(estimate(left, rate, store.runs()), jobs))
            click.echo(f"if all their {len(left):,} runs are needed: {time_left} ({known})")
        batch = next_runs(_without(tried, racers), places, BATCH * jobs)
        if dry_run or not batch:
            break
        how = dict(jobs=jobs, nice=nice, rate=rate, budget_s=end - time.monotonic())
        report = sweep(batch, store, first=[{spec} for spec in batch], **how)
        total.add(report)
        if report.fatal or report.interrupted:
            break
        if report.left == len(batch) and not report.failed:
            break  # neither trained here nor stored by another search: the budget is spent
        if report.failed:
            tried |= set(missing(batch, store))
    if not dry_run:
        total.left = len(missing(left, store))
        conclude(total, store)
    options.close(store)


def _without(failed, racers):
    """The race without runs that cannot be trained here.

    A recipe that has only such runs left is as good as it is, and not as it could have been.
    """
    able = [r._replace(left=tuple(s for s in r.left if s not in failed)) for r in racers]
    return [n if n.left or not r.left else n._replace(bound=n.score) for r, n in zip(racers, able)]


def _told(racers, places):
    """The best product so far, and how many recipes may still come to the first places."""
    leader = max(racers, key=lambda racer: racer.score)
    yield f"best so far: {in_words(leader.recipe)}, product {leader.score:.2g}"
    for place, racer in enumerate(racers[:places], 1):
        if racer.left:
            break
        yield f"place {place} is taken: {in_words(racer.recipe)}, product {racer.bound:.2g}"
    able = in_the_race(racers, places)
    where = "first place" if places == 1 else f"the first {places} places"
    most = f", with {able[0].bound:.2g} at best" if able else ""
    yield f"{len(able)} of {len(racers)} recipes lack runs and may still come to {where}{most}"
