"""Stored float32 runs again with products of another precision, and both next to each other.

    python -m benchmarks.rounding figure3 --precision bf16x3 --seeds 0:1 --widths 64 --sizes 2600
    python -m benchmarks.rounding figure3 --precision bf16 --device cuda --seeds 0:1

The new runs are stored beside the old ones, which figures go on to show.  bf16x6 and bf16x3
need a processor with tile registers (`lib.engines.simd.amx`); bf16 is trained in stacks on PyTorch.
"""

from collections.abc import Iterator

import click

from lib.chapters.stories.recipe.precision import alike, two_precisions
from lib.cli import options
from lib.engines.precision import precision_of
from lib.paper.experiments import EXPERIMENTS
from lib.runs.run import Run
from lib.runs.store import Store
from lib.spec import RunSpec, SpecError
from lib.sweeps.device import train_many
from lib.train import train


def _numbers(context, argument, text):
    try:
        return text and {int(part) for part in text.split(",")}
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def _trained(specs: list[RunSpec], precision: str, device: str) -> Iterator[Run]:
    """The runs as they end."""
    if device == "cuda":
        return train_many(specs, precision=precision)
    engine = "stacked" if precision == "bf16" else None
    return (train(spec, engine=engine, precision=precision) for spec in specs)


@click.command()
@click.argument("name", type=click.Choice(sorted(EXPERIMENTS)))
@click.option("--precision", type=click.Choice(["bf16x6", "bf16x3", "bf16"]), default="bf16x3")
@click.option(
    "--device", type=click.Choice(["cpu", "cuda"]), default="cpu", help="cuda: bf16 only."
)
@click.option("--seeds", callback=options.seeds, help="0:3, 5 or 0,2,7.  [default: all]")
@click.option("--widths", callback=_numbers, help="d_model values, with commas.  [default: all]")
@click.option("--sizes", callback=_numbers, help="train_size values.  [default: all]")
def main(name, precision, device, seeds, widths, sizes):
    """Train again what is stored of an experiment in float32, in another precision."""
    store = Store()
    runs = store.runs(every=True)
    stored = runs.groupby(runs["engine"].map(precision_of))["key"].agg(set)
    todo = stored.get("float32", set()) - stored.get(precision, set())
    specs = [
        spec
        for spec in EXPERIMENTS[name].specs(seeds)
        if spec.key in todo
        and spec.d_model in (widths or {spec.d_model})
        and spec.train_size in (sizes or {spec.train_size})
    ]
    try:
        for run in _trained(specs, precision, device):
            store.add(run)
            epoch, value = (run.curve[c][-1] for c in ("epoch", "val_accuracy"))
            click.echo(f"{run.spec.label()}: epoch {epoch:,}, validation {value:.3f}", err=True)
    except SpecError as error:
        raise click.UsageError(str(error)) from error
    both = two_precisions(store)
    click.echo(both.drop(columns="key").to_string(index=False))
    click.echo(f"generalize in both or in neither: {alike(both)} of {len(both)}")


if __name__ == "__main__":
    main()
