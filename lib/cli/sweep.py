"""`sweep`: train what is missing of named experiments."""

import contextlib

import click

from lib.cli import options
from lib.engines.choose import choose
from lib.paper.experiments import EXPERIMENTS
from lib.paper.mixtures import FOR_A_GPU, decisive
from lib.runs.store import Store
from lib.sweeps.plan import at_once, costs_of, format_duration, makespan, missing
from lib.sweeps.sweep import sweep as train_missing


def _ended(message: str, code: int = 1) -> click.ClickException:
    """A sweep that did not come through: one line, and its exit code."""
    error = click.ClickException(message)
    error.exit_code = code
    return error


@click.command()
@options.NAMES
@click.option("--seeds", callback=options.seeds, help="0:3, 5 or 0,2,7.  [default: its own]")
@click.option(
    "--budget",
    callback=options.duration,
    help="Start no run that ends later: 45m, 2h; on a GPU end then, with checkpoints.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 1024),
    help="Runs at once (on a GPU: threads).  [default: all cores]",
)
@click.option("--dask", callback=options.address, help="Train on a Dask cluster: tcp://host:port.")
@options.how_to_train
@click.option("--dry-run", is_flag=True, help="Say what is missing and what it costs.")
@click.option("--nice/--no-nice", default=True, help="Let other programs go first.  [default: on]")
@options.MEASURE
@options.RESULTS
def command(
    names, seeds, budget, jobs, dask, engine, device, precision, dry_run, nice, measure, results
):
    """Train what is missing of named experiments.  Can be interrupted and resumed at will.

    What takeaways still need comes first, then other claims, then the cells with the fewest seeds.
    """
    how = dict(engine=engine, precision=precision, device=device)
    plain = how == dict(engine=None, precision="float32", device="cpu")
    if dask and jobs:
        raise click.UsageError("--jobs is for this machine; a cluster's workers say how many")
    if dask and not plain:
        raise click.UsageError("--engine, --device and --precision are for this machine")
    if device == "cuda" and measure:
        raise click.UsageError("--measure is for a processor; a GPU's speed is its cost model's")
    if device == "cuda" and engine == "reference" and jobs:
        raise click.UsageError("the textbook trains one run after the other on a GPU: no --jobs")
    store = Store(results)
    options.check_edits(store, engine)
    specs = list(dict.fromkeys(s for name in names for s in EXPERIMENTS[name].specs(seeds)))
    todo = missing(specs, store)
    jobs = at_once(jobs, len(todo))
    click.echo(f"{', '.join(names)}: {len(todo):,} of {len(specs):,} runs are missing")
    for spec in () if plain else todo:
        choose(spec, **how)  # refuses what this machine or the engine of some run does not have
    if todo and not (dry_run or dask):  # a cluster is asked first, and that takes seconds
        store.probe()  # before minutes go by
    if todo and device == "cuda" and engine in (None, "stacked"):
        from lib.sweeps.device import sweep_on_device

        more = dict(first=_needed(), precision=precision, threads=jobs, budget_s=budget)
        report = sweep_on_device(todo, store, device, dry_run, **more)
    elif todo:
        jobs = jobs if device == "cpu" else 1  # one process has the GPU
        if not (dask or dry_run):
            threads = jobs if len(todo) == 1 else 1  # a run alone gets all threads
            options.check_memory(todo, min(jobs, len(todo)), threads, engine, device)
        with _machine(dask, todo, store, jobs, how, measure or not dry_run) as found:
            rate, known, jobs, where = found
            if rate:
                costs = costs_of(todo, rate, store, shared=not dask)
                alone = len(todo) == 1 and not dask
                time = sum(costs.values()) / jobs if alone else makespan(costs.values(), jobs)
                how_many = f"on {jobs} threads" if alone else f"{jobs} at once"
                time = format_duration(time)
                click.echo(f"expected time for all of them, {how_many}: {time} ({known})")
            more = dict(first=_needed(), budget_s=budget, nice=nice, rate=rate, **where)
            report = None if dry_run else train_missing(specs, store, **more)
    if todo and not dry_run:
        conclude(report, store)
    options.close(store)


def conclude(report, store):
    """Say what a sweep did; where it did not come through, an error with its exit code."""
    click.echo(
        f"{report.done:,} runs trained and stored in {format_duration(report.seconds)} "
        f"(predicted {format_duration(report.predicted)}), {report.left:,} still missing; "
        f"they are in {store.runs_folder}"
    )
    if report.fatal:
        raise _ended(report.fatal)
    if report.failed:
        raise _ended(f"{len(report.failed)} runs failed, the first: {report.failed[0]}")
    if report.interrupted:
        raise _ended("interrupted; the same command goes on where this one ended", 130)


@contextlib.contextmanager
def _machine(dask, todo, store, jobs, how, measure):
    """Where to train: speed and where that is known from, runs at once, what `sweep` is told."""
    if not dask:
        found = options.rate_of(todo, store, jobs, how, measure)
        yield *found, jobs, dict(jobs=jobs, how=how)
        return
    from lib.sweeps import cluster

    with cluster.connect(dask) as client:
        click.echo("measuring the cluster's speed", err=True)
        rate = cluster.machine_rate(client, {spec.d_model for spec in todo})
        known = "as measured on the cluster"
        yield rate, known, cluster.threads(client), dict(crew=lambda: cluster.Crew(client, store))


def _needed():
    """The runs that takeaways need, then other claims', then of the paper's sizes figure 10's."""
    from lib.paper.takeaways import CLAIMS  # the sweep itself knows nothing of them

    takeaways = [claim for claim in CLAIMS if claim.name.startswith("takeaway")]
    large = {spec for name in FOR_A_GPU for spec in EXPERIMENTS.get(name, ())}
    needed = ({spec for claim in some for spec in claim.specs()} for some in (takeaways, CLAIMS))
    return (*needed, set(filter(decisive, large)))
