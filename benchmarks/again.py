"""Stored runs trained again by something else, and both next to each other.

    python -m benchmarks.again figure6 --by jax --widths 8,24 --sizes 2600 --seeds 0:5
    python -m benchmarks.again figure3 --by bf16x3 --seeds 0:1 --widths 64 --sizes 2600
    python -m benchmarks.again figure3 --by bf16 --device cuda --seeds 0:1
    python -m benchmarks.again figure7 --by kernel --widths 8,12 --sizes 3000 --seeds 5:11

The new runs are stored beside the old ones, which figures go on to show, but for the kernel's,
which come before a GPU's.  kernel is the book's own trainer, for what was trained in stacks;
reference is autograd of PyTorch, jax that of JAX (`pip install jax`).  bf16x6 and bf16x3 need a
processor with tile registers (`lib.engines.simd.amx`); bf16 is trained in stacks on PyTorch.
"""

import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec

import click
from tqdm import tqdm

from lib.cli import options
from lib.data import build
from lib.errors import StoreError
from lib.paper.experiments import EXPERIMENTS
from lib.runs.run import Progress, Run
from lib.runs.store import Store
from lib.spec import RunSpec, SpecError
from lib.sweeps.stacks import train_many
from lib.train import Training, train

NAMES = {
    "kernel": "numba",
    "reference": "reference",
    "jax": "jax",
    "bf16x6": "numba-bf16x6",
    "bf16x3": "numba-bf16x3",
    "bf16": "stacked-bf16",
}
"""What the provenance of a run says of each."""


def _numbers(context, argument, text):
    try:
        return text and {int(part) for part in text.split(",")}
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def jax_run(spec: RunSpec, on_progress: Callable[[Progress], None] | None = None) -> Run:
    """One run of the trainer that a reader would write in JAX, from the same weights and data."""
    from benchmarks.jax_trainer import Engine  # JAX, which the project does not need

    network = Engine(spec, build(spec), exact=spec.loss is None)
    training = Training(spec, on_progress)
    while not training.ended:
        before = time.perf_counter()
        network.advance(training.next_epoch - network.epoch)
        training.evaluate(network)
        training.seconds += time.perf_counter() - before
        training.tell(network)
    return training.run(network, threads=1)


def _trainer(by: str) -> Callable[..., Run]:
    if by == "jax":
        if not find_spec("jax"):
            raise click.UsageError("there is no JAX here: pip install jax")
        return jax_run
    if by == "reference":
        return partial(train, engine="reference")
    if by == "kernel":
        return partial(train, engine="numba")
    return partial(train, engine="stacked" if by == "bf16" else None, precision=by)


def _trained(specs: list[RunSpec], by: str, device: str) -> Iterator[Run]:
    """The runs as they end, with a bar for each on a terminal."""
    if device == "cuda":
        yield from train_many(specs, precision=by)
        return
    one = _trainer(by)
    for spec in specs:
        with tqdm(total=spec.epochs, desc=spec.label(), leave=False, disable=None) as bar:
            yield one(spec, on_progress=lambda p, bar=bar: bar.update(p.epoch - bar.n))


@click.command()
@click.argument("name", type=click.Choice(sorted(EXPERIMENTS)))
@click.option("--by", type=click.Choice(list(NAMES)), required=True)
@click.option(
    "--device", type=click.Choice(["cpu", "cuda"]), default="cpu", help="cuda: bf16 only."
)
@click.option("--seeds", callback=options.seeds, help="0:3, 5 or 0,2,7.  [default: all]")
@click.option("--widths", callback=_numbers, help="d_model values, with commas.  [default: all]")
@click.option("--sizes", callback=_numbers, help="train_size values.  [default: all]")
@options.RESULTS
def main(name, by, device, seeds, widths, sizes, results):
    """Train again, by something else, what is stored of an experiment in plain float32."""
    if device == "cuda" and by != "bf16":
        raise click.UsageError("--device cuda is for --by bf16")
    store = Store(results)
    runs = store.runs(every=True)
    stored = runs.groupby("engine")["key"].agg(set)
    plain = stored.get("numba", set()) | stored.get("stacked", set())
    todo = plain - stored.get(NAMES[by], set())
    specs = [
        spec
        for spec in EXPERIMENTS[name].specs(seeds)
        if spec.key in todo
        and (by != "kernel" or spec.n_layers == 1)
        and spec.d_model in (widths or {spec.d_model})
        and spec.train_size in (sizes or {spec.train_size})
    ]
    click.echo(f"{len(specs)} stored runs to train again by {by}", err=True)
    try:
        store.probe()  # before minutes go by
        for run in _trained(specs, by, device):
            store.add(run)
            epoch, value = (run.curve[c][-1] for c in ("epoch", "val_accuracy"))
            said = f"epoch {epoch:,}, validation {value:.3f}, {run.wall_seconds:.0f} s"
            click.echo(f"{run.spec.label()}: {said}", err=True)
    except SpecError as error:
        raise click.UsageError(str(error)) from error
    except OSError as error:
        raise StoreError(f"cannot write to {store.folder}: {error}") from error


if __name__ == "__main__":
    main()
