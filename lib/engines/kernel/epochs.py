"""Whole epochs of the fast trainer: tables, chunks, AdamW, evaluation (see
`lib.engines.kernel.network`; `lib.engines.kernel.memory` names the arrays)."""

import math

import numpy as np
from numba import njit, prange

from lib.engines.kernel.layout import TILE, column_at, element_at
from lib.engines.kernel.memory import Scratch
from lib.engines.kernel.network import chunk_gradient, forward
from lib.engines.kernel.products import (
    AS_IS,
    ROWS,
    ZERO,
    Ends,
    Rows,
    begin,
    end,
    linear,
    outer,
    pack_weights,
    whole,
)
from lib.engines.simd import vectors
from lib.engines.simd.processor import LANES
from lib.engines.simd.vectors import ENTRY, JIT

CACHED = ENTRY | {"cache": True}


@njit(**JIT)
def _prepare(sz, P, work):
    """The tables of an epoch: values and scores of every token and position."""
    x_eq, q, u = work.x_eq, work.q, work.u
    d = sz.d_p // 4
    eq = sz.E + column_at(sz, sz.d_p, sz.equals)
    last = sz.E + column_at(sz, sz.d_p, sz.n_tokens + sz.length - 1)
    for k in range(sz.d_p):
        x_eq[k] = P[eq + k * TILE] + P[last + k * TILE]
    scale = np.float32(1 / math.sqrt(sz.d_head))
    vectors.fill(u, 0, len(u), 0)
    for j in range(sz.n_heads * sz.d_head):
        total = np.float32(0)
        for k in range(sz.d):
            total += P[element_at(sz.W_Q, d, j, k)] * x_eq[k]
        q[j] = total
        for k in range(sz.d):
            u[element_at(0, d, j // sz.d_head, k)] += P[element_at(sz.W_K, d, j, k)] * q[j] * scale
    W_V, scores, E, values = _vocabulary(sz, P, work)
    as_is = Ends(ZERO, AS_IS, P, 0, E)
    linear(W_V, False, E, values, as_is, sz.panels)
    linear(scores, False, E, _below(sz, values), as_is, sz.panels)
    pack_weights(sz, P, work.packs)


@njit(**JIT)
def _vocabulary(sz, P, work):
    """What makes the table: W_V and u as matrices, E and the table as panels of rows."""
    W_V, u = whole(P, sz.W_V, sz.a_p, sz.d_p), whole(work.u, 0, sz.heads_p, sz.d_p)
    return W_V, u, Rows(P, sz.E, sz.d_p * TILE), Rows(work.table, 0, sz.rows * TILE)


@njit(**JIT)
def _below(sz, table):
    """The scores of the table, which come after its values."""
    return Rows(table.values, table.at + sz.a_p * TILE, table.step)


@njit(**JIT)
def _finish(sz, state, work, C):
    """From the summed chunk gradient C to the gradient G of all parameters.

    The table is not needed any more: it becomes room for its own gradient, feature-major.
    """
    P, G = state.P, state.G
    for column in range(sz.panels * TILE):
        for row in range(sz.rows):
            place = column_at(sz, sz.rows, column) + row * TILE
            work.table[place] = C[column * sz.rows_p + row]
    for i in range(sz.W_O, sz.n_flat):
        G[i] = C[sz.tail - sz.W_O + i]
    W_V, u, E, T = _vocabulary(sz, P, work)
    dE = Rows(G, sz.E, E.step)
    linear(W_V, True, T, dE, Ends(ZERO, AS_IS, P, 0, dE), sz.panels)
    linear(u, True, _below(sz, T), dE, Ends(ROWS, AS_IS, P, 0, dE), sz.panels)
    outer(T, E, sz.panels, W_V, G, sz.W_V)
    outer(_below(sz, T), E, sz.panels, u, work.du, 0)
    _query_gradient(sz, P, G, work, C)


@njit(**JIT)
def _query_gradient(sz, P, G, work, C):
    """From du to the gradients of W_K and W_Q, and of what stands at "="."""
    q, dq, du, x_eq = work.q, work.dq, work.du, work.x_eq
    d, a = sz.d_p // 4, sz.n_heads * sz.d_head
    scale = np.float32(1 / math.sqrt(sz.d_head))
    for j in range(a):
        h, total = j // sz.d_head, np.float32(0)
        for k in range(sz.d):
            grown = du[element_at(0, d, h, k)] * scale
            total += P[element_at(sz.W_K, d, j, k)] * grown
            G[element_at(sz.W_K, d, j, k)] = q[j] * grown
        dq[j] = total
    eq = sz.E + column_at(sz, sz.d_p, sz.equals)
    last = sz.E + column_at(sz, sz.d_p, sz.n_tokens + sz.length - 1)
    for j in range(a):
        for k in range(sz.d):
            at = element_at(sz.W_Q, d, j, k)
            G[at] = dq[j] * x_eq[k]
            C[sz.x_eq + k] += P[at] * dq[j]
    for k in range(sz.d):
        G[eq + k * TILE] += C[sz.x_eq + k]
        G[last + k * TILE] += C[sz.x_eq + k]


@njit(**JIT)
def _tie(sz, G, P):
    """Where the numbers' embeddings unembed, too, W_U is their copy, and its gradient theirs."""
    d = sz.d_p // 4
    for c in range(sz.n_classes):
        for k in range(sz.d):
            own, copy = sz.E + column_at(sz, sz.d_p, c) + k * TILE, element_at(sz.W_U, d, c, k)
            G[own] += G[copy]
            G[copy] = 0
            P[copy] = P[own]


@njit(**JIT)
def _adamw(sz, state, recipe, step):
    """One step as `torch.optim.AdamW` takes it: decay, moments, then the update."""
    P, G, M, V = state
    lr, weight_decay, of_biases, beta1, beta2, eps = recipe
    keep = vectors.broadcast(1 - lr * weight_decay)
    keep_biases = vectors.broadcast(1 - lr * of_biases)
    b1, b2 = vectors.broadcast(1 - beta1), vectors.broadcast(beta2)
    c2 = vectors.broadcast(1 - beta2)
    size = vectors.broadcast(-lr / (1 - beta1**step))
    root = vectors.broadcast(1 / math.sqrt(1 - beta2**step))
    tiny = vectors.broadcast(eps)
    for i in range(0, P.shape[0], LANES):
        is_bias = sz.b_in <= i < sz.W_out or sz.b_out <= i < sz.W_U
        g, m = vectors.load(G, i), vectors.load(M, i)
        m = vectors.fma(b1, vectors.sub(g, m), m)
        v = vectors.fma(vectors.mul(c2, g), g, vectors.mul(b2, vectors.load(V, i)))
        vectors.store(M, i, m)
        vectors.store(V, i, v)
        below = vectors.fma(vectors.sqrt(v), root, tiny)
        p = vectors.mul(keep_biases if is_bias else keep, vectors.load(P, i))
        vectors.store(P, i, vectors.fma(size, vectors.div(m, below), p))


# ---- entry points ----------------------------------------------------------------------


@njit(**JIT)
def _n_tiles(samples):
    return samples.labels.shape[0] // TILE


@njit(**JIT)
def count_chunks(sz, samples):
    """Chunks of a training set.  They depend on the sizes alone, and so do the bits."""
    return -(-(samples.labels.shape[0] // TILE) // sz.tiles_per_chunk)


@njit(**JIT)
def _of_thread(scratch, thread):
    return Scratch(scratch.S[thread], scratch.sums[thread], scratch.z[thread], scratch.room[thread])


@njit(**JIT)
def _one_chunk(sz, chunk, P, work, samples, own, G):
    """The gradient of one chunk: they are as equal as they can be."""
    n_tiles, count = _n_tiles(samples), count_chunks(sz, samples)
    start, stop = chunk * n_tiles // count, (chunk + 1) * n_tiles // count
    chunk_gradient(sz, P, work, samples, start * TILE, stop - start, own, G)


@njit(**JIT)
def _step(sz, state, work, recipe, step):
    """From the sum of the chunks' gradients, the first row of C, to new parameters."""
    _finish(sz, state, work, work.C[0])
    if sz.tied:
        _tie(sz, state.G, state.P)
    if recipe.lr > 0:
        _adamw(sz, state, recipe, step)
        if sz.tied:
            _tie(sz, state.G, state.P)


@njit(**CACHED)
def train_serial(sz, state, work, samples, scratch, recipe, first_step, n_steps):
    """`n_steps` epochs on the calling thread.

    `work.C` needs two rows, the sum and a chunk's gradient, which stays in the cache.
    """
    own, C = _of_thread(scratch, 0), work.C
    mode = vectors.flush_denormals()
    begin(sz)
    for step in range(first_step, first_step + n_steps):
        _prepare(sz, state.P, work)
        for chunk in range(count_chunks(sz, samples)):
            _one_chunk(sz, chunk, state.P, work, samples, own, C[min(chunk, 1)])
            if chunk:
                vectors.add_to(C[0], C[1])
        _step(sz, state, work, recipe, step)
    end(sz)
    vectors.restore_denormals(mode)


@njit(parallel=True, **CACHED)
def train_parallel(sz, state, work, samples, scratch, recipe, first_step, n_steps):
    """The same on as many threads as `scratch` has rows, with the same bits; C has all chunks."""
    C, count, n_threads = work.C, count_chunks(sz, samples), scratch.S.shape[0]
    mode = vectors.flush_denormals()
    for step in range(first_step, first_step + n_steps):
        _prepare(sz, state.P, work)
        for thread in prange(n_threads):
            inner = vectors.flush_denormals()
            begin(sz)
            own = _of_thread(scratch, thread)
            for chunk in range(thread, count, n_threads):
                _one_chunk(sz, chunk, state.P, work, samples, own, C[chunk])
            end(sz)
            vectors.restore_denormals(inner)
        for chunk in range(1, count):
            vectors.add_to(C[0], C[chunk])
        _step(sz, state, work, recipe, step)
    vectors.restore_denormals(mode)


@njit(**JIT)
def _measure(sz, labels, first, n_tiles, S, loss, right):
    """Exact loss of each sample of some tiles of logits, and whether its class is the argmax."""
    for i in range(n_tiles * TILE):
        label = labels[first + i] // TILE
        at = i // TILE * sz.stride + sz.L + i % TILE
        best = -np.inf  # of the wrong classes
        seen = np.float32(0)
        for c in range(sz.n_classes):
            value = S[at + c * TILE]
            seen += value
            if c != label and value > best:
                best = value
        value = S[at + label * TILE]
        top = max(value, best)
        wrong = 0.0
        for c in range(sz.n_classes):
            if c != label:
                wrong += math.exp(S[at + c * TILE] - top)
        if value > best:
            loss[first + i] = math.log1p(wrong)
        else:
            loss[first + i] = math.log(wrong + math.exp(value - top)) + top - value
        if not math.isfinite(seen):
            loss[first + i] = np.nan
        right[first + i] = value > best


@njit(**JIT)
def _evaluate_tiles(sz, P, work, samples, own, tile, loss, right):
    """As many tiles as a chunk has, from `tile` on."""
    count = min(sz.tiles_per_chunk, _n_tiles(samples) - tile)
    forward(sz, P, work, samples.tokens, tile * TILE, count, own)
    _measure(sz, samples.labels, tile * TILE, count, own.S, loss, right)


@njit(**CACHED)
def evaluate_serial(sz, P, work, samples, scratch, loss, right):
    """Loss (float64) and correctness (uint8) of every sample."""
    mode = vectors.flush_denormals()
    begin(sz)
    own = _of_thread(scratch, 0)
    _prepare(sz, P, work)
    for tile in range(0, _n_tiles(samples), sz.tiles_per_chunk):
        _evaluate_tiles(sz, P, work, samples, own, tile, loss, right)
    end(sz)
    vectors.restore_denormals(mode)


@njit(parallel=True, **CACHED)
def evaluate_parallel(sz, P, work, samples, scratch, loss, right):
    """The same on as many threads as `scratch` has rows."""
    mode = vectors.flush_denormals()
    _prepare(sz, P, work)
    n_tiles, n_threads = _n_tiles(samples), scratch.S.shape[0]
    at_once = sz.tiles_per_chunk
    for thread in prange(n_threads):
        inner = vectors.flush_denormals()
        begin(sz)
        own = _of_thread(scratch, thread)
        for tile in range(thread * at_once, n_tiles, n_threads * at_once):
            _evaluate_tiles(sz, P, work, samples, own, tile, loss, right)
        end(sz)
        vectors.restore_denormals(inner)
    vectors.restore_denormals(mode)
