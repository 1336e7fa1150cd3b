"""The speed table: our trainer against a textbook PyTorch loop, and against the hardware.

Ours: one independent run a core, all cores busy.  The opponent: `lib.engines.reference`, the
model run eagerly on all three positions, autograd, `torch.optim.AdamW`, all threads.
The hardware: `torch.mm` of 2048³ in float32, all threads.
"""

import threading
import time
from dataclasses import dataclass

import click
import torch

from benchmarks.browser import WIDTHS as PAGE_WIDTHS
from benchmarks.browser import show as in_browser
from benchmarks.stacked import lines
from lib.data import build
from lib.engines import reference
from lib.engines.choose import check_device
from lib.engines.kernel.engine import Engine
from lib.runs.machine import cores as all_cores
from lib.spec import RunSpec

WIDTHS = (8, 16, 32, 64, 100)
DEFAULT = ",".join(map(str, WIDTHS))
TRAIN_SIZE = 3000


@dataclass(frozen=True)
class Row:
    """One width: seconds per epoch and run of both, and rates in flop/s."""

    d_model: int
    ours: float
    textbook: float
    rate: float
    share: float

    @property
    def ratio(self) -> float:
        """How many times faster our trainer gets an epoch of one run done."""
        return self.textbook / self.ours


def flops(d_model: int, modulus: int, samples: int) -> float:
    """Useful floating point operations of one epoch of the restructured model, both ways.

    2 flops a multiply-add, three products (forward, two backward), 9 d² + P d weights: W_O,
    the MLP and the unembedding.  Attention, softmax, tables and AdamW are not counted.
    """
    return 6 * (9 * d_model**2 + modulus * d_model) * samples


def seconds_per_epoch(d_model: int, cores: int, aim: float = 1.0) -> float:
    """Wall seconds per epoch and run with `cores` independent runs at once: best of three."""
    specs = [RunSpec(d_model=d_model, train_size=TRAIN_SIZE, seed=seed) for seed in range(cores)]
    networks = [Engine(spec, build(spec)) for spec in specs]
    networks[0].advance(2)  # compile
    began = time.perf_counter()
    networks[0].advance(5)
    count = max(5, int(aim / (time.perf_counter() - began) * 5))
    best = float("inf")
    for _ in range(3):
        workers = [threading.Thread(target=n.advance, args=(count,)) for n in networks]
        began = time.perf_counter()
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        best = min(best, (time.perf_counter() - began) / count)
    return best / cores


def textbook_seconds(d_model: int, cores: int, count: int = 20) -> float:
    """Seconds per epoch of the textbook loop with all threads: best of three."""
    spec = RunSpec(d_model=d_model, train_size=TRAIN_SIZE)
    engine = reference.Engine(spec, build(spec), cores)
    best = float("inf")
    for _ in range(4):  # the first warms up
        began = time.perf_counter()
        engine.advance(count)
        best = min(best, (time.perf_counter() - began) / count)
    return best


def matmul_rate(size: int = 2048) -> float:
    """Flop/s of a float32 matrix product with all threads: best of ten."""
    a, b, c = (torch.randn(size, size) for _ in range(3))
    best = float("inf")
    for _ in range(10):
        began = time.perf_counter()
        torch.mm(a, b, out=c)
        best = min(best, time.perf_counter() - began)
    return 2 * size**3 / best


def measure(widths=WIDTHS, cores: int | None = None):
    """Yield one `Row` a width; the matrix product is measured beside each."""
    cores = cores or all_cores()
    torch.set_num_threads(cores)
    for d_model in widths:
        peak = matmul_rate()
        ours = seconds_per_epoch(d_model, cores)
        peak = max(peak, matmul_rate())
        rate = flops(d_model, 113, TRAIN_SIZE) / ours
        yield Row(d_model, ours, textbook_seconds(d_model, cores), rate, rate / peak)


@click.command()
@click.option("--widths", default=DEFAULT, help="d_model values, with commas.")
@click.option("--stacked/--no-stacked", default=True, help="The PyTorch engine's table, too.")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", help="For that table.")
@click.option("--precision", type=click.Choice(["float32", "bf16"]), default="float32")
@click.option("--browser", is_flag=True, help="Instead: the kernel in a page (needs Chromium).")
def command(widths: str, stacked: bool, device: str, precision: str, browser: bool) -> None:
    """Print the speed tables: our trainers, the textbook loop, and the hardware's rate."""
    try:
        chosen = [RunSpec(d_model=int(w)).d_model for w in widths.split(",")]
    except ValueError as error:  # SpecError is one
        raise click.BadParameter(str(error)) from error
    if browser:
        return in_browser(chosen if widths != DEFAULT else PAGE_WIDTHS)
    cores = all_cores()
    click.echo(f"train size {TRAIN_SIZE}, modulus 113, {cores} cores; about 10 s a width", err=True)
    click.echo("| d_model | ours, ms | textbook, ms | ratio | GFLOP/s | share of matmul rate |")
    click.echo("|--:|--:|--:|--:|--:|--:|")
    for row in measure(chosen, cores):
        click.echo(
            f"| {row.d_model} | {row.ours * 1e3:.3f} | {row.textbook * 1e3:.2f} "
            f"| {row.ratio:.1f}× | {row.rate / 1e9:.0f} | {row.share:.0%} |"
        )
    if stacked:
        check_device(device)
        runs = 1 if device == "cpu" else 64
        click.echo(f"\nthe PyTorch engine on {device}, {precision}; ms per epoch and run", err=True)
        click.echo("")
        for line in lines(device, runs=runs, precision=precision, threads=1):
            click.echo(line)
