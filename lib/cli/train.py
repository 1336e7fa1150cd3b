"""`train`: one run, with a progress bar."""

import contextlib

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
from lib.sweeps.plan import format_duration

SHORT = 5e11
"""Operations of a run that the kernel has done on one core before code for several is compiled."""


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
    if spec.key in store.keys() and not force:
        curve, row = store.curve(spec), store.runs().set_index("key").loc[spec.key]
        status, digest = row["status"], row["digest"]
        click.echo(f"stored already, trained by {row['engine']}; --force trains it again")
        told = f"its key: {spec.key}"
    else:
        options.check_memory([spec], threads=threads, engine=engine, device=device)
        choose(spec, engine, precision, device)  # refuses what this processor does not have
        store.probe()
        how = dict(engine=engine, device=device, precision=precision, threads=threads)
        with contextlib.closing(Locks(store)) as locks:  # its checkpoint is that of one process
            if not locks.take(spec.key):
                told = "this run is being trained by another process; it will be kept"
                raise click.ClickException(told)
            states = Checkpoints(store.own)
            run = _train_with_bar(spec, states, how)
            curve, status, digest = run.curve, run.status, run.digest
            path = store.add(run)
            store.save_weights(run)
            states.remove(spec)
        told = f"{format_duration(run.wall_seconds)}, threads: {run.threads}; stored in {path}\n"
        told += f"its key: {spec.key}"
    _show(spec, curve, status)
    click.echo(f"SHA-256 of curve and weights: {digest}")
    click.echo(told)
    options.close(store)


def _train_with_bar(spec, states, how):
    from lib.engines.kernel.engine import compiles  # Numba takes a second to import
    from lib.train import train as train_run

    if how["engine"] == "numba" and compiles(how["threads"]):
        told = "compiling the trainer for this processor: half a minute, once"
        click.echo(told, err=True)
    with tqdm(total=spec.epochs, unit="epoch", disable=None, dynamic_ncols=True) as bar:

        def draw(progress):
            bar.set_postfix_str(f"validation {progress.latest['val_accuracy']:.3f}", refresh=False)
            bar.update(progress.epoch - bar.n)

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
