"""One network in a page: its data, its starting weights, its epochs and its evaluations.

`memory` is one flat float32 array (see `memory.py`), whose start says what to train.  As
in `lib.data` and `lib.model`, from the same random streams; the epochs are the kernel's own.
"""

import math

import numpy as np
from numba import njit

from lib.engines.kernel.epochs import evaluate_serial, train_serial
from lib.engines.kernel.layout import TILE, column_at, element_at
from lib.engines.kernel.memory import Recipe, Samples, Scratch, State, Work
from lib.engines.simd.processor import LANES
from lib.engines.simd.vectors import STRICT, WITHIN
from lib.engines.wasm import streams
from lib.engines.wasm.data import splits
from lib.engines.wasm.memory import (
    HEADER,
    counts_of,
    doubles,
    ints,
    opened,
    padded,
    scratch_sizes,
    split_at,
    stream_of,
    up,
    work_sizes,
)

_INIT = tuple(b"init")


# ---- starting weights ------------------------------------------------------------------


@njit(**STRICT)
def _draw_columns(sz, random, P, first, count, scale):
    for token in range(first, first + count):
        at = sz.E + column_at(sz, sz.d_p, token)
        for k in range(sz.d):
            P[at + k * TILE] = streams.normal(random) * scale


@njit(**STRICT)
def _draw_matrix(random, P, at, n_in, n_out, columns, scale):
    """A matrix (n_in, n_out), row by row, into blocks whose rows are outputs."""
    for k in range(n_in):
        for j in range(n_out):
            P[element_at(at, columns // 4, j, k)] = streams.normal(random) * scale


@njit(**STRICT, **WITHIN)
def _weights(s, sz, random, P):
    """As `lib.initial.initial_values` draws them, in the order of the model's parameters."""
    d, m = sz.d, 4 * sz.d
    scale = math.sqrt(1 / d)
    streams.begin(random, int(s.seed), _INIT)
    _draw_columns(sz, random, P, 0, sz.n_tokens, scale)
    _draw_columns(sz, random, P, sz.n_tokens, sz.length, scale)
    _draw_matrix(random, P, sz.W_U, d, sz.n_classes, sz.d_p, math.sqrt(1 / sz.n_classes))
    for at in (sz.W_Q, sz.W_K, sz.W_V, sz.W_O):
        _draw_matrix(random, P, at, d, d, sz.d_p, scale)
    _draw_matrix(random, P, sz.W_in, d, m, sz.d_p, scale)
    _draw_matrix(random, P, sz.W_out, m, d, sz.mlp_p, scale)


# ---- epochs ----------------------------------------------------------------------------


@njit(**STRICT)
def state_of(sz, plan, memory):
    """The kernel's `State`: views of parameters, gradient and moments."""
    n, size = up(sz.n_flat), sz.n_flat
    P, G, M, V = plan.state, plan.state + n, plan.state + 2 * n, plan.state + 3 * n
    return State(
        memory[P : P + size], memory[G : G + size], memory[M : M + size], memory[V : V + size]
    )


@njit(**STRICT)
def work_of(sz, plan, memory):
    """The kernel's `Work`; no packs, which are for tile registers, and no LayerNorm."""
    table, x_eq, asks, q, dq, u, _ = work_sizes(sz)
    a = plan.work
    b = a + table
    c = b + x_eq
    d = c + asks
    e = d + q
    f = e + dq
    g = f + u
    n, block, none = sz.d_p, sz.heads_p * sz.d_p, memory[:0]
    C = plan.chunks
    return Work(
        memory[a : a + sz.panels * sz.rows * TILE], memory[b : b + n], memory[c : c + n],
        memory[d : d + n], memory[e : e + n], memory[f : f + block], memory[g : g + block],
        none, none, none, none, memory[C : C + 2 * sz.n_chunk].reshape(2, sz.n_chunk),
    )  # fmt: skip


@njit(**STRICT)
def scratch_of(sz, plan, memory):
    """The kernel's `Scratch` for one thread."""
    activations, sums, _ = scratch_sizes(sz)
    a = plan.scratch
    b = a + activations
    c = b + sums
    n, rows = sz.tiles_per_chunk * sz.stride, sz.length * sz.rows_p
    return Scratch(
        memory[a : a + n].reshape(1, n),
        memory[b : b + rows * LANES].reshape(1, rows * LANES),
        memory[c : c + rows * TILE].reshape(1, rows * TILE),
        memory[:0].reshape(1, 0),
    )


@njit(**STRICT)
def split_of(sz, memory, count, start):
    """The kernel's `Samples` of a split, then losses and rightness to be filled."""
    tokens, slots, classes, labels, weights, losses, right, _ = split_at(sz, count, start)
    n = padded(count)
    var = (sz.length - 1) * n
    samples = Samples(
        ints(memory, tokens, var), ints(memory, slots, var), memory[classes : classes + n],
        ints(memory, labels, n), memory[weights : weights + n],
    )  # fmt: skip
    return samples, doubles(memory, losses, n), memory[right : right + n // 4].view(np.uint8)


@njit(**STRICT, **WITHIN)
def prepare(memory):
    """Data, starting weights, moments at 0: a run before its first epoch."""
    s, sz, plan = opened(memory)
    memory[HEADER : plan.total] = 0
    splits(s, sz, plan, memory)
    _weights(s, sz, stream_of(plan, memory), state_of(sz, plan, memory).P)


@njit(**STRICT, **WITHIN)
def train(memory, first, count, rate):
    """`count` epochs; the first has number `first` (from 1).  rate 0: only the gradient."""
    s, sz, plan = opened(memory)
    samples, _, _ = split_of(sz, memory, counts_of(s)[0], plan.train)
    recipe = Recipe(rate, s.weight_decay, s.weight_decay, s.beta1, s.beta2, s.eps)
    train_serial(
        sz, state_of(sz, plan, memory), work_of(sz, plan, memory), samples,
        scratch_of(sz, plan, memory), recipe, first, count,
    )  # fmt: skip


@njit(**STRICT, **WITHIN)
def evaluate(memory, which):
    """Mean loss and accuracy of split 0 train, 1 val, 2 memorize, to `result`; NaN if empty."""
    s, sz, plan = opened(memory)
    n_train, n_val, n_rote, _ = counts_of(s)
    count, start = n_train, plan.train
    if which == 1:
        count, start = n_val, plan.val
    elif which == 2:
        count, start = n_rote, plan.memorize
    result = doubles(memory, plan.result, 2)
    result[:] = np.nan
    if count == 0:
        return
    samples, loss, right = split_of(sz, memory, count, start)
    evaluate_serial(
        sz, state_of(sz, plan, memory).P, work_of(sz, plan, memory), samples,
        scratch_of(sz, plan, memory), loss, right,
    )  # fmt: skip
    total, good = 0.0, 0
    for i in range(count):
        total += loss[i]
        good += right[i]
    result[0], result[1] = total / count, good / count


@njit(**STRICT, **WITHIN)
def norm(memory):
    """The Euclidean norm of all parameters together."""
    _, sz, plan = opened(memory)
    total = 0.0
    for value in state_of(sz, plan, memory).P:
        total += np.float64(value) * np.float64(value)
    return math.sqrt(total)
