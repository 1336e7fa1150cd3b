"""What a page's memory holds: the setting, and a place for every array of one network.

A page has no allocator.  It writes a `Setting` at the start of a piece of memory, asks for
the `Plan`, and makes the memory as large as that says.  Everything counts in floats of four
bytes; every array starts on a cache line.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from lib.engines.kernel.layout import LINE, TILE, sizes
from lib.engines.simd.processor import LANES
from lib.engines.simd.vectors import STRICT
from lib.engines.wasm.streams import STREAM

TASKS = ("add", "subtract", "square", "random", "multitask")
"""Names of the tasks that a page can train; their numbers are `Setting.task`."""

SUBTRACT, SQUARE, RANDOM, MULTITASK = 1, 2, 3, 4
N_HEADS = 4
SETTING, PLAN = 0, 32  # where the two lie, in floats
HEADER = 128


class Setting(NamedTuple):
    """What to train, as float64 at the start of the memory; named as in `RunSpec`."""

    task: float
    modulus: float
    train_size: float
    memorize_size: float
    d_model: float
    seed: float
    lr: float
    weight_decay: float
    beta1: float
    beta2: float
    eps: float


class Plan(NamedTuple):
    """Places in floats, and how many floats there are in all; written as int32 after the setting.

    The three splits and `pairs`, all P² pairs in their order, are each laid out as `split_at`
    says.  The last lines are what a page reads or writes.
    """

    state: int  # parameters, gradient, two moments: n_flat floats each
    work: int
    scratch: int
    chunks: int
    random: int
    answers: int  # int32 (P²): the algorithmic task's label of every pair
    rote: int  # int32 (P²): the label of every pair under "-", where the task is a mixture
    train: int
    val: int
    memorize: int
    pairs: int
    order: int  # int32 (P²): the pairs a P + b as permuted; the first train_size are trained on
    rote_order: int  # int32 (P²): the same for "-"
    train_right: int  # uint8: which samples are answered rightly, by `evaluate`
    val_right: int
    result: int  # float64 (16): what an entry point reports
    logits: int  # float32 (P², P)
    sums: int  # float64 (P, P): mean logits by the sum of the pair, and by class
    parts: int  # float64 (P, P): the part of them that a lesion is about
    waves: int  # float64 (2 P): cosines, then mean logits by class
    embedding: int  # float64 (P): share of the embedding at each frequency
    spectrum: int  # float64 (P): the same for the logits
    chosen: int  # int32 (P): the frequencies of a lesion
    total: int


@njit(**STRICT)
def setting_of(memory):
    """The `Setting` at the start of the memory."""
    v = memory[:22].view(np.float64)
    return Setting(v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[8], v[9], v[10])


@njit(**STRICT)
def ints(memory, at, count):
    """A view of the memory as int32."""
    return memory[at : at + count].view(np.int32)


@njit(**STRICT)
def doubles(memory, at, count):
    """A view of the memory as float64."""
    return memory[at : at + 2 * count].view(np.float64)


@njit(**STRICT)
def shape_of(s):
    """The kernel's `Sizes` of a setting."""
    mixed = s.task == MULTITASK
    d, modulus = int(s.d_model), int(s.modulus)
    n_tokens, length = (modulus + 3, 4) if mixed else (modulus + 1, 3)
    return sizes(d, N_HEADS, d // N_HEADS, 4 * d, n_tokens, modulus, length)


@njit(**STRICT)
def up(n, unit=LINE):
    """n, or the next multiple of a unit."""
    return -(-n // unit) * unit


@njit(**STRICT)
def padded(count):
    """Samples with padding to whole tiles, at least one."""
    return up(max(count, 1), TILE)


@njit(**STRICT)
def split_at(sz, count, start):
    """Places of a split's tokens, slots, classes, labels, weights, losses, rightness; its end."""
    n = padded(count)
    slots = start + (sz.length - 1) * n
    classes = slots + (sz.length - 1) * n
    right = classes + 5 * n  # losses are float64
    return start, slots, classes, classes + n, classes + 2 * n, classes + 3 * n, right, right + n


@njit(**STRICT)
def counts_of(s):
    """Samples of the splits train, val, memorize, and of all pairs."""
    n_pairs, size, rote = int(s.modulus) ** 2, int(s.train_size), int(s.memorize_size)
    return size + rote, n_pairs - size, rote, n_pairs


@njit(**STRICT)
def scratch_sizes(sz):
    """Floats of a chunk's activations, of its sums for the positions, and of its rows."""
    rows = sz.length * sz.rows_p
    return up(sz.tiles_per_chunk * sz.stride), up(rows * LANES), up(rows * TILE)


@njit(**STRICT)
def work_sizes(sz):
    """Floats of a `Work`: table, x_eq, asks, q, dq, u, du."""
    d, block = up(sz.d_p), up(sz.heads_p * sz.d_p)
    return up(sz.panels * sz.rows * TILE), d, d, d, d, block, block


@njit(**STRICT)
def plan_of(s):
    """The `Plan` of a setting."""
    sz, modulus = shape_of(s), int(s.modulus)
    n_train, n_val, n_rote, n_pairs = counts_of(s)
    table = up(n_pairs)
    square, row = up(2 * n_pairs), up(2 * modulus)
    state = HEADER
    work = state + 4 * up(sz.n_flat)
    scratch = work + sum(work_sizes(sz))
    chunks = scratch + sum(scratch_sizes(sz))
    random = chunks + 2 * up(sz.n_chunk)
    answers = random + up(2 * STREAM)
    rote = answers + table
    train = rote + table
    train_places = split_at(sz, n_train, train)
    val_places = split_at(sz, n_val, train_places[7])
    memorize = split_at(sz, n_rote, val_places[7])
    pairs = split_at(sz, n_pairs, memorize[7])
    order = up(pairs[7])
    result = order + 2 * table
    logits = result + 32
    sums = logits + up(n_pairs * modulus)
    waves = sums + 2 * square
    embedding = waves + up(4 * modulus)
    chosen = embedding + 2 * row
    return Plan(
        state, work, scratch, chunks, random, answers, rote,
        train, val_places[0], memorize[0], pairs[0], order, order + table,
        train_places[6], val_places[6], result, logits, sums, sums + square,
        waves, embedding, embedding + row, chosen, chosen + row,
    )  # fmt: skip


@njit(**STRICT)
def opened(memory):
    """What a memory is of: its `Setting`, the kernel's `Sizes`, and its `Plan`."""
    s = setting_of(memory)
    return s, shape_of(s), plan_of(s)


@njit(**STRICT)
def stream_of(plan, memory):
    """Room for a random stream."""
    return doubles(memory, plan.random, STREAM).view(np.uint64)
