"""What the page shows of a network's inside: as `lib.circuits.fourier`, in compiled code.

The waves are functions of a + b, and of a − b where that is the task.  Logits are used up to
their mean over the classes.  Only where the modulus is odd.
"""

import math

import numpy as np
from numba import njit

from lib.engines.kernel.layout import TILE, column_at
from lib.engines.kernel.memory import Scratch
from lib.engines.kernel.network import forward
from lib.engines.kernel.vocabulary import prepare
from lib.engines.simd.vectors import STRICT, WITHIN
from lib.engines.wasm.memory import SUBTRACT, counts_of, doubles, ints, opened, padded
from lib.engines.wasm.network import scratch_of, split_of, state_of, work_of


@njit(**STRICT)
def _sum_of(s, pair):
    """The sum (or difference) that a pair's waves run over."""
    modulus = int(s.modulus)
    a, b = pair // modulus, pair % modulus
    return (a - b) % modulus if s.task == SUBTRACT else (a + b) % modulus


@njit(**STRICT)
def _cosines(plan, memory, modulus):
    """cos(2πi/P) for i = 0 … P−1."""
    table = doubles(memory, plan.waves, modulus)
    for i in range(modulus):
        table[i] = math.cos(2 * math.pi * i / modulus)
    return table


@njit(**STRICT, **WITHIN)
def embedding_spectrum(memory):
    """Share of the number tokens' embedding at each frequency k = 1 …, to `embedding`."""
    s, sz, plan = opened(memory)
    modulus = int(s.modulus)
    P, cosines = state_of(sz, plan, memory).P, _cosines(plan, memory, modulus)
    power, whole = doubles(memory, plan.embedding, modulus), 0.0
    for k in range(1, (modulus + 1) // 2):
        power[k - 1] = 0.0
        for f in range(sz.d):
            even = odd = 0.0
            for token in range(modulus):
                value = np.float64(P[sz.E + column_at(sz, sz.d_p, token) + f * TILE])
                even += value * cosines[k * token % modulus]
                odd += value * math.sin(2 * math.pi * (k * token % modulus) / modulus)
            power[k - 1] += even * even + odd * odd
        whole += power[k - 1]
    for k in range((modulus - 1) // 2):
        power[k] /= whole


@njit(**STRICT, **WITHIN)
def logits(memory):
    """Logits of every pair, less their mean over the classes, to `logits`."""
    s, sz, plan = opened(memory)
    modulus = int(s.modulus)
    n_pairs = counts_of(s)[3]
    samples, _, _ = split_of(sz, memory, n_pairs, plan.pairs)
    P, work = state_of(sz, plan, memory).P, work_of(sz, plan, memory)
    room = scratch_of(sz, plan, memory)
    own, out = Scratch(room.S[0], room.sums[0], room.z[0], room.room[0]), plan.logits
    S, n_tiles, at_once = own.S, padded(n_pairs) // TILE, sz.tiles_per_chunk
    prepare(sz, P, work)
    for tile in range(0, n_tiles, at_once):
        count = min(at_once, n_tiles - tile)
        forward(sz, P, work, samples.tokens, tile * TILE, count, own)
        for i in range(min(count * TILE, n_pairs - tile * TILE)):
            at, mean = i // TILE * sz.stride + sz.L + i % TILE, 0.0
            for c in range(modulus):
                mean += S[at + c * TILE]
            mean /= modulus
            to = out + (tile * TILE + i) * modulus
            for c in range(modulus):
                memory[to + c] = S[at + c * TILE] - mean


@njit(**STRICT)
def _by_sum(s, plan, memory):
    """Mean logits of all pairs with the same sum, and of all pairs, by class."""
    modulus = int(s.modulus)
    sums = doubles(memory, plan.sums, modulus**2)
    means = doubles(memory, plan.waves + 2 * modulus, modulus)
    sums[:] = 0
    means[:] = 0
    for pair in range(modulus**2):
        row, at = _sum_of(s, pair) * modulus, plan.logits + pair * modulus
        for c in range(modulus):
            sums[row + c] += memory[at + c]
    for row in range(modulus):
        for c in range(modulus):
            sums[row * modulus + c] /= modulus
            means[c] += sums[row * modulus + c] / modulus
    return sums, means


@njit(**STRICT, **WITHIN)
def logit_spectrum(memory):
    """Share of the logits' squared norm at each frequency of the sum, to `spectrum`.

    What is left to 1 lies outside the trigonometric subspace.  Needs `logits` before it.
    """
    s, _, plan = opened(memory)
    modulus = int(s.modulus)
    cosines, (sums, means) = _cosines(plan, memory, modulus), _by_sum(s, plan, memory)
    power, whole = doubles(memory, plan.spectrum, modulus), 0.0
    for pair in range(modulus**2):
        for c in range(modulus):
            value = memory[plan.logits + pair * modulus + c] - means[c]
            whole += value * value
    for k in range(1, (modulus + 1) // 2):
        total = 0.0
        for c in range(modulus):
            even = odd = 0.0
            for row in range(modulus):
                turn = k * row % modulus
                even += sums[row * modulus + c] * cosines[turn]
                odd += sums[row * modulus + c] * math.sin(2 * math.pi * turn / modulus)
            total += even * even + odd * odd
        power[k - 1] = 2 * total / whole


@njit(**STRICT)
def _wave_part(s, plan, memory, sums):
    """The part of the mean logits along the waves of the chosen frequencies."""
    modulus = int(s.modulus)
    cosines = _cosines(plan, memory, modulus)
    chosen = ints(memory, plan.chosen, modulus)
    parts = doubles(memory, plan.parts, modulus**2)
    parts[:] = 0
    for shift in range(modulus):
        weight = 0.0
        for k in range(1, (modulus + 1) // 2):
            if chosen[k - 1]:
                weight += 2 / modulus * cosines[k * shift % modulus]
        for row in range(modulus):
            source = (row + shift) % modulus * modulus
            for c in range(modulus):
                parts[row * modulus + c] += weight * sums[source + c]
    return parts


@njit(**STRICT, **WITHIN)
def lesion(memory):
    """Accuracies without the waves of the `chosen` frequencies, and with them alone.

    To `result`: training and validation accuracy excluded, then the same restricted (with
    the mean over all pairs).  Needs `logits` before it.
    """
    s, _, plan = opened(memory)
    modulus = int(s.modulus)
    sums, means = _by_sum(s, plan, memory)
    parts = _wave_part(s, plan, memory, sums)
    order = ints(memory, plan.order, modulus**2)
    answers = ints(memory, plan.answers, modulus**2)
    good, size = doubles(memory, plan.result, 4), int(s.train_size)
    good[:] = 0
    for i in range(modulus**2):
        pair = order[i]
        row, at, held_out = _sum_of(s, pair) * modulus, plan.logits + pair * modulus, int(i >= size)
        without = only = 0
        best_without = best_only = -np.inf
        for c in range(modulus):
            part = parts[row + c]
            rest, alone = memory[at + c] - part, part + means[c]
            if rest > best_without:
                best_without, without = rest, c
            if alone > best_only:
                best_only, only = alone, c
        good[held_out] += without == answers[pair]
        good[2 + held_out] += only == answers[pair]
    for i in range(4):
        count = modulus**2 - size if i % 2 else size
        good[i] = good[i] / count if count else np.nan
