"""One network in a page: its data, its starting weights, its epochs and its evaluations.

`memory` is one flat float32 array (see `memory.py`), whose start says what to train.  As
in `lib.data` and `lib.model`, from the same random streams; the epochs are the kernel's own.
"""

import math

import numpy as np
from numba import njit

from lib.engines.wasm import streams
from lib.engines.wasm.kernel import (
    LANES,
    TILE,
    Recipe,
    Samples,
    Scratch,
    State,
    Work,
    add,
    column_at,
    element_at,
    evaluate_serial,
    square,
    subtract,
    train_serial,
)
from lib.engines.wasm.memory import (
    HEADER,
    MULTITASK,
    RANDOM,
    SQUARE,
    SUBTRACT,
    Setting,
    counts_of,
    padded,
    plan_of,
    scratch_sizes,
    shape_of,
    split_at,
    up,
    work_sizes,
)

_SPLIT, _LABELS = tuple(b"split"), tuple(b"labels")
_ROTE_SPLIT, _ROTE_LABELS = tuple(b"memorize-split"), tuple(b"memorize-labels")
_INIT = tuple(b"init")


@njit
def setting_of(memory):
    """The `Setting` at the start of the memory."""
    v = memory[:22].view(np.float64)
    return Setting(v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[8], v[9], v[10])


@njit
def ints(memory, at, count):
    """A view of the memory as int32."""
    return memory[at : at + count].view(np.int32)


@njit
def doubles(memory, at, count):
    """A view of the memory as float64."""
    return memory[at : at + 2 * count].view(np.float64)


# ---- data ------------------------------------------------------------------------------


@njit
def _label_pairs(s, random, answers):
    """The algorithmic task's label of every pair."""
    modulus = int(s.modulus)
    if s.task == RANDOM:
        streams.begin(random, int(s.seed), _LABELS)
        for i in range(modulus**2):
            answers[i] = streams.integer(random, modulus)
        for a in range(modulus):  # the same for (a, b) and (b, a)
            for b in range(a):
                answers[a * modulus + b] = answers[b * modulus + a]
        return
    for a in range(modulus):
        for b in range(modulus):
            if s.task == SUBTRACT:
                answers[a * modulus + b] = subtract(a, b, modulus, 0)
            elif s.task == SQUARE:
                answers[a * modulus + b] = square(a, b, modulus, 0)
            else:
                answers[a * modulus + b] = add(a, b, modulus, 0)


@njit
def _put(sz, memory, at, count, i, pair, operator, label, weight):
    """Sample i of a split whose arrays are at `at`: as `lib.engines.kernel` has them."""
    tokens, slots, classes, labels, weights, _, _, _ = at
    n, modulus = padded(count), sz.n_classes
    a, b = pair // modulus, pair % modulus
    places, columns = ints(memory, tokens, 3 * n), ints(memory, slots, 3 * n)
    for p in range(sz.length - 1):
        token = a if p == 0 else b if p == sz.length - 2 else operator
        places[p * n + i] = column_at(sz, sz.rows, token)
        columns[p * n + i] = token * sz.rows_p
    memory[classes + i] = label
    ints(memory, labels, n)[i] = label * TILE + i % TILE
    memory[weights + i] = weight


@njit
def _fill(sz, memory, at, count, first, order, answers, operator, whole):
    """Samples first … first + count of a split of `whole`, from the start of `order`."""
    for i in range(count):
        pair = order[i]
        _put(sz, memory, at, whole, first + i, pair, operator, answers[pair], 1 / whole)


@njit
def _pad(sz, memory, at, count):
    """Padding repeats the last sample's tokens, has label 0 and weighs nothing."""
    n = padded(count)
    for row in range(2 * (sz.length - 1)):
        places = ints(memory, at[0] + row * n, n)
        first = column_at(sz, sz.rows, 0) if row < sz.length - 1 else 0
        for i in range(count, n):
            places[i] = places[count - 1] if count else first
    labels = ints(memory, at[3], n)
    for i in range(count, n):
        labels[i] = i % TILE


@njit
def _data(s, sz, plan, memory):
    """All splits of a run, as `lib.data.build` makes them."""
    n_pairs, size, rote = int(s.modulus) ** 2, int(s.train_size), int(s.memorize_size)
    n_train, n_val, _, _ = counts_of(s)
    random = doubles(memory, plan.random, streams.STREAM).view(np.uint64)
    answers, order = ints(memory, plan.answers, n_pairs), ints(memory, plan.order, n_pairs)
    plus, minus = sz.n_classes + 1, sz.n_classes + 2
    _label_pairs(s, random, answers)
    streams.begin(random, int(s.seed), _SPLIT)
    streams.permutation(random, order)
    train, val = split_at(sz, n_train, plan.train), split_at(sz, n_val, plan.val)
    _fill(sz, memory, train, size, 0, order, answers, plus, n_train)
    _fill(sz, memory, val, n_val, 0, order[size:], answers, plus, n_val)
    _pad(sz, memory, val, n_val)
    if s.task == MULTITASK:
        table = ints(memory, plan.rote, n_pairs)
        rote_order = ints(memory, plan.rote_order, n_pairs)
        streams.begin(random, int(s.seed), _ROTE_SPLIT)
        streams.permutation(random, rote_order)
        streams.begin(random, int(s.seed), _ROTE_LABELS)
        for i in range(n_pairs):
            table[i] = streams.integer(random, sz.n_classes)
        memorize = split_at(sz, rote, plan.memorize)
        _fill(sz, memory, train, rote, size, rote_order, table, minus, n_train)
        _fill(sz, memory, memorize, rote, 0, rote_order, table, minus, rote)
        _pad(sz, memory, memorize, rote)
    _pad(sz, memory, train, n_train)
    pairs = split_at(sz, n_pairs, plan.pairs)
    for pair in range(n_pairs):
        _put(sz, memory, pairs, n_pairs, pair, pair, plus, answers[pair], 1 / n_pairs)
    _pad(sz, memory, pairs, n_pairs)


# ---- starting weights ------------------------------------------------------------------


@njit
def _draw_columns(sz, random, P, first, count, scale):
    for token in range(first, first + count):
        at = sz.E + column_at(sz, sz.d_p, token)
        for k in range(sz.d):
            P[at + k * TILE] = streams.normal(random) * scale


@njit
def _draw_matrix(random, P, at, n_in, n_out, columns, scale):
    """A matrix (n_in, n_out), row by row, into blocks whose rows are outputs."""
    for k in range(n_in):
        for j in range(n_out):
            P[element_at(at, columns // 4, j, k)] = streams.normal(random) * scale


@njit
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


@njit
def state_of(sz, plan, memory):
    """The kernel's `State`: views of parameters, gradient and moments."""
    n, size = up(sz.n_flat), sz.n_flat
    P, G, M, V = plan.state, plan.state + n, plan.state + 2 * n, plan.state + 3 * n
    return State(
        memory[P : P + size], memory[G : G + size], memory[M : M + size], memory[V : V + size]
    )


@njit
def work_of(sz, plan, memory):
    """The kernel's `Work`; there are no packs, which are for tile registers."""
    table, x_eq, q, dq, u, _ = work_sizes(sz)
    a = plan.work
    b = a + table
    c = b + x_eq
    d = c + q
    e = d + dq
    f = e + u
    n, block = sz.d_p, sz.heads_p * sz.d_p
    C = plan.chunks
    return Work(
        memory[a : a + sz.panels * sz.rows * TILE], memory[b : b + n], memory[c : c + n],
        memory[d : d + n], memory[e : e + block], memory[f : f + block], memory[:0],
        memory[C : C + 2 * sz.n_chunk].reshape(2, sz.n_chunk),
    )  # fmt: skip


@njit
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


@njit
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


@njit
def prepare(memory):
    """Data, starting weights, moments at 0: a run before its first epoch."""
    s = setting_of(memory)
    sz, plan = shape_of(s), plan_of(s)
    memory[HEADER : plan.total] = 0
    _data(s, sz, plan, memory)
    random = doubles(memory, plan.random, streams.STREAM).view(np.uint64)
    _weights(s, sz, random, state_of(sz, plan, memory).P)


@njit
def train(memory, first, count, rate):
    """`count` epochs; the first has number `first` (from 1).  rate 0: only the gradient."""
    s = setting_of(memory)
    sz, plan = shape_of(s), plan_of(s)
    samples, _, _ = split_of(sz, memory, counts_of(s)[0], plan.train)
    train_serial(
        sz, state_of(sz, plan, memory), work_of(sz, plan, memory), samples,
        scratch_of(sz, plan, memory), Recipe(rate, s.weight_decay, s.beta1, s.beta2, s.eps),
        first, count,
    )  # fmt: skip


@njit
def evaluate(memory, which):
    """Mean loss and accuracy of split 0 train, 1 val, 2 memorize, to `result`; NaN if empty."""
    s = setting_of(memory)
    sz, plan = shape_of(s), plan_of(s)
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


@njit
def norm(memory):
    """The Euclidean norm of all parameters together."""
    s = setting_of(memory)
    total = 0.0
    for value in state_of(shape_of(s), plan_of(s), memory).P:
        total += np.float64(value) * np.float64(value)
    return math.sqrt(total)
