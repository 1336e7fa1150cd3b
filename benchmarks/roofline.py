"""What one core can do at most, and where an epoch of the kernel spends its time.

    python -m lib bench --parts
    NUMBA_CPU_NAME=haswell NUMBA_CPU_FEATURES=+avx2,+fma python -m lib bench --parts

The limit is the best of a loop of multiply-adds that reads one place in the first cache, compiled
as the kernel is, and of NumPy's and PyTorch's matrix products, in processor time; PyTorch's on one
thread, NumPy's on as many as its library takes (OPENBLAS_NUM_THREADS=1: one).  Parts are timed one
by one, on the network's own arrays; matrix products (with the biases) are what is left of an epoch.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numba
import numpy as np
import torch
from numba import njit

from benchmarks.clock import Timing, in_turn
from lib.data import build
from lib.engines.flops import epoch_flops
from lib.engines.kernel import attention, epochs, memory, network, vocabulary
from lib.engines.kernel.engine import Engine
from lib.engines.kernel.layout import TILE
from lib.engines.simd import blocks, processor, vectors
from lib.engines.simd.processor import COLUMNS, LANES
from lib.spec import RunSpec

PARTS = ("tables", "attention", "softmax", "table's backward", "sums of chunks", "finish", "AdamW")
SIZE, ROUNDS = 1024, 1000


def instructions() -> str:
    """What the kernel is compiled for."""
    kind = {16: "AVX-512", 8: "AVX2" if processor.FMA else "AVX, no FMA", 4: "NEON"}[LANES]
    return f"{kind}, {LANES} lanes, {processor.REGISTERS} registers"


@njit(**epochs.CACHED)
def multiply_add(x, rounds):
    """A product's block of registers, grown `rounds` times from one place in the first cache."""
    acc = blocks.zero_block()
    for _ in range(rounds):
        acc = blocks.add_scaled(acc, x, 0, 1, x, 0)
        acc = blocks.add_scaled(acc, x, 4, 1, x, 64)
        acc = blocks.add_scaled(acc, x, 8, 1, x, 128)
        acc = blocks.add_scaled(acc, x, 12, 1, x, 192)
    blocks.store_block(x, 256, TILE, acc)


def growing():
    """A call of the loop of multiply-adds, and its operations."""
    x = np.zeros(256 + 4 * TILE, np.float32)
    return lambda times: multiply_add(x, times * ROUNDS), 2 * 4 * ROUNDS * 4 * COLUMNS * LANES


def limits() -> dict[str, float]:
    """Operations a second of one core, by what was measured."""
    a, b, c = (np.ones((SIZE, SIZE), np.float32) for _ in range(3))
    A, B, C = map(torch.from_numpy, (a, b, c))
    loop, operations = growing()
    calls = {"multiply-adds": loop}
    if numba.config.CPU_FEATURES is None:  # theirs are of this machine whatever Numba is told
        calls["NumPy"] = lambda times: [np.dot(a, b, out=c) for _ in range(times)]
        calls["PyTorch"] = lambda times: [torch.mm(A, B, out=C) for _ in range(times)]
    work = dict.fromkeys(calls, 2 * SIZE**3) | {"multiply-adds": operations}
    return {name: work[name] / each.median for name, each in in_turn(calls, 0.2).items()}


@njit(**epochs.CACHED)
def _part(which, sz, state, work, samples, scratch, recipe, times):
    """One part of an epoch, by its place in `PARTS`, some times."""
    own, C, n_tiles = epochs._of_thread(scratch, 0), work.C, epochs._n_tiles(samples)
    chunks = epochs.count_chunks(sz, samples)
    mode = vectors.flush_denormals()
    for _ in range(times):
        if which == 0:
            vocabulary.prepare(sz, state.P, work)
        elif which == 4:
            for _ in range(chunks - 1):
                vectors.add_to(C[0], C[1])
        elif which == 5:
            vocabulary.finish(sz, state, work, C[0])
        elif which == 6:
            epochs._adamw(sz, state, recipe, 1)
        else:
            for chunk in range(chunks):
                start, stop = chunk * n_tiles // chunks, (chunk + 1) * n_tiles // chunks
                _of_samples(which, sz, work, samples, own, C[1], start, stop - start)
    vectors.restore_denormals(mode)


@njit(**vectors.JIT)
def _of_samples(which, sz, work, samples, own, G, start, count):
    """The parts that go through a chunk's tiles."""
    if which == 3:
        attention.table_gradient(sz, work.table, samples.slots, start * TILE, count, own, G)
        return
    for t in range(count):
        first = (start + t) * TILE
        if which == 1:
            attention.attend(sz, work.table, samples.tokens, first, own.S, t * sz.stride)
        else:
            network._loss_gradient(sz, samples, first, own.S, t * sz.stride)


@dataclass(frozen=True)
class Row:
    """One width on one core: seconds of an epoch and of its parts, operations a second of the
    epoch, and of the loop of multiply-adds beside it."""

    d_model: int
    epoch: Timing
    parts: dict[str, float]
    rate: float
    limit: float

    @property
    def products(self) -> float:
        """Seconds of the matrix products: what is left."""
        return self.epoch.median - sum(self.parts.values())


def rows(widths, train_size: int, seconds: float = 0.2) -> Iterator[Row]:
    """A row for each width."""
    loop, operations = growing()
    for d_model in widths:
        spec = RunSpec(d_model=d_model, train_size=train_size)
        calls = {"loop": loop, "epoch": Engine(spec, build(spec)).advance} | _calls(spec)
        found = in_turn(calls, seconds)
        limit, whole = operations / found.pop("loop").median, found.pop("epoch")
        parts = {name: timing.median for name, timing in found.items()}
        yield Row(d_model, whole, parts, epoch_flops(spec) / whole.median, limit)


def _calls(spec: RunSpec) -> dict:
    """A call for each part, on a network of its own."""
    engine, recipe = Engine(spec, build(spec)), memory.Recipe(0.0, 0.0, 0.0, 0.9, 0.98, 1e-8)
    engine.advance(1)
    mine = engine.sizes, engine._state, engine._work, engine._splits["train"], engine._scratch

    def call(which):
        return lambda times: _part(which, *mine, recipe, times)

    return {name: call(which) for which, name in enumerate(PARTS)}


def table(widths, train_size: int) -> Iterator[str]:
    """The table in Markdown, a line at a time; times are shares of an epoch."""
    torch.set_num_threads(1)  # several wait for each other, and their waiting counts
    found = limits()
    said = ", ".join(f"{name} {rate / 1e9:.0f}" for name, rate in found.items())
    yield f"One core, {instructions()}.  Limit, the best of, in GFLOP/s: {said}."
    yield ""
    named = " | ".join(PARTS)
    yield f"| d_model | epoch, ms | spread | of the limit | products | of the limit | {named} |"
    yield "|--:" * (6 + len(PARTS)) + "|"
    better = max(found.values()) / found["multiply-adds"]
    for row in rows(widths, train_size):
        whole, share = row.epoch.median, row.rate / row.limit / better
        parts = " | ".join(f"{seconds / whole:.0%}" for seconds in row.parts.values())
        yield (
            f"| {row.d_model} | {whole * 1e3:.3f} | {row.epoch.spread:.0%} | {share:.0%} "
            f"| {row.products / whole:.0%} | {share * whole / row.products:.0%} | {parts} |"
        )
