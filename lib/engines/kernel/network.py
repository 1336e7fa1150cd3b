"""The exact, fast trainer of the one-layer transformer, in Numba.

The same mathematics as `lib.model` with `torch.optim.AdamW`, reordered (nothing is
approximated).  Only the last position is read and its query is one vector for all samples, so

* the score of a token is a table look-up, and so is its value: both tables come from one
  matrix product over the vocabulary,
* a sample costs a small softmax per head, a weighted sum of value rows, W_O, the MLP and
  the unembedding: about 6 (9 d² + P d) flops per epoch, forward and backward.

How the work is laid out (`lib.engines.kernel.products` has the matrix products):

* activations are *feature-major tiles* of four vectors of samples (64 with AVX-512): row f
  of a tile holds feature f of its samples.  Vectors run over samples, so no width is padded
  and no sum crosses lanes,
* a weight matrix with rows = outputs is stored as 4 × 4 blocks, which the forward product,
  the backward product and the gradient all read and write in order,
* samples are split into chunks that fit the second-level cache.  The split depends on the
  sizes alone and the chunks' gradients are added in order: the bits do not depend on the
  number of threads.
"""

from numba import njit

from lib.engines.kernel.layout import TILE
from lib.engines.kernel.products import apply, gradient
from lib.engines.simd import blocks, vectors
from lib.engines.simd.processor import LANES, UNIT
from lib.engines.simd.vectors import JIT

# ---- building blocks -------------------------------------------------------------------


@njit(**JIT)
def _row_sums(S, s, stride, n_tiles, n_rows, G, g):
    """G[row] = the sum of a row over the samples of all tiles."""
    for row in range(n_rows):
        acc = vectors.broadcast(0.0)
        for t in range(n_tiles):
            at = s + t * stride + row * TILE
            for v in range(0, TILE, LANES):
                acc = vectors.add(acc, vectors.load(S, at + v))
        G[g + row] = vectors.total(acc)


@njit(**JIT)
def element_at(w, n_in, j, k):
    """Where row j, column k of a matrix stored as 4 × 4 blocks lies."""
    return w + ((j >> 2) * n_in + (k >> 2)) * 16 + (j & 3) * 4 + (k & 3)


@njit(**JIT)
def column_at(sz, n_rows, token):
    """Where a vocabulary column starts in panels of `n_rows` rows; its rows are TILE apart."""
    return (token // TILE) * n_rows * TILE + token % TILE


# ---- forward ---------------------------------------------------------------------------


@njit(**JIT)
def _attend(sz, table, tokens, first, S, s):
    """Attention of one tile: fills V (values), A (weights) and O (their mixture) of S at s.

    tokens: (length - 1, samples) int32, each the place of the token's column in `table`.
    """
    n_var = sz.length - 1
    eq = column_at(sz, sz.rows, sz.equals)
    n_samples = tokens.shape[0] // n_var
    d_head = sz.d // sz.n_heads
    for v in range(0, TILE, LANES):
        for h in range(sz.n_heads):
            row = (sz.d_p + h) * TILE
            a = s + sz.A + h * TILE + v
            step = sz.heads_p * TILE
            place = column_at(sz, sz.rows, sz.n_tokens + n_var)
            best = vectors.broadcast(table[eq + row] + table[place + row])
            vectors.store(S, a + n_var * step, best)
            for p in range(n_var):
                place = column_at(sz, sz.rows, sz.n_tokens + p)
                score = vectors.gather(table, row, tokens, p * n_samples + first + v)
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
            place = column_at(sz, sz.rows, sz.n_tokens + n_var)
            for f in range(h * d_head, (h + 1) * d_head):
                fixed = vectors.broadcast(table[eq + f * TILE] + table[place + f * TILE])
                out = vectors.mul(vectors.load(S, a + n_var * step), fixed)
                for p in range(n_var):
                    shift = table[column_at(sz, sz.rows, sz.n_tokens + p) + f * TILE]
                    value = vectors.gather(table, f * TILE, tokens, p * n_samples + first + v)
                    value = vectors.add(value, vectors.broadcast(shift))
                    vectors.store(S, s + sz.V + (p * sz.d_p + f) * TILE + v, value)
                    out = vectors.fma(vectors.load(S, a + p * step), value, out)
                vectors.store(S, s + sz.O + f * TILE + v, out)


@njit(**JIT)
def _split(sz, tokens, first, S, s):
    """Zero those hidden units of a tile that belong to the other task (appendix B).

    The operator is the second token; "+" has the first half.  Where H is 0 nothing flows
    back, so this is all that a split MLP needs; `_hidden` saves most of the work.
    """
    operators = tokens.shape[0] // (sz.length - 1) + first
    for i in range(TILE):
        start = 0 if tokens[operators + i] == sz.minus else sz.half
        at = s + sz.H + start * TILE + i
        for j in range(sz.half):
            S[at + j * TILE] = 0


@njit(**JIT)
def _hidden(sz, tokens, first, n_tiles):
    """First and number of the hidden units that some tiles use: a half, if one task has them all.

    With the other half left out every sum is the same to the bit: it would add zeros.
    """
    if sz.half == 0 or sz.half % 32:  # half of a step of tile registers cannot be left out
        return 0, sz.mlp_p
    operators = tokens.shape[0] // (sz.length - 1) + first
    minus = tokens[operators] == sz.minus
    for i in range(n_tiles * TILE):
        if (tokens[operators + i] == sz.minus) != minus:
            return 0, sz.mlp_p
    return sz.half if minus else 0, sz.half


@njit(**JIT)
def _from_unit(sz, unit):
    """Places from a hidden unit on: in a tile, W_in, b_in, W_out; steps into packs.

    The first is for a pack whose rows are hidden units, the second for one whose terms are.
    """
    step = sz.amx * UNIT
    rows, terms = (unit >> 4) * ((sz.d_p + 31) >> 5) * step, (unit >> 5) * step
    W_in = sz.W_in + unit * sz.d_p  # rows lie after each other, in fours
    W_out = sz.W_out + unit * 4  # columns, too: each has 4 floats in the first block row
    return sz.H + unit * TILE, W_in, sz.b_in + unit, W_out, rows, terms


@njit(**JIT)
def forward(sz, P, table, x_eq, tokens, first, n_tiles, S, K):
    """Logits of the tiles whose samples start at `first`, with all activations, in S.

    Layer by layer, so that a layer's weights stay in the cache for all tiles.  Returns the
    hidden units in use (`_hidden`); what H holds of the others means nothing.
    """
    d, m, c = sz.d_p, sz.mlp_p, sz.classes_p
    unit, units = _hidden(sz, tokens, first, n_tiles)
    H, W_in, b_in, W_out, rows, terms = _from_unit(sz, unit)
    for t in range(n_tiles):
        _attend(sz, table, tokens, first + t * TILE, S, t * sz.stride)
    n, O, X, Y, L = n_tiles, sz.O, sz.X, sz.Y, sz.L  # noqa: E741
    apply(sz, P, sz.W_O, K, sz.p_O, (d, d), d, d, False, S, n, O, X, x_eq, 0, 0, 1, 0)
    apply(sz, P, W_in, K, sz.p_in + rows, (m, d), units, d, False, S, n, X, H, P, b_in, 0, 1, 1)
    if sz.half and units == m:
        for t in range(n_tiles):
            _split(sz, tokens, first + t * TILE, S, t * sz.stride)
    apply(
        sz, P, W_out, K, sz.p_out + terms, (d, m), d, units, False, S, n, H, Y, P, sz.b_out, X, 2, 0
    )
    apply(sz, P, sz.W_U, K, sz.p_U, (c, d), c, d, False, S, n, Y, L, P, 0, 0, 0, 0)
    return unit, units


# ---- backward --------------------------------------------------------------------------


@njit(**JIT)
def _loss_gradient(sz, classes, labels, weights, first, S, s):
    """Logits -> gradient of the weighted exact cross-entropy, in place.

    With `wrong` the sum over wrong classes of exp(l_j - max) and `right` the right one's,
    the right class gets -wrong / (wrong + right): as 1 - p it would round to 0 near p = 1.
    classes: the right class (float32); labels: place of its logit in the tile (int32).
    """
    at = s + sz.L
    for v in range(0, TILE, 2 * LANES):
        w = v + LANES  # two vectors at a time: each hides the other's latency
        top_v, top_w = vectors.load(S, at + v), vectors.load(S, at + w)
        for c in range(1, sz.n_classes):
            top_v = vectors.maximum(vectors.load(S, at + c * TILE + v), top_v)
            top_w = vectors.maximum(vectors.load(S, at + c * TILE + w), top_w)
        right_v = vectors.exp(vectors.sub(vectors.gather(S, at, labels, first + v), top_v))
        right_w = vectors.exp(vectors.sub(vectors.gather(S, at, labels, first + w), top_w))
        class_v, class_w = vectors.load(classes, first + v), vectors.load(classes, first + w)
        wrong_v = wrong_w = vectors.broadcast(0.0)
        for c in range(sz.n_classes):
            place, here = at + c * TILE, vectors.broadcast(c)
            value = vectors.exp(vectors.sub(vectors.load(S, place + v), top_v))
            vectors.store(S, place + v, value)
            wrong_v = vectors.add_unless_equal(wrong_v, class_v, here, value)
            value = vectors.exp(vectors.sub(vectors.load(S, place + w), top_w))
            vectors.store(S, place + w, value)
            wrong_w = vectors.add_unless_equal(wrong_w, class_w, here, value)
        scale_v = vectors.div(vectors.load(weights, first + v), vectors.add(wrong_v, right_v))
        scale_w = vectors.div(vectors.load(weights, first + w), vectors.add(wrong_w, right_w))
        for c in range(sz.n_classes):
            place = at + c * TILE
            vectors.store(S, place + v, vectors.mul(vectors.load(S, place + v), scale_v))
            vectors.store(S, place + w, vectors.mul(vectors.load(S, place + w), scale_w))
        # kept in dX, which is not in use yet, until they are put in their places one by one
        vectors.store(S, s + sz.dX + v, vectors.mul(wrong_v, scale_v))
        vectors.store(S, s + sz.dX + w, vectors.mul(wrong_w, scale_w))
    for i in range(TILE):
        S[at + labels[first + i]] = -S[s + sz.dX + i]
    for c in range(sz.n_classes, sz.classes_p):
        for v in range(0, TILE, LANES):
            vectors.store(S, at + c * TILE + v, vectors.broadcast(0.0))


@njit(**JIT)
def _attend_backward(sz, table, slots, first, S, s, T, sums, z):
    """From dO (kept in Y) to the gradient T (vocabulary, rows_p) of the table.

    sums: (length, rows_p, LANES), the sums over samples for the positions; z: one row of
    TILE for each position and table row.
    """
    n_var = sz.length - 1
    n_samples = slots.shape[0] // n_var
    eq = column_at(sz, sz.rows, sz.equals)
    last = column_at(sz, sz.rows, sz.n_tokens + n_var)
    d_head = sz.d // sz.n_heads
    step, z_step = sz.heads_p * TILE, sz.rows_p * TILE
    for h in range(sz.n_heads):
        a = s + sz.A + h * TILE
        row = (sz.d_p + h) * TILE
        for v in range(0, TILE, LANES):
            mean = vectors.broadcast(0.0)
            for p in range(sz.length):
                grown = vectors.broadcast(0.0)
                weight = vectors.load(S, a + p * step + v)
                total = (p * sz.rows_p + h * d_head) * LANES
                for f in range(h * d_head, (h + 1) * d_head):
                    upstream = vectors.load(S, s + sz.Y + f * TILE + v)
                    if p < n_var:
                        value = vectors.load(S, s + sz.V + (p * sz.d_p + f) * TILE + v)
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
                total = (p * sz.rows_p + sz.d_p + h) * LANES
                vectors.store(sums, total, vectors.add(vectors.load(sums, total), grown))
    for p in range(n_var):
        for group in range(0, sz.rows_p, LANES):
            for v in range(0, TILE, LANES):
                source, samples = p * z_step + group * TILE + v, p * n_samples + first + v
                blocks.scatter_columns(z, source, TILE, T, group, slots, samples)


@njit(**JIT)
def chunk_gradient(sz, P, table, x_eq, data, first, n_tiles, S, sums, z, K, G):
    """Forward and backward of one chunk; G (n_chunk) gets its gradient."""
    tokens, slots, classes, labels, weights = data
    d, m, c = sz.d_p, sz.mlp_p, sz.classes_p
    n, dX, dO = n_tiles, sz.dX, sz.Y
    stride, g = sz.stride, sz.tail - sz.W_O
    unit, units = forward(sz, P, table, x_eq, tokens, first, n, S, K)
    H, W_in, b_in, W_out, rows, terms = _from_unit(sz, unit)
    if units < m:
        G[g + sz.W_in : g + sz.W_U] = 0  # the other half's
    for t in range(n_tiles):
        _loss_gradient(sz, classes, labels, weights, first + t * TILE, S, t * stride)
    apply(sz, P, sz.W_U, K, sz.t_U, (c, d), d, c, True, S, n, sz.L, dX, P, 0, 0, 0, 0)
    gradient(sz, S, sz.L, c, sz.Y, d, n, G, g + sz.W_U, d, K)
    _row_sums(S, dX, stride, n, d, G, g + sz.b_out)
    gradient(sz, S, dX, d, H, units, n, G, g + W_out, m, K)
    apply(sz, P, W_out, K, sz.t_out + rows, (d, m), units, d, True, S, n, dX, H, P, 0, H, 0, 2)
    apply(sz, P, W_in, K, sz.t_in + terms, (m, d), d, units, True, S, n, H, dX, P, 0, dX, 3, 0)
    apply(sz, P, sz.W_O, K, sz.t_O, (d, d), d, d, True, S, n, dX, dO, P, 0, 0, 0, 0)
    # (rows of W_in are hidden units: its gradient is dH Xᵀ)
    gradient(sz, S, H, units, sz.X, d, n, G, g + W_in, d, K)
    _row_sums(S, H, stride, n, units, G, g + b_in)
    gradient(sz, S, dX, d, sz.O, d, n, G, g + sz.W_O, d, K)
    _row_sums(S, dX, stride, n, d, G, sz.x_eq)
    G[: sz.x_eq] = 0
    sums[:] = 0
    for t in range(n_tiles):
        _attend_backward(sz, table, slots, first + t * TILE, S, t * stride, G, sums, z)
    for p in range(sz.length):
        for row in range(sz.rows):
            total = vectors.total(vectors.load(sums, (p * sz.rows_p + row) * LANES))
            G[(sz.n_tokens + p) * sz.rows_p + row] = total
            if p == sz.length - 1:
                G[sz.equals * sz.rows_p + row] = total
