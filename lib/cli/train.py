"""`train`: one run, with a progress bar."""

import contextlib
import time

import click
import numpy as np
from tqdm import tqdm

from lib.cli import options
from lib.engines.choose import check_device, choose, engine_of
from lib.engines.flops import flops
from lib.engines.precision import check_precision
from lib.runs.checkpoints import Checkpoints
from lib.runs.locks import Locks
from lib.runs.machine import cores
from lib.runs.store import Store
from lib.spec import RunSpec
from lib.sweeps.plan import costs_of, format_duration

A_LINE = 60
"""Seconds between two lines of progress where there is no terminal for a bar."""


SHORT = 5e11
"""Operations of a run that the kernel has done on one core before code for several is compiled, or
before anyone asks how long it will take."""


@click.command()
@options.of_a_run
@options.how_to_train
@click.option(
    "--threads", type=options.THREADS, help="Cores to use.  [default: all; 1 for seconds]"
)
@click.option("--force", is_flag=True, help="Train even if the run is stored.")
@options.RESULTS
def command(engine, device, precision, threads, force, results, **values):
    """Train one run, and keep it."""
    spec, store = RunSpec(**values), Store(results)
    engine = engine_of(spec, engine, device)
    check_precision(engine, precision)
    check_device(device)
    threads = threads or (1 if engine == "numba" and flops(spec) < SHORT else cores())
    options.check_edits(store, engine)
    click.echo(f"{spec.label()}, {spec.epochs:,} epochs")
    found = None if force else _stored(spec, store)
    if found is None:
        options.check_memory([spec], threads=threads, engine=engine, device=device)
        choose(spec, engine, precision, device)  # refuses what this processor does not have
        store.probe()
        how = dict(engine=engine, device=device, precision=precision, threads=threads)
        with contextlib.closing(Locks(store)) as locks:  # its checkpoint is that of one process
            if not locks.take(spec.key):
                told = "this run is being trained by another process; it will be kept"
                raise click.ClickException(told)
            found = None if force else _stored(spec, store)  # by that other, a moment ago
            found = found or _train(spec, store, how)
    curve, status, digest, told = found
    _show(spec, curve, status)
    click.echo(f"SHA-256 of curve and weights: {digest}")
    click.echo(f"{told}its key: {spec.key}")
    options.close(store)


def _stored(spec, store):
    """The curve of a stored run, how it ended, its digest, what else is said; or None."""
    if spec.key not in store.keys():
        return None
    row = store.runs().set_index("key").loc[spec.key]
    click.echo(f"stored already, trained by {row['engine']}; --force trains it again")
    return store.curve(spec), row["status"], row["digest"], ""


def _train(spec, store, how):
    """The same of a run that is trained now, and kept."""
    states = Checkpoints(store.own)
    if how["device"] == "cpu" and flops(spec) >= SHORT:
        known = (options.rate_of([spec], s, cores(), measure=False) for s in (store, Store()))
        rate, source = next((pair for pair in known if pair[0]), (None, ""))
        if rate:
            seconds = costs_of([spec], rate, store)[spec] / how["threads"]
            where = source.partition(";")[0]  # what follows is no option of this command
            click.echo(f"about {format_duration(seconds)} at its longest ({where})")
    run = _train_with_bar(spec, states, how)
    path = store.add(run)
    store.save_weights(run)
    states.remove(spec)
    took = f"{format_duration(run.wall_seconds)}, threads: {run.threads}; stored in {path}\n"
    return run.curve, run.status, run.digest, took


def _train_with_bar(spec, states, how):
    from lib.engines.kernel.engine import compiles  # Numba takes a second to import
    from lib.train import train as train_run

    if how["engine"] == "numba" and compiles(how["threads"]):
        told = "compiling the trainer for this processor: half a minute, once"
        click.echo(told, err=True)
    last = time.monotonic()
    with tqdm(total=spec.epochs, unit="epoch", disable=None, dynamic_ncols=True) as bar:

        def draw(progress):
            nonlocal last
            value = f"validation {progress.latest['val_accuracy']:.3f}"
            bar.set_postfix_str(value, refresh=False)
            bar.update(progress.epoch - bar.n)
            if bar.disable and time.monotonic() - last > A_LINE:
                click.echo(f"epoch {progress.epoch:,} of {spec.epochs:,}, {value}", err=True)
                last = time.monotonic()

        return train_run(spec, on_progress=draw, checkpoints=states, **how)


def _show(spec, curve, status):
    from lib.analysis.dynamics import zone

    last = {name: np.asarray(values)[-1] for name, values in dict(curve).items()}
    ends = {"stopped": "stopped early", "diverged": "diverged", "finished": "finished"}
    click.echo(f"{ends[status]} at epoch {int(last['epoch']):,} of {spec.epochs:,}")
    names = {"train": "training", "val": "validation", "memorize": "memorization"}
    for short, name in names.items():
        if not np.isnan(last[f"{short}_accuracy"]):
            loss = f"   loss {last[f'{short}_loss']:.3g}" if f"{short}_loss" in last else ""
            click.echo(f"{name + ' accuracy':<22} {last[f'{short}_accuracy']:.4f}{loss}")
    click.echo(f"{'parameter norm':<22} {last['param_norm']:.2f}")
    click.echo(f"{'zone':<22} {zone(curve)} (by epoch {int(last['epoch']):,})")
