"""The speed table: our trainer against named opponents and the hardware, in one sitting.

On one core, in processor time, one after the other in turn (`benchmarks.clock`); stacks of deep
networks, which may use a GPU, by the clock on the wall (`benchmarks.stacked`).
The opponent: `lib.engines.reference`, the model run eagerly on all three positions, autograd,
`torch.optim.AdamW`; with `--compiled` the same through `torch.compile`, too, which needs a C++
compiler; with `--jax` the same in JAX (`benchmarks.jax_trainer`), which needs `pip install jax`.
The hardware: `benchmarks.roofline`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec

import click
import numba
import torch

from benchmarks import roofline, start
from benchmarks.browser import WIDTHS as PAGE_WIDTHS
from benchmarks.browser import table as in_browser
from benchmarks.clock import Timing, busy, in_turn
from benchmarks.kept import keep
from benchmarks.stacked import lines
from lib.data import build
from lib.engines import reference
from lib.engines.choose import check_device
from lib.engines.flops import epoch_flops
from lib.engines.kernel.engine import Engine
from lib.spec import RunSpec

WIDTHS = (8, 16, 32, 64, 100)
DEFAULT = ",".join(map(str, WIDTHS))
TRAIN_SIZE = 3000


@dataclass(frozen=True)
class Row:
    """One width on one core: seconds of an epoch, ours and each opponent's, and rates in flop/s."""

    d_model: int
    ours: Timing
    opponents: dict[str, Timing]
    rate: float
    limit: float

    def ratio(self, name: str) -> float:
        """How many times faster ours is than an opponent."""
        return self.opponents[name].median / self.ours.median


def measure(
    widths=WIDTHS, compiled=False, jax=False, seconds: float = 0.3, **more
) -> Iterator[Row]:
    """A `Row` for each width; the loop of multiply-adds is measured beside each.

    Args:
        more: fields of the spec: `batch`, `norm`.
    """
    torch.set_num_threads(1)
    if jax:
        from benchmarks import jax_trainer  # not among the project's libraries
    loop, operations = roofline.growing()
    for d_model in widths:
        spec = RunSpec(d_model=d_model, train_size=TRAIN_SIZE, **more)
        data = build(spec)
        calls = {"loop": loop, "ours": Engine(spec, data).advance}
        calls["textbook PyTorch"] = reference.Engine(spec, data).advance
        if compiled:
            engine = reference.Engine(spec, data)
            engine.model.compile()
            calls["the same compiled"] = engine.advance
        if jax:
            calls["JAX, jitted scan"] = jax_trainer.Engine(spec, data).advance
        found = in_turn(calls, seconds)
        limit, ours = operations / found.pop("loop").median, found.pop("ours")
        products = epoch_flops(spec.replace(batch=None))  # more steps are no more products
        yield Row(d_model, ours, found, products / ours.median, limit)


def table(
    widths, compiled: bool, jax: bool, batch: int | None = None, norm: str | None = None
) -> Iterator[str]:
    """The table in Markdown, a line at a time."""
    points = f"{TRAIN_SIZE:,} points" + (f" in batches of {batch:,}" if batch else "")
    points += ", LayerNorm" if norm else ""
    yield f"ms an epoch ± half the spread of five repeats; {points}, one core, "
    yield f"{roofline.instructions()}"
    yield ""
    names = ["textbook PyTorch", *["the same compiled"] * compiled, *["JAX, jitted scan"] * jax]
    heads = " | ".join(f"{name} | ratio" for name in names)
    yield f"| d_model | ours | {heads} | GFLOP/s | multiply-adds alone | share |"
    yield "|--:" * (5 + 2 * len(names)) + "|"
    for row in measure(widths, compiled, jax, batch=batch, norm=norm):
        others = " | ".join(f"{_ms(row.opponents[n])} | {row.ratio(n):.1f}×" for n in names)
        yield (
            f"| {row.d_model} | {_ms(row.ours)} | {others} | {row.rate / 1e9:.0f} "
            f"| {row.limit / 1e9:.0f} | {row.rate / row.limit:.0%} |"
        )


def _ms(timing: Timing) -> str:
    return f"{timing.median * 1e3:.3g} ±{timing.spread / 2:.0%}"


@click.command()
@click.option("--widths", default=DEFAULT, help="d_model values, with commas.")
@click.option("--parts", is_flag=True, help="Instead: where an epoch spends its time.")
@click.option("--start", "started", is_flag=True, help="Instead: a first and a second short run.")
@click.option("--compiled", is_flag=True, help="torch.compile as an opponent, too (slow to start).")
@click.option("--jax", is_flag=True, help="A JAX trainer as an opponent, too (pip install jax).")
@click.option("--batch", type=int, help="Of that table: points a step.  [default: all]")
@click.option("--norm", is_flag=True, help="That table with LayerNorm.")
@click.option("--stacked/--no-stacked", default=True, help="The PyTorch engine's table, too.")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", help="For that table.")
@click.option("--precision", type=click.Choice(["float32", "bf16"]), default="float32",
              help="Of the products, in that table.")  # fmt: skip
@click.option("--browser", is_flag=True, help="Instead: the kernel in a page (needs Chromium).")
@click.option("--keep", "kept", is_flag=True, help="Keep what is printed for the page Speed.")
def command(
    widths, parts, started, compiled, jax, batch, norm, stacked, device, precision, browser, kept
) -> None:  # fmt: skip
    """Print the speed tables: our trainers, the textbook loop, and the hardware's rate."""
    try:
        chosen = [RunSpec(d_model=int(w), batch=batch).d_model for w in widths.split(",")]
    except ValueError as error:  # SpecError is one
        raise click.BadParameter(str(error)) from error
    check_device(device)
    if browser + started + parts > 1:
        raise click.UsageError("--browser, --start and --parts exclude each other")
    if jax and not find_spec("jax"):
        raise click.UsageError("--jax needs JAX: pip install jax")
    if (batch or norm) and (jax or browser or started or parts or device == "cuda"):
        given = "--batch is" if batch else "--norm is"
        raise click.UsageError(f"{given} for our trainer and the textbook on a processor alone")
    if said := busy():
        click.echo(said, err=True)
    tables = {}
    if browser:
        tables["browser"] = in_browser(chosen if widths != DEFAULT else PAGE_WIDTHS)
    elif started:
        tables["start"] = start.table()
    elif parts:
        tables["parts"] = roofline.table(chosen, TRAIN_SIZE)
    else:
        name = "native" + (f", batches of {batch}" if batch else "") + ", LayerNorm" * norm
        tables[name] = table(chosen, compiled, jax, batch, "pre" if norm else None)
        if stacked and not (batch or norm):
            runs = 1 if device == "cpu" else 64
            tables[f"stacked on {device}, {precision}"] = lines(
                device, runs=runs, precision=precision, threads=1
            )
    for name, one in tables.items():
        if name.startswith("stacked"):
            click.echo(f"\nthe PyTorch engine: {name}; ms per epoch and run\n")
        printed = [_printed(line) for line in one]
        if kept:
            told = numba.config.CPU_FEATURES is not None  # another processor than there is
            keep(f"{name}, {roofline.instructions().split(',')[0]}" if told else name, printed)


def _printed(line: str) -> str:
    click.echo(line)
    return line
