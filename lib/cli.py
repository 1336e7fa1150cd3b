"""The command line, `python -m lib …`.

A mistake of the user is one line on stderr, "error: …", and exit code 2; a run or a disk
that fails is exit code 1; Ctrl-C is 130.
"""

import contextlib
import errno
import importlib
import importlib.util
import os
import sys
from pathlib import Path

import click
import numpy as np
import psutil
from tqdm import tqdm

from lib import options, overview
from lib.checkpoint import Checkpoints
from lib.cost import cores, estimate, floats_of, format_duration, machine_rate, makespan
from lib.mixtures import AMOUNTS_8, FOR_A_GPU
from lib.paper import EXPERIMENTS
from lib.spec import RunSpec, SpecError
from lib.store import Store, StoreError
from lib.sweep import missing
from lib.sweep import sweep as train_missing

ELSEWHERE = {  # commands of other modules, which are imported when they are asked for
    "run": "lib.chapters:run_command",
    "build": "lib.chapters:build_command",
    "bench": "benchmarks.speed:bench_command",
    "circuits": "lib.measured:circuits_command",
    "claims": "lib.report:claims_command",
}


class _Main(click.Group):
    """The group of all commands; turns what goes wrong into one line and an exit code."""

    def list_commands(self, context):
        there = [n for n, where in ELSEWHERE.items() if _exists(where.partition(":")[0])]
        return [*super().list_commands(context), *there]

    def get_command(self, context, name):
        if name not in self.list_commands(context) or name not in ELSEWHERE:
            return super().get_command(context, name)
        module, _, attribute = ELSEWHERE[name].partition(":")
        return getattr(importlib.import_module(module), attribute)

    def main(self, args=None, prog_name=None, **extra):
        args = list(sys.argv[1:] if args is None else args) or ["--help"]
        try:
            code = super().main(args, prog_name, **extra | {"standalone_mode": False})
        except (KeyboardInterrupt, click.Abort):
            _fail("interrupted; finished runs are kept", 130)
        except BrokenPipeError:  # the reader of our output has gone, as in `… | head -1`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)
        except click.ClickException as error:
            _fail(error.format_message(), error.exit_code)
        except (SpecError, StoreError) as error:
            _fail(error, 2)
        except OSError as error:
            where = f": {error.filename}" if error.filename else ""
            # A wrong path is the user's to mend, a full disk the machine's.
            wrong = (PermissionError, FileExistsError, NotADirectoryError, IsADirectoryError)
            users = isinstance(error, wrong) or error.errno == errno.ENAMETOOLONG
            _fail(f"{error.strerror or error}{where}", 2 if users else 1)
        sys.exit(code if isinstance(code, int) else 0)


def _exists(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # its package: benchmarks is there only in a checkout
        return False


def _fail(message: object, code: int) -> None:
    click.echo(f"error: {message}", err=True)
    sys.exit(code)


def _close(store: Store) -> None:
    """The end of a command that read the store: 2 where a file was broken (already said)."""
    if store.broken:
        sys.exit(2)


@click.group(cls=_Main, context_settings={"help_option_names": ["-h", "--help"]})
def main():
    """Unified View of Grokking (arXiv 2402.15175), reproduced: train, sweep, read the book."""


_RESULTS = click.option(
    "--results",
    type=click.Path(path_type=Path),
    help="Folder of finished runs.  [default: results/, or GROKKING_RESULTS]",
)


@main.command()
@options.of_a_run
@click.option("--threads", type=click.IntRange(1), help="Cores to use.  [default: all]")
@click.option("--force", is_flag=True, help="Train even if the run is stored.")
@_RESULTS
def train(threads, force, results, **values):
    """Train one run, and keep it."""
    spec, store = RunSpec(**values), Store(results)
    click.echo(f"{spec.label()}, {spec.epochs:,} epochs")
    if spec.key in store.keys() and not force:
        curve, row = store.curve(spec), store.runs().set_index("key").loc[spec.key]
        status, digest = row["status"], row["digest"]
        how = "stored already; --force trains it again"
    else:
        store.probe()
        states = Checkpoints(store.cache)
        run = _train_with_bar(spec, threads or cores(), states)
        curve, status, digest = run.curve, run.status, run.digest
        path = store.add(run)
        store.save_weights(run)
        states.remove(spec)
        how = f"{format_duration(run.wall_seconds)}, threads: {run.threads}; stored in {path}"
    _show(spec, curve, status)
    click.echo(f"SHA-256 of curve and weights: {digest}")
    click.echo(how)
    _close(store)


def _train_with_bar(spec, threads, states):
    from lib.train import train as train_run  # Numba takes a second to import

    with tqdm(total=spec.epochs, unit="epoch", disable=None, dynamic_ncols=True) as bar:

        def draw(progress):
            bar.set_postfix_str(f"validation {progress.val_accuracy:.3f}", refresh=False)
            bar.update(progress.epoch - bar.n)

        return train_run(spec, threads=threads, on_progress=draw, checkpoints=states)


def _show(spec, curve, status):
    from lib.analysis import zone

    last = {name: np.asarray(values)[-1] for name, values in dict(curve).items()}
    ends = {"stopped": "stopped early", "diverged": "diverged", "finished": "finished"}
    click.echo(f"{ends[status]} at epoch {int(last['epoch']):,} of {spec.epochs:,}")
    names = {"train": "training", "val": "validation", "memorize": "memorization"}
    for short, name in names.items():
        if not np.isnan(last[f"{short}_accuracy"]):
            loss = last.get(f"{short}_loss")
            click.echo(
                f"{name + ' accuracy':<22} {last[f'{short}_accuracy']:.4f}"
                + (f"   loss {loss:.3g}" if loss is not None else "")
            )
    click.echo(f"{'parameter norm':<22} {last['param_norm']:.2f}")
    click.echo(f"{'zone':<22} {zone(curve, spec)} (by epoch {int(last['epoch']):,})")


TILES = ("bf16x6", "bf16x3")  # of `lib.processor.PRECISIONS`, whose import takes a second


def _experiments(context, argument, names):
    for name in names:
        if name not in EXPERIMENTS:
            raise click.UsageError(f"unknown experiment {name!r}; known: {', '.join(EXPERIMENTS)}")
    return names


@main.command()
@click.argument("names", nargs=-1, required=True, callback=_experiments, metavar="NAME…")
@click.option("--seeds", callback=options.seeds, help="0:3, 5 or 0,2,7.  [default: the paper's]")
@click.option("--budget", callback=options.duration, help="Start no run that ends later: 45m, 2h.")
@click.option("--jobs", type=click.IntRange(1, 1024), help="Runs at once.  [default: all cores]")
@click.option("--dask", callback=options.address, help="Train on a Dask cluster: tcp://host:port.")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), help="Stack the runs on PyTorch.")
@click.option("--precision", type=click.Choice(["float32", "bf16x6", "bf16x3", "bf16"]),
              default="float32", help="Of matrix products: bf16x6 (with AMX; as exact as float32) "
              "or bf16x3 on the kernel, bf16 with --device.  [default: float32]")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Say what is missing and what it costs.")
@click.option("--nice/--no-nice", default=True, help="Let other programs go first.  [default: on]")
@_RESULTS
def sweep(names, seeds, budget, jobs, dask, device, precision, dry_run, nice, results):
    """Train what is missing of named experiments.  Can be interrupted and resumed at will.

    What takeaways still need comes first, then other claims, then the cells with the fewest seeds.
    """
    if dask and jobs:
        raise click.UsageError("--jobs is for this machine; a cluster's workers say how many")
    if device and dask:
        raise click.UsageError("--device is for this machine; a cluster's workers use the kernel")
    if precision not in ("float32", *(["bf16"] if device else [] if dask else TILES)):
        raise click.UsageError(
            "--precision bf16x6 and bf16x3 are for this machine's kernel, bf16 is for --device"
        )
    store, jobs = Store(results), jobs or cores()
    specs = list(dict.fromkeys(s for name in names for s in EXPERIMENTS[name].specs(seeds)))
    todo = missing(specs, store)
    click.echo(f"{', '.join(names)}: {len(todo):,} of {len(specs):,} runs are missing")
    if todo and device:
        from lib.stack_sweep import sweep_on_device

        how = dict(first=_needed(), precision=precision, threads=jobs, budget_s=budget)
        report = sweep_on_device(todo, store, device, dry_run, **how)
    elif todo:
        if precision != "float32":
            _check_precision(todo, precision)
        if not (dask or dry_run):
            _check_memory(todo, jobs)
        with _machine(dask, todo, store, jobs, precision) as (rate, jobs, where):
            time = format_duration(makespan(estimate(todo, rate, store.runs()), jobs))
            click.echo(f"expected time for all of them, {jobs} at once: {time}")
            how = dict(first=_needed(), budget_s=budget, nice=nice, rate=rate, **where)
            report = None if dry_run else train_missing(specs, store, **how)
    if todo and not dry_run:
        click.echo(
            f"{report.done:,} runs trained and stored in {format_duration(report.seconds)} "
            f"(predicted {format_duration(report.predicted)}), {report.left:,} still missing"
        )
        if report.fatal:
            _fail(report.fatal, 1)
        if report.failed:
            _fail(f"{len(report.failed)} runs failed, the first: {report.failed[0]}", 1)
        if report.interrupted:
            _fail("interrupted; the same command goes on where this one ended", 130)
    _close(store)


def _check_precision(todo, precision):
    """Refuse what this processor or the engine of some run does not have."""
    from lib.processor import check_precision
    from lib.train import engine_for

    check_precision(precision)
    for spec in todo:
        engine_for(spec, precision)


def _check_memory(todo, jobs):
    """Refuse what this machine cannot hold, before hours are spent on the way to it."""
    needs, spec = max((4 * floats_of(spec) * (not spec.plain), spec.label()) for spec in todo)
    there = psutil.virtual_memory().total
    if needs * min(jobs, len(todo)) > there:
        raise click.UsageError(
            f"{spec} takes about {needs / 1e9:.0f} GB of memory for each of {jobs} runs at once, "
            f"this machine has {there / 1e9:.0f}; such runs are for a GPU: --device cuda"
        )


@contextlib.contextmanager
def _machine(dask, todo, store, jobs, precision):
    """Where to train: its speed, its runs at once, and what `lib.sweep.sweep` is told of it."""
    if not dask:
        rate = _rate(todo, store, jobs, precision)
        yield rate, jobs, dict(jobs=jobs, precision=precision)
        return
    from lib import cluster

    with cluster.connect(dask) as client:
        click.echo("measuring the cluster's speed", err=True)
        rate = cluster.machine_rate(client, {spec.d_model for spec in todo})
        yield rate, cluster.threads(client), dict(crew=lambda: cluster.Crew(client, store))


def _needed():
    """The runs that takeaways need, then other claims', then of the paper's sizes figure 10's."""
    from lib.claims import CLAIMS  # the sweep itself knows nothing of them

    takeaways = [claim for claim in CLAIMS if claim.name.startswith("takeaway")]
    large = {spec for name in FOR_A_GPU for spec in EXPERIMENTS.get(name, ())}
    decisive = {spec for spec in large if spec.memorize_size in (0, AMOUNTS_8[0])}
    needed = ({spec for claim in some for spec in claim.specs()} for some in (takeaways, CLAIMS))
    return (*needed, decisive)


def _rate(specs, store, jobs, precision="float32"):
    how = dict(jobs=jobs, precision=precision, say=lambda line: click.echo(line, err=True))
    return machine_rate({spec.d_model for spec in specs}, store.cache, **how)


@main.command()
@click.option(
    "--estimate/--no-estimate", "timed", default=True, help="Say how long the rest takes."
)
@_RESULTS
def status(timed, results):
    """Show what is done of each experiment of the paper."""
    store, jobs = Store(results), cores()
    lacking = overview.lacking(EXPERIMENTS, store)
    widths = [spec for specs in lacking.values() for spec in specs]
    rate = _rate(widths, store, jobs) if timed and widths else None
    for line in overview.table(EXPERIMENTS, store, lacking, jobs, rate):
        click.echo(line)
    _close(store)


@main.command()
@_RESULTS
def compact(results):
    """Merge small files of finished runs into few."""
    store = Store(results)
    before = store.files()
    store.compact()
    click.echo(f"{len(before):,} files before, {len(store.files()):,} now, in {store.folder}")
    _close(store)
