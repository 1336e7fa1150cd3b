"""Whole epochs of the fast trainer: tables, chunks, AdamW, evaluation (see
`lib.engines.kernel.network`; `lib.engines.kernel.memory` names the arrays)."""

import math

import numpy as np
from numba import njit, prange

from lib.engines.kernel.layout import TILE, column_at, element_at
from lib.engines.kernel.memory import Scratch
from lib.engines.kernel.network import chunk_gradient, forward
from lib.engines.kernel.products import begin, end
from lib.engines.kernel.vocabulary import finish, prepare
from lib.engines.simd import vectors
from lib.engines.simd.processor import LANES
from lib.engines.simd.vectors import ENTRY, JIT, WITHIN

CACHED = ENTRY | {"cache": True}


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


@njit(**JIT, **WITHIN)
def _one_chunk(sz, chunk, P, work, samples, own, G):
    """The gradient of one chunk: they are as equal as they can be."""
    n_tiles, count = _n_tiles(samples), count_chunks(sz, samples)
    start, stop = chunk * n_tiles // count, (chunk + 1) * n_tiles // count
    chunk_gradient(sz, P, work, samples, start * TILE, stop - start, own, G)


@njit(**JIT)
def _step(sz, state, work, recipe, step):
    """From the sum of the chunks' gradients, the first row of C, to new parameters."""
    finish(sz, state, work, work.C[0])
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
        prepare(sz, state.P, work)
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
        prepare(sz, state.P, work)
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
        right[first + i] = value > best and math.isfinite(seen)


@njit(**JIT, **WITHIN)
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
    prepare(sz, P, work)
    for tile in range(0, _n_tiles(samples), sz.tiles_per_chunk):
        _evaluate_tiles(sz, P, work, samples, own, tile, loss, right)
    end(sz)
    vectors.restore_denormals(mode)


@njit(parallel=True, **CACHED)
def evaluate_parallel(sz, P, work, samples, scratch, loss, right):
    """The same on as many threads as `scratch` has rows."""
    mode = vectors.flush_denormals()
    prepare(sz, P, work)
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
