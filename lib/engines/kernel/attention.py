"""Attention in the fast trainer: from the table to a tile's mixture of values, and back.

Only the last position asks, always the same thing, so a token's score and value are columns
of one table (`lib.engines.kernel.network`); here they are looked up, weighed and mixed.
"""

from numba import njit

from lib.engines.kernel.layout import TILE, column_at
from lib.engines.simd import blocks, vectors
from lib.engines.simd.processor import LANES
from lib.engines.simd.vectors import INNER, JIT


@njit(**JIT)
def attend(sz, table, tokens, first, S, s):
    """Attention of one tile: fills V (values), A (weights) and O (their mixture) of S at s.

    tokens: `Samples.tokens`; first: the tile's first sample.
    """
    for v in range(0, TILE, LANES):
        for h in range(sz.n_heads):
            _weigh(sz, table, tokens, first + v, h, S, s + v)
            _mix(sz, table, tokens, first + v, h, S, s + v)


@njit(**INNER)
def _weigh(sz, table, tokens, first, h, S, s):
    """A head's weights of the positions, for one vector of samples."""
    n_var, n_samples = sz.length - 1, tokens.shape[0] // (sz.length - 1)
    row, step = (sz.a_p + h) * TILE, sz.heads_p * TILE
    a = s + sz.A + h * TILE
    eq, place = column_at(sz, sz.rows, sz.asking), column_at(sz, sz.rows, sz.seen + n_var)
    best = vectors.broadcast(table[eq + row] + table[place + row])
    vectors.store(S, a + n_var * step, best)
    for p in range(n_var):
        place = column_at(sz, sz.rows, sz.seen + p)
        score = vectors.gather(table, row, tokens, p * n_samples + first)
        score = vectors.add(score, vectors.broadcast(table[place + row]))
        vectors.store(S, a + p * step, score)
        best = vectors.maximum(score, best)
    norm = vectors.broadcast(0.0)
    for p in range(sz.length):
        weight = vectors.exp(vectors.sub(vectors.load(S, a + p * step), best))
        vectors.store(S, a + p * step, weight)
        norm = vectors.add(norm, weight)
    norm = vectors.div(vectors.broadcast(1.0), norm)
    for p in range(sz.length):
        vectors.store(S, a + p * step, vectors.mul(vectors.load(S, a + p * step), norm))


@njit(**INNER)
def _mix(sz, table, tokens, first, h, S, s):
    """A head's mixture of values, for one vector of samples."""
    n_var, n_samples = sz.length - 1, tokens.shape[0] // (sz.length - 1)
    a, step, d_head = s + sz.A + h * TILE, sz.heads_p * TILE, sz.d_head
    eq, place = column_at(sz, sz.rows, sz.asking), column_at(sz, sz.rows, sz.seen + n_var)
    for f in range(h * d_head, (h + 1) * d_head):
        fixed = vectors.broadcast(table[eq + f * TILE] + table[place + f * TILE])
        out = vectors.mul(vectors.load(S, a + n_var * step), fixed)
        for p in range(n_var):
            shift = table[column_at(sz, sz.rows, sz.seen + p) + f * TILE]
            value = vectors.gather(table, f * TILE, tokens, p * n_samples + first)
            value = vectors.add(value, vectors.broadcast(shift))
            vectors.store(S, s + sz.V + (p * sz.a_p + f) * TILE, value)
            out = vectors.fma(vectors.load(S, a + p * step), value, out)
        vectors.store(S, s + sz.O + f * TILE, out)


@njit(**JIT)
def _attend_backward(sz, table, slots, first, own, s, T):
    """From dO (kept in Y) of the tile at s to the gradient T (vocabulary, rows_p) of the table."""
    n_var = sz.length - 1
    n_samples, z_step = slots.shape[0] // n_var, sz.rows_p * TILE
    for h in range(sz.n_heads):
        for v in range(0, TILE, LANES):
            _head_backward(sz, table, h, v, own.S, s, own.sums, own.z)
    for p in range(n_var):
        for group in range(0, sz.rows_p, LANES):
            for v in range(0, TILE, LANES):
                source, samples = p * z_step + group * TILE + v, p * n_samples + first + v
                blocks.scatter_columns(own.z, source, TILE, T, group, slots, samples)


@njit(**INNER)
def _head_backward(sz, table, h, v, S, s, sums, z):
    """One head's rows of z, the table's gradient sample by sample, and their sums."""
    n_var, d_head = sz.length - 1, sz.d_head
    eq = column_at(sz, sz.rows, sz.asking)
    last = column_at(sz, sz.rows, sz.seen + n_var)
    a, row = s + sz.A + h * TILE, (sz.a_p + h) * TILE
    step, z_step = sz.heads_p * TILE, sz.rows_p * TILE
    mean = vectors.broadcast(0.0)
    for p in range(sz.length):
        grown = vectors.broadcast(0.0)
        weight = vectors.load(S, a + p * step + v)
        total = (p * sz.rows_p + h * d_head) * LANES
        for f in range(h * d_head, (h + 1) * d_head):
            upstream = vectors.load(S, s + sz.Y + f * TILE + v)
            if p < n_var:
                value = vectors.load(S, s + sz.V + (p * sz.a_p + f) * TILE + v)
            else:
                value = vectors.broadcast(table[eq + f * TILE] + table[last + f * TILE])
            grown = vectors.fma(upstream, value, grown)
            weighted = vectors.mul(upstream, weight)
            vectors.store(z, p * z_step + f * TILE + v, weighted)
            vectors.store(sums, total, vectors.add(vectors.load(sums, total), weighted))
            total += LANES
        vectors.store(z, p * z_step + row + v, grown)
        mean = vectors.fma(weight, grown, mean)
    for p in range(sz.length):
        grown = vectors.sub(vectors.load(z, p * z_step + row + v), mean)
        grown = vectors.mul(vectors.load(S, a + p * step + v), grown)
        vectors.store(z, p * z_step + row + v, grown)
        total = (p * sz.rows_p + sz.a_p + h) * LANES
        vectors.store(sums, total, vectors.add(vectors.load(sums, total), grown))


@njit(**JIT)
def table_gradient(sz, table, slots, first, n_tiles, own, G):
    """The gradient of the table, and of what positions add to it, at the start of G."""
    vectors.fill(G, 0, sz.x_eq, 0)
    vectors.fill(own.sums, 0, len(own.sums), 0)
    for t in range(n_tiles):
        _attend_backward(sz, table, slots, first + t * TILE, own, t * sz.stride, G)
    for p in range(sz.length):
        for row in range(sz.rows):
            total = vectors.total(vectors.load(own.sums, (p * sz.rows_p + row) * LANES))
            G[(sz.seen + p) * sz.rows_p + row] = total
            if p == sz.length - 1:
                G[sz.asking * sz.rows_p + row] = total
