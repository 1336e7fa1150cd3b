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

from typing import NamedTuple

from numba import njit

from lib.engines.kernel.layout import TILE
from lib.engines.kernel.products import (
    AS_IS,
    BIAS,
    BIAS_AND_ROWS,
    GATE,
    RELU,
    ROWS,
    ZERO,
    Chunk,
    Ends,
    Matrix,
    Rows,
    gradient,
    product,
)
from lib.engines.simd import blocks, vectors
from lib.engines.simd.processor import LANES, UNIT
from lib.engines.simd.vectors import INNER, JIT

# ---- building blocks -------------------------------------------------------------------


@njit(**JIT)
def _row_sums(sz, chunk, row, n_rows, G, g):
    """G[i] = the sum of a row over the samples of a chunk, for `n_rows` rows from `row` on."""
    for i in range(n_rows):
        acc = vectors.broadcast(0.0)
        for t in range(chunk.n_tiles):
            at = t * sz.stride + row + i * TILE
            for v in range(0, TILE, LANES):
                acc = vectors.add(acc, vectors.load(chunk.S, at + v))
        G[g + i] = vectors.total(acc)


@njit(**INNER)
def element_at(w, n_in, j, k):
    """Where row j, column k of a matrix stored as 4 × 4 blocks lies."""
    return w + ((j >> 2) * n_in + (k >> 2)) * 16 + (j & 3) * 4 + (k & 3)


@njit(**INNER)
def column_at(sz, n_rows, token):
    """Where a vocabulary column starts in panels of `n_rows` rows; its rows are TILE apart."""
    return (token // TILE) * n_rows * TILE + token % TILE


class Layers(NamedTuple):
    """The matrices that a chunk of samples goes through, and the hidden units that it uses."""

    O: Matrix  # noqa: E741
    into: Matrix
    out: Matrix
    U: Matrix
    b_in: int  # place in the parameters
    H: int  # place in a tile
    all_units: bool


@njit(**JIT)
def _layers(sz, P, tokens, first, n_tiles):
    """The layers of some tiles; with a split MLP only the half that they use, if it is one.

    With the other half left out every sum is the same to the bit: it would add zeros.
    """
    d, m, c = sz.d_p, sz.mlp_p, sz.classes_p
    unit, units = _hidden(sz, tokens, first, n_tiles)
    # Steps into packs: the first where rows are hidden units, the second where terms are.
    rows, terms = ((unit >> 4) * ((d + 31) >> 5) * sz.amx * UNIT, (unit >> 5) * sz.amx * UNIT)
    W_in = sz.W_in + unit * d  # rows lie after each other, in fours
    W_out = sz.W_out + unit * 4  # columns, too: each has 4 floats in the first block row
    return Layers(
        Matrix(P, sz.W_O, d, d, d, d, sz.p_O, sz.t_O),
        Matrix(P, W_in, units, d, m, d, sz.p_in + rows, sz.t_in + terms),
        Matrix(P, W_out, d, units, d, m, sz.p_out + terms, sz.t_out + rows),
        Matrix(P, sz.W_U, c, d, c, d, sz.p_U, sz.t_U),
        sz.b_in + unit,
        sz.H + unit * TILE,
        units == m,
    )


@njit(**JIT)
def _hidden(sz, tokens, first, n_tiles):
    """First and number of the hidden units that some tiles use: a half, if one task has them."""
    if sz.half == 0 or sz.half % 32:  # half of a step of tile registers cannot be left out
        return 0, sz.mlp_p
    operators = tokens.shape[0] // (sz.length - 1) + first
    minus = tokens[operators] == sz.minus
    for i in range(n_tiles * TILE):
        if (tokens[operators + i] == sz.minus) != minus:
            return 0, sz.mlp_p
    return sz.half if minus else 0, sz.half


@njit(**JIT)
def _split(sz, tokens, first, S, s):
    """Zero those hidden units of a tile that belong to the other task (appendix B).

    The operator is the second token; "+" has the first half.  Where H is 0 nothing flows
    back, so this is all that a split MLP needs; `_layers` saves most of the work.
    """
    operators = tokens.shape[0] // (sz.length - 1) + first
    for i in range(TILE):
        start = 0 if tokens[operators + i] == sz.minus else sz.half
        at = s + sz.H + start * TILE + i
        for j in range(sz.half):
            S[at + j * TILE] = 0


# ---- forward ---------------------------------------------------------------------------


@njit(**JIT)
def _attend(sz, table, tokens, first, S, s):
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
    row, step = (sz.d_p + h) * TILE, sz.heads_p * TILE
    a = s + sz.A + h * TILE
    eq, place = column_at(sz, sz.rows, sz.equals), column_at(sz, sz.rows, sz.n_tokens + n_var)
    best = vectors.broadcast(table[eq + row] + table[place + row])
    vectors.store(S, a + n_var * step, best)
    for p in range(n_var):
        place = column_at(sz, sz.rows, sz.n_tokens + p)
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
    a, step, d_head = s + sz.A + h * TILE, sz.heads_p * TILE, sz.d // sz.n_heads
    eq, place = column_at(sz, sz.rows, sz.equals), column_at(sz, sz.rows, sz.n_tokens + n_var)
    for f in range(h * d_head, (h + 1) * d_head):
        fixed = vectors.broadcast(table[eq + f * TILE] + table[place + f * TILE])
        out = vectors.mul(vectors.load(S, a + n_var * step), fixed)
        for p in range(n_var):
            shift = table[column_at(sz, sz.rows, sz.n_tokens + p) + f * TILE]
            value = vectors.gather(table, f * TILE, tokens, p * n_samples + first)
            value = vectors.add(value, vectors.broadcast(shift))
            vectors.store(S, s + sz.V + (p * sz.d_p + f) * TILE, value)
            out = vectors.fma(vectors.load(S, a + p * step), value, out)
        vectors.store(S, s + sz.O + f * TILE, out)


@njit(**JIT)
def forward(sz, P, work, tokens, first, n_tiles, own):
    """Logits of the tiles whose samples start at `first`, with all activations, in `own.S`.

    Layer by layer, so that a layer's weights stay in the cache for all tiles.  Returns the
    chunk and its layers; what H holds of hidden units that are not in use means nothing.
    """
    chunk = Chunk(n_tiles, P, work.packs, own.S, own.room)
    W = _layers(sz, P, tokens, first, n_tiles)
    for t in range(n_tiles):
        _attend(sz, work.table, tokens, first + t * TILE, own.S, t * sz.stride)
    none, X = Rows(own.S, 0, 0), Rows(own.S, sz.X, sz.stride)
    product(sz, chunk, W.O, False, sz.O, sz.X, Ends(BIAS, AS_IS, work.x_eq, 0, none))
    product(sz, chunk, W.into, False, sz.X, W.H, Ends(BIAS, RELU, P, W.b_in, none))
    if sz.half and W.all_units:
        for t in range(n_tiles):
            _split(sz, tokens, first + t * TILE, own.S, t * sz.stride)
    product(sz, chunk, W.out, False, W.H, sz.Y, Ends(BIAS_AND_ROWS, AS_IS, P, sz.b_out, X))
    product(sz, chunk, W.U, False, sz.Y, sz.L, Ends(ZERO, AS_IS, P, 0, none))
    return chunk, W


# ---- backward --------------------------------------------------------------------------


@njit(**JIT)
def _loss_gradient(sz, samples, first, S, s):
    """Logits -> gradient of the weighted exact cross-entropy, in place.

    With `wrong` the sum over wrong classes of exp(l_j - max) and `right` the right one's,
    the right class gets -wrong / (wrong + right): as p - 1, which plain float32 has
    (`rounds`), it is 0 near p = 1.
    """
    at = s + sz.L
    for v in range(0, TILE, 2 * LANES):
        _wrong_classes(sz, samples, first, S, at, s + sz.dX, v)
    for i in range(TILE):
        right = at + samples.labels[first + i]
        S[right] = S[right] - samples.weights[first + i] if sz.rounds else -S[s + sz.dX + i]
    for c in range(sz.n_classes, sz.classes_p):
        for v in range(0, TILE, LANES):
            vectors.store(S, at + c * TILE + v, vectors.broadcast(0.0))


@njit(**INNER)
def _wrong_classes(sz, samples, first, S, at, kept, v):
    """The gradient of all classes as if wrong, for the tile's vectors at v and behind it.

    At `kept` stays what the right classes get, until it is put in its places one by one.
    """
    w = v + LANES  # two vectors at a time: each hides the other's latency
    labels, classes = samples.labels, samples.classes
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
    weights = samples.weights
    scale_v = vectors.div(vectors.load(weights, first + v), vectors.add(wrong_v, right_v))
    scale_w = vectors.div(vectors.load(weights, first + w), vectors.add(wrong_w, right_w))
    for c in range(sz.n_classes):
        place = at + c * TILE
        vectors.store(S, place + v, vectors.mul(vectors.load(S, place + v), scale_v))
        vectors.store(S, place + w, vectors.mul(vectors.load(S, place + w), scale_w))
    vectors.store(S, kept + v, vectors.mul(wrong_v, scale_v))
    vectors.store(S, kept + w, vectors.mul(wrong_w, scale_w))


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
    n_var, d_head = sz.length - 1, sz.d // sz.n_heads
    eq = column_at(sz, sz.rows, sz.equals)
    last = column_at(sz, sz.rows, sz.n_tokens + n_var)
    a, row = s + sz.A + h * TILE, (sz.d_p + h) * TILE
    step, z_step = sz.heads_p * TILE, sz.rows_p * TILE
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


@njit(**JIT)
def chunk_gradient(sz, P, work, samples, first, n_tiles, own, G):
    """Forward and backward of one chunk; G (n_chunk) gets its gradient."""
    chunk, W = forward(sz, P, work, samples.tokens, first, n_tiles, own)
    S, dX, g = own.S, sz.dX, sz.tail - sz.W_O  # from a place in P to that in G
    none, here = Rows(S, 0, 0), Rows(S, dX, sz.stride)
    as_is = Ends(ZERO, AS_IS, P, 0, none)
    if not W.all_units:
        vectors.fill(G, g + sz.W_in, g + sz.W_U, 0)  # the other half's
    for t in range(n_tiles):
        _loss_gradient(sz, samples, first + t * TILE, S, t * sz.stride)
    product(sz, chunk, W.U, True, sz.L, dX, as_is)
    gradient(sz, chunk, W.U, sz.L, sz.Y, G, g + W.U.at)
    _row_sums(sz, chunk, dX, sz.d_p, G, g + sz.b_out)
    gradient(sz, chunk, W.out, dX, W.H, G, g + W.out.at)
    product(sz, chunk, W.out, True, dX, W.H, Ends(ZERO, GATE, P, 0, Rows(S, W.H, sz.stride)))
    product(sz, chunk, W.into, True, W.H, dX, Ends(ROWS, AS_IS, P, 0, here))
    product(sz, chunk, W.O, True, dX, sz.Y, as_is)  # dO
    gradient(sz, chunk, W.into, W.H, sz.X, G, g + W.into.at)
    _row_sums(sz, chunk, W.H, W.into.rows, G, g + W.b_in)
    gradient(sz, chunk, W.O, dX, sz.O, G, g + sz.W_O)
    _row_sums(sz, chunk, dX, sz.d_p, G, sz.x_eq)
    _table_gradient(sz, work.table, samples.slots, first, n_tiles, own, G)


@njit(**JIT)
def _table_gradient(sz, table, slots, first, n_tiles, own, G):
    """The gradient of the table, and of what positions add to it, at the start of G."""
    vectors.fill(G, 0, sz.x_eq, 0)
    vectors.fill(own.sums, 0, len(own.sums), 0)
    for t in range(n_tiles):
        _attend_backward(sz, table, slots, first + t * TILE, own, t * sz.stride, G)
    for p in range(sz.length):
        for row in range(sz.rows):
            total = vectors.total(vectors.load(own.sums, (p * sz.rows_p + row) * LANES))
            G[(sz.n_tokens + p) * sz.rows_p + row] = total
            if p == sz.length - 1:
                G[sz.equals * sz.rows_p + row] = total
