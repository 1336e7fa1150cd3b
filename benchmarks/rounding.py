"""Stored float32 runs again with products of another precision, and both next to each other.

    python -m benchmarks.rounding figure3 --precision bf16x3 --seeds 0:1 --widths 64 --sizes 2600

The new runs are stored beside the old ones, which figures go on to show.  Needs a processor
with tile registers (`lib.amx`).
"""

import click

from lib import options
from lib.paper import EXPERIMENTS
from lib.processor import check_precision
from lib.rounding import NAMES, alike, two_precisions
from lib.spec import SpecError
from lib.store import Store
from lib.train import train


def _numbers(context, argument, text):
    try:
        return text and {int(part) for part in text.split(",")}
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.command()
@click.argument("name", type=click.Choice(sorted(EXPERIMENTS)))
@click.option("--precision", type=click.Choice(["bf16x6", "bf16x3"]), default="bf16x3")
@click.option("--seeds", callback=options.seeds, help="0:3, 5 or 0,2,7.  [default: all]")
@click.option("--widths", callback=_numbers, help="d_model values, with commas.  [default: all]")
@click.option("--sizes", callback=_numbers, help="train_size values.  [default: all]")
def main(name, precision, seeds, widths, sizes):
    """Train again what is stored of an experiment in float32, in another precision."""
    try:
        check_precision(precision)
    except SpecError as error:
        raise click.UsageError(str(error)) from error
    store = Store()
    runs = store.runs(every=True)
    there = {label: set(runs.loc[runs["engine"] == e, "key"]) for e, label in NAMES.items()}
    for spec in EXPERIMENTS[name].specs(seeds):
        wanted = spec.d_model in (widths or {spec.d_model})
        wanted &= spec.train_size in (sizes or {spec.train_size})
        if wanted and spec.key in there["float32"] - there[precision]:
            run = train(spec, precision=precision)
            store.add(run)
            epoch, value = (run.curve[c][-1] for c in ("epoch", "val_accuracy"))
            click.echo(f"{spec.label()}: epoch {epoch:,}, validation {value:.3f}", err=True)
    both = two_precisions(store)
    click.echo(both.drop(columns="key").to_string(index=False))
    click.echo(f"generalize in both or in neither: {alike(both)} of {len(both)}")


if __name__ == "__main__":
    main()
