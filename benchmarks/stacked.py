"""The speed table of the PyTorch engine: runs stacked against the same runs one by one.

The hardware: matrix products and copies of the same device and precision, in the same
sitting (`lib.sweeps.roofline`); beside what is measured stands what the model of operations and
bytes expects.  Where the Numba kernel covers a setting, its time on one core is there, too,
and where a sweep compiles the training step (`lib.engines.torch.gradient`), one run's with it.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from lib.data import build
from lib.engines.flops import epoch_flops
from lib.engines.kernel import engine
from lib.engines.torch.engine import StackedEngine
from lib.engines.torch.gradient import pays
from lib.spec import RunSpec
from lib.sweeps.roofline import Device, epoch_bytes, epoch_seconds, measure_device

SETTINGS = (
    RunSpec(d_model=32),
    RunSpec(d_model=64),
    RunSpec(task="multitask", memorize_size=1200, modulus=59, train_size=1200, d_model=64),
    RunSpec(
        task="multitask", memorize_size=1200, modulus=59, train_size=1200, d_model=64,
        n_layers=4, norm="pre",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One setting: seconds per epoch and run, and how much of the device that is."""

    spec: RunSpec
    runs: int
    stacked: float
    alone: float
    compiled: float | None
    kernel: float | None
    model: float
    rate_share: float
    bandwidth_share: float


def _time(work, device: str, aim: float) -> float:
    """Seconds of one call of `work(count)` for each of its `count` epochs: best of three."""
    work(2)  # allocates, compiles, captures
    count, best = 1, float("inf")
    for i in range(4):
        if device == "cuda":
            torch.cuda.synchronize()
        began = time.perf_counter()
        work(count)
        if device == "cuda":
            torch.cuda.synchronize()
        spent = (time.perf_counter() - began) / count
        if i:
            best = min(best, spent)
        else:
            count = max(1, int(aim / spent))
    return best


def measure(
    device: str = "cpu", runs: int = 8, precision: str = "float32", threads: int = 1,
    aim: float = 0.5, settings=SETTINGS,
) -> Iterator[tuple[Device, Row]]:  # fmt: skip
    """Yield a row for each setting, with the device's limits measured beside it."""
    for spec in settings:
        torch.set_num_threads(threads)
        limits = measure_device(device, precision)
        specs = [spec.replace(seed=seed) for seed in range(runs)]
        datas = [build(s) for s in specs]
        how = dict(device=device, precision=precision)
        stack = StackedEngine(specs, datas, threads, **how, compile=False)
        stacked = _time(stack.advance, device, aim) / runs
        del stack
        one = StackedEngine(specs[:1], datas[:1], threads, **how, compile=False)
        alone = _time(one.advance, device, aim)
        compiled = kernel = None
        if pays([spec], device):
            one = StackedEngine(specs[:1], datas[:1], threads, **how)
            compiled = _time(one.advance, device, aim)
        if engine.covers(spec) and device == "cpu":
            kernel = _time(engine.Engine(spec, datas[0]).advance, device, aim)
        yield limits, Row(
            spec, runs, stacked, alone, compiled, kernel, epoch_seconds(spec, limits),
            epoch_flops(spec) / stacked / limits.rate,
            epoch_bytes(spec) / stacked / limits.bandwidth,
        )  # fmt: skip


def lines(device: str = "cpu", **options) -> Iterator[str]:
    """The table in Markdown, a line at a time; the device's limits come last."""
    yield (
        "| setting | runs | stacked, ms | one by one, ms | ratio | compiled, ms | kernel, ms "
        "| model, ms | share of matmul rate | share of bandwidth |"
    )
    yield "|:--|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
    found = None
    for limits, row in measure(device, **options):
        found = limits
        s = row.spec
        size = f"{s.n_layers} × {s.d_model}, {s.train_size + s.memorize_size:,} points"
        compiled, kernel = (
            "–" if t is None else f"{t * 1e3:.2f}" for t in (row.compiled, row.kernel)
        )
        yield (
            f"| {size}, P = {s.modulus} | {row.runs} | {row.stacked * 1e3:.2f} "
            f"| {row.alone * 1e3:.2f} | {row.alone / row.stacked:.1f}× | {compiled} | {kernel} "
            f"| {row.model * 1e3:.2f} | {row.rate_share:.0%} | {row.bandwidth_share:.0%} |"
        )
    if found:
        yield f"\n{found.words}"
