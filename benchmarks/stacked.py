"""The speed table of the PyTorch engine, against the textbook (`lib.engines.reference`).

The hardware: matrix products and copies of the same device and precision, in the same
sitting (`lib.sweeps.roofline`); beside what is measured stands what the model of operations and
bytes expects.  Where the Numba kernel covers a setting, its time on one core is there, too,
where a sweep compiles the training step (`lib.engines.torch.gradient`), one run's with it, and
on a GPU that of many runs in one stack.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from lib.data import build
from lib.engines import reference
from lib.engines.flops import epoch_flops
from lib.engines.kernel.engine import Engine
from lib.engines.torch.engine import StackedEngine
from lib.engines.torch.gradient import pays
from lib.spec import RunSpec
from lib.sweeps.roofline import WORK, Device, epoch_bytes, epoch_seconds, measure_device

_MIXED = RunSpec(task="multitask", memorize_size=1200, modulus=59, train_size=1200)
SETTINGS = (
    RunSpec(d_model=32),
    RunSpec(d_model=64),
    _MIXED.replace(d_model=64),
    _MIXED.replace(n_layers=2, d_model=128, norm="pre"),
    _MIXED.replace(n_layers=4, d_model=64, norm="pre"),
)
ON_A_GPU = (
    RunSpec(d_model=24),
    *SETTINGS,
    RunSpec(task="multitask", memorize_size=3000, d_model=128, norm="pre"),
)


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.2f}" if seconds >= 1e-3 else f"{seconds * 1e3:.3f}"


@dataclass(frozen=True)
class Row:
    """One setting: seconds per epoch and run, and how much of the device that is."""

    spec: RunSpec
    runs: int
    reference: float
    alone: float
    compiled: float | None
    kernel: float | None
    stacked: float | None
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
    device: str = "cpu", runs: int = 1, precision: str = "float32", threads: int = 1,
    aim: float = 0.5, settings=None,
) -> Iterator[tuple[Device, Row]]:  # fmt: skip
    """Yield a row for each setting, with the device's limits measured beside it."""
    for spec in settings or (ON_A_GPU if device == "cuda" else SETTINGS):
        torch.set_num_threads(threads)
        limits = measure_device(device, precision)
        how = dict(threads=threads, device=device, precision=precision)
        yield limits, _row(spec, runs, limits, aim, how)


def _row(spec: RunSpec, runs: int, limits: Device, aim: float, how: dict) -> Row:
    device, threads = how["device"], how["threads"]
    specs = [spec.replace(seed=seed) for seed in range(runs)]
    datas = [build(s) for s in specs]

    def timed(engine):
        return _time(engine.advance, device, aim)

    def stack(count, **more):
        return timed(StackedEngine(specs[:count], datas[:count], **how, **more))

    textbook = timed(reference.Engine(spec, datas[0], threads, device=device))
    alone = stack(1, compile=False)
    compiled = stack(1) if pays([spec], device) else None
    kernel = timed(Engine(spec, datas[0])) if spec.n_layers == 1 and device == "cpu" else None
    stacked = stack(runs) / runs if runs > 1 else None
    best = stacked or compiled or alone
    return Row(
        spec, runs, textbook, alone, compiled, kernel, stacked, epoch_seconds(spec, limits),
        epoch_flops(spec) / best / limits.rate, epoch_bytes(spec) / best / limits.bandwidth,
    )  # fmt: skip


def lines(device: str = "cpu", **options) -> Iterator[str]:
    """The table in Markdown, a line at a time; the device's limits come last."""
    others = ("compiled", "kernel") if device == "cpu" else ()
    others += ("stacked",) if options.get("runs", 1) > 1 else ()
    yield (
        "| setting | textbook, ms | ours, ms | ratio "
        f"| {' | '.join(f'{name}, ms' for name in others)} "
        "| model, ms | share of matmul rate | share of bandwidth |"
    )
    yield "|:--" + "|--:" * (6 + len(others)) + "|"
    found = None
    for limits, row in measure(device, **options):
        found = limits
        s = row.spec
        size = f"{s.n_layers} × {s.d_model}, {s.train_size + s.memorize_size:,} points"
        cells = " | ".join("–" if (t := getattr(row, n)) is None else _ms(t) for n in others)
        yield (
            f"| {size}, P = {s.modulus} | {_ms(row.reference)} | {_ms(row.alone)} "
            f"| {row.reference / row.alone:.1f}× | {cells} "
            f"| {_ms(row.model)} | {row.rate_share:.0%} | {row.bandwidth_share:.0%} |"
        )
    if found:
        size, copied = WORK[device].size, WORK[device].copied >> 20
        yield (
            f"\n{found.name}: {found.rate / 1e9:,.0f} Gflop/s in products of {size}³, "
            f"{found.bandwidth / 1e9:,.0f} GB/s in copies of {copied:,} MiB"
        )
