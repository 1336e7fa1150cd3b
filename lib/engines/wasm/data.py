"""A page's network's data: every pair's label and the splits, as `lib.data.build` makes them."""

from numba import njit

from lib import tasks
from lib.engines.kernel.layout import TILE, column_at
from lib.engines.simd.vectors import STRICT, WITHIN
from lib.engines.wasm import streams
from lib.engines.wasm.memory import (
    MULTITASK,
    RANDOM,
    SQUARE,
    SUBTRACT,
    counts_of,
    ints,
    padded,
    split_at,
    stream_of,
)

_compiled = njit(**STRICT)
add, subtract, square = map(_compiled, (tasks.add, tasks.subtract, tasks.square))
_SPLIT, _LABELS = tuple(b"split"), tuple(b"labels")
_ROTE_SPLIT, _ROTE_LABELS = tuple(b"memorize-split"), tuple(b"memorize-labels")


@njit(**STRICT)
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


@njit(**STRICT)
def _put(sz, memory, at, count, i, pair, operator, label):
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
    memory[weights + i] = 1 / count


@njit(**STRICT)
def _fill(sz, memory, at, count, first, order, answers, operator, whole):
    """Samples first … first + count of a split of `whole`, from the start of `order`."""
    for i in range(count):
        pair = order[i]
        _put(sz, memory, at, whole, first + i, pair, operator, answers[pair])


@njit(**STRICT)
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


@njit(**STRICT, **WITHIN)
def splits(s, sz, plan, memory):
    """All splits of a run, as `lib.data.build` makes them."""
    n_pairs, size, rote = int(s.modulus) ** 2, int(s.train_size), int(s.memorize_size)
    n_train, n_val, _, _ = counts_of(s)
    random = stream_of(plan, memory)
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
        _put(sz, memory, pairs, n_pairs, pair, pair, plus, answers[pair])
    _pad(sz, memory, pairs, n_pairs)
