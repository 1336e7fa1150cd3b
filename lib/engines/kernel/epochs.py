"""Whole epochs of the fast trainer: tables, chunks, AdamW, evaluation (see
`lib.engines.kernel.network`)."""

import math

import numpy as np
from numba import njit, prange

from lib.engines.kernel.layout import TILE
from lib.engines.kernel.network import chunk_gradient, column_at, element_at, forward
from lib.engines.kernel.products import begin, end, linear, outer, pack_weights
from lib.engines.simd import vectors
from lib.engines.simd.processor import LANES
from lib.engines.simd.vectors import JIT

CACHED = JIT | {"cache": True}


@njit(**JIT)
def _prepare(sz, P, table, x_eq, q, u, packs):
    """The per-epoch tables: values and scores of every token and position.

    x_eq (d): the residual stream at "=" before attention; q (d): its query; u: W_K q for
    each head, as blocks, so that scores are u E.
    """
    d = sz.d_p // 4
    eq = sz.E + column_at(sz, sz.d_p, sz.equals)
    last = sz.E + column_at(sz, sz.d_p, sz.n_tokens + sz.length - 1)
    for k in range(sz.d_p):
        x_eq[k] = P[eq + k * TILE] + P[last + k * TILE]
    d_head = sz.d // sz.n_heads
    scale = np.float32(1 / math.sqrt(d_head))
    u[:] = 0
    for j in range(sz.d):
        total = np.float32(0)
        for k in range(sz.d):
            total += P[element_at(sz.W_Q, d, j, k)] * x_eq[k]
        q[j] = total
        for k in range(sz.d):
            u[element_at(0, d, j // d_head, k)] += P[element_at(sz.W_K, d, j, k)] * q[j] * scale
    for panel in range(sz.panels):
        e, t = sz.E + panel * sz.d_p * TILE, panel * sz.rows * TILE
        linear(P, sz.W_V, d, False, d, d, P, e, table, t, P, 0, P, 0, 0, 0)
        t += sz.d_p * TILE
        linear(u, 0, d, False, sz.heads_p // 4, d, P, e, table, t, P, 0, P, 0, 0, 0)
    pack_weights(sz, P, packs)


@njit(**JIT)
def _finish(sz, P, T, x_eq, q, u, du, dq, C, G):
    """From the summed chunk gradient C to the gradient G of all parameters.

    T (panels, rows, TILE) is room for the table's gradient, feature-major.
    """
    for column in range(sz.panels * TILE):
        for row in range(sz.rows):
            T[column_at(sz, sz.rows, column) + row * TILE] = C[column * sz.rows_p + row]
    d = sz.d_p // 4
    d_head = sz.d // sz.n_heads
    scale = np.float32(1 / math.sqrt(d_head))
    G[sz.W_O :] = C[sz.tail :]
    for panel in range(sz.panels):
        e, t = sz.E + panel * sz.d_p * TILE, panel * sz.rows * TILE
        linear(P, sz.W_V, d, True, d, d, T, t, G, e, P, 0, G, e, 0, 0)
        t += sz.d_p * TILE
        linear(u, 0, d, True, d, sz.heads_p // 4, T, t, G, e, P, 0, G, e, 3, 0)
    e_stride, t_stride = sz.d_p * TILE, sz.rows * TILE
    outer(T, 0, t_stride, P, sz.E, e_stride, sz.panels, d, d, G, sz.W_V, d)
    outer(T, sz.d_p * TILE, t_stride, P, sz.E, e_stride, sz.panels, sz.heads_p // 4, d, du, 0, d)
    for j in range(sz.d):
        h, total = j // d_head, np.float32(0)
        for k in range(sz.d):
            grown = du[element_at(0, d, h, k)] * scale
            total += P[element_at(sz.W_K, d, j, k)] * grown
            G[element_at(sz.W_K, d, j, k)] = q[j] * grown
        dq[j] = total
    eq = sz.E + column_at(sz, sz.d_p, sz.equals)
    last = sz.E + column_at(sz, sz.d_p, sz.n_tokens + sz.length - 1)
    for j in range(sz.d):
        for k in range(sz.d):
            at = element_at(sz.W_Q, d, j, k)
            G[at] = dq[j] * x_eq[k]
            C[sz.x_eq + k] += P[at] * dq[j]
    for k in range(sz.d):
        G[eq + k * TILE] += C[sz.x_eq + k]
        G[last + k * TILE] += C[sz.x_eq + k]


@njit(**JIT)
def _adamw(P, G, M, V, step, lr, weight_decay, beta1, beta2, eps):
    """One step as `torch.optim.AdamW` takes it: decay, moments, then the update."""
    keep = vectors.broadcast(1 - lr * weight_decay)
    b1, b2 = vectors.broadcast(1 - beta1), vectors.broadcast(beta2)
    c2 = vectors.broadcast(1 - beta2)
    size = vectors.broadcast(-lr / (1 - beta1**step))
    root = vectors.broadcast(1 / math.sqrt(1 - beta2**step))
    tiny = vectors.broadcast(eps)
    for i in range(0, P.shape[0], LANES):
        g, m = vectors.load(G, i), vectors.load(M, i)
        m = vectors.fma(b1, vectors.sub(g, m), m)
        v = vectors.fma(vectors.mul(c2, g), g, vectors.mul(b2, vectors.load(V, i)))
        vectors.store(M, i, m)
        vectors.store(V, i, v)
        below = vectors.fma(vectors.sqrt(v), root, tiny)
        p = vectors.mul(keep, vectors.load(P, i))
        vectors.store(P, i, vectors.fma(size, vectors.div(m, below), p))


# ---- entry points ----------------------------------------------------------------------


@njit(**JIT)
def _chunk_start(sz, n_tiles, n_chunks, chunk):
    """First tile of a chunk: chunks are as equal as they can be."""
    return chunk * n_tiles // n_chunks


@njit(**JIT)
def _one_chunk(sz, chunk, n_tiles, n_chunks, P, table, x_eq, data, S, sums, z, K, C):
    start = _chunk_start(sz, n_tiles, n_chunks, chunk)
    count = _chunk_start(sz, n_tiles, n_chunks, chunk + 1) - start
    chunk_gradient(sz, P, table, x_eq, data, start * TILE, count, S, sums, z, K, C)


@njit(**JIT)
def _step(sz, state, work, total, step, hyper):
    """From the sum of the chunks' gradients to new parameters."""
    P, G, M, V = state
    table, x_eq, q, u, du, dq, _ = work
    _finish(sz, P, table, x_eq, q, u, du, dq, total, G)
    if hyper[0] > 0:
        _adamw(P, G, M, V, step, hyper[0], hyper[1], hyper[2], hyper[3], hyper[4])


@njit(**CACHED)
def train_serial(sz, state, work, data, scratch, C, n_chunks, first_step, n_steps, hyper):
    """`n_steps` epochs on the calling thread; see `lib.engines.kernel.engine` for the arrays.

    hyper: lr, weight decay, beta1, beta2, eps (float64).  With lr = 0 only the gradient is
    computed.  C needs two rows, the sum and a chunk's gradient, which stays in the cache.
    """
    S, sums, z, room = scratch
    P, packs = state[0], work[6]
    n_tiles = data[3].shape[0] // TILE
    mode = vectors.flush_denormals()
    begin(sz)
    for step in range(first_step, first_step + n_steps):
        _prepare(sz, P, work[0], work[1], work[2], work[3], packs)
        for chunk in range(n_chunks):
            _one_chunk(
                sz, chunk, n_tiles, n_chunks, P, work[0], work[1], data,
                S[0], sums[0], z[0], (packs, room[0]), C[min(chunk, 1)],
            )  # fmt: skip
            if chunk:
                total = C[0]
                total += C[1]
        _step(sz, state, work, C[0], step, hyper)
    end(sz)
    vectors.restore_denormals(mode)


@njit(parallel=True, **CACHED)
def train_parallel(sz, state, work, data, scratch, C, n_chunks, first_step, n_steps, hyper):
    """The same on as many threads as `scratch` has rows, with the same bits; C has all chunks."""
    S, sums, z, room = scratch
    P, packs = state[0], work[6]
    n_tiles, n_threads = data[3].shape[0] // TILE, S.shape[0]
    mode = vectors.flush_denormals()
    for step in range(first_step, first_step + n_steps):
        _prepare(sz, P, work[0], work[1], work[2], work[3], packs)
        for thread in prange(n_threads):
            inner = vectors.flush_denormals()
            begin(sz)
            for chunk in range(thread, n_chunks, n_threads):
                _one_chunk(
                    sz, chunk, n_tiles, n_chunks, P, work[0], work[1], data,
                    S[thread], sums[thread], z[thread], (packs, room[thread]), C[chunk],
                )  # fmt: skip
            end(sz)
            vectors.restore_denormals(inner)
        total = C[0]
        for chunk in range(1, n_chunks):
            total += C[chunk]
        _step(sz, state, work, total, step, hyper)
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


@njit(**CACHED)
def evaluate_serial(sz, P, work, data, scratch, loss, right):
    """Loss (float64) and correctness (uint8) of every sample of `data`."""
    mode = vectors.flush_denormals()
    begin(sz)
    S, K = scratch[0][0], (work[6], scratch[3][0])
    _prepare(sz, P, work[0], work[1], work[2], work[3], work[6])
    n_tiles, at_once = data[3].shape[0] // TILE, sz.tiles_per_chunk
    for tile in range(0, n_tiles, at_once):
        count = min(at_once, n_tiles - tile)
        forward(sz, P, work[0], work[1], data[0], tile * TILE, count, S, K)
        _measure(sz, data[3], tile * TILE, count, S, loss, right)
    end(sz)
    vectors.restore_denormals(mode)


@njit(parallel=True, **CACHED)
def evaluate_parallel(sz, P, work, data, scratch, loss, right):
    """The same on as many threads as `scratch` has rows."""
    mode = vectors.flush_denormals()
    _prepare(sz, P, work[0], work[1], work[2], work[3], work[6])
    S, room = scratch[0], scratch[3]
    n_tiles, n_threads = data[3].shape[0] // TILE, S.shape[0]
    at_once = sz.tiles_per_chunk
    for thread in prange(n_threads):
        inner = vectors.flush_denormals()
        begin(sz)
        K = work[6], room[thread]
        for tile in range(thread * at_once, n_tiles, n_threads * at_once):
            count = min(at_once, n_tiles - tile)
            forward(sz, P, work[0], work[1], data[0], tile * TILE, count, S[thread], K)
            _measure(sz, data[3], tile * TILE, count, S[thread], loss, right)
        end(sz)
        vectors.restore_denormals(inner)
    vectors.restore_denormals(mode)
