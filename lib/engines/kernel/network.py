"""The exact, fast trainer of the one-layer transformer, in Numba.

The same mathematics as `lib.model` with `torch.optim.AdamW`, reordered (nothing is
approximated).  Only the last position is read and its query is one vector for all samples, so

* the score of a token is a table look-up, and so is its value: both tables come from one
  matrix product over the vocabulary,
* a sample costs a small softmax per head, a weighted sum of value rows, W_O, the MLP and
  the unembedding: about 6 (9 d² + P d) flops per epoch, forward and backward.

With LayerNorm a token looks different at every place, and the vocabulary has as many columns
(`lib.engines.kernel.vocabulary`); the two other LayerNorms are taken sample by sample.

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

from lib.engines.kernel.attention import attend, table_gradient
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
from lib.engines.kernel.vocabulary import EPS
from lib.engines.simd import vectors
from lib.engines.simd.processor import LANES, UNIT
from lib.engines.simd.vectors import INNER, JIT, WITHIN

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
    d, a, m, c = sz.d_p, sz.a_p, sz.mlp_p, sz.classes_p
    unit, units = _hidden(sz, tokens, first, n_tiles)
    # Steps into packs: the first where rows are hidden units, the second where terms are.
    rows, terms = ((unit >> 4) * ((d + 31) >> 5) * sz.amx * UNIT, (unit >> 5) * sz.amx * UNIT)
    W_in = sz.W_in + unit * d  # rows lie after each other, in fours
    W_out = sz.W_out + unit * 4  # columns, too: each has 4 floats in the first block row
    return Layers(
        Matrix(P, sz.W_O, d, a, d, a, sz.p_O, sz.t_O),
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
    if sz.half == 0 or sz.half % (32 if sz.amx else 4):  # a register's step, a block stay whole
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


# ---- LayerNorm -------------------------------------------------------------------------


@njit(**INNER)
def _normalize(sz, chunk, x, y, spread):
    """Rows y = rows x without their mean and over their deviation; y may be x.

    At `spread` stays 1 / deviation.
    """
    S, d = chunk.S, vectors.broadcast(sz.d)
    for t in range(chunk.n_tiles):
        for s in range(t * sz.stride, t * sz.stride + TILE, LANES):
            mean = square = vectors.broadcast(0.0)
            for k in range(0, sz.d * TILE, TILE):
                mean = vectors.add(mean, vectors.load(S, s + x + k))
            mean = vectors.div(mean, d)
            for k in range(0, sz.d * TILE, TILE):
                value = vectors.sub(vectors.load(S, s + x + k), mean)
                square = vectors.fma(value, value, square)
            square = vectors.add(vectors.div(square, d), vectors.broadcast(EPS))
            scale = vectors.div(vectors.broadcast(1.0), vectors.sqrt(square))
            vectors.store(S, s + spread, scale)
            for k in range(0, sz.d * TILE, TILE):
                value = vectors.sub(vectors.load(S, s + x + k), mean)
                vectors.store(S, s + y + k, vectors.mul(value, scale))


@njit(**INNER)
def _normalize_backward(sz, chunk, y, spread, dy, start, dx):
    """Rows dx = what the gradient dy of the normalized rows y makes of it, and rows `start`.

    dx may be dy; start < 0: nothing to add.
    """
    S, d, nothing = chunk.S, vectors.broadcast(sz.d), vectors.broadcast(0.0)
    for t in range(chunk.n_tiles):
        for s in range(t * sz.stride, t * sz.stride + TILE, LANES):
            mean = slope = nothing
            for k in range(0, sz.d * TILE, TILE):
                grown = vectors.load(S, s + dy + k)
                mean = vectors.add(mean, grown)
                slope = vectors.fma(grown, vectors.load(S, s + y + k), slope)
            mean, slope = vectors.div(mean, d), vectors.div(slope, d)
            scale = vectors.load(S, s + spread)
            for k in range(0, sz.d * TILE, TILE):
                grown = vectors.sub(vectors.load(S, s + dy + k), mean)
                back = vectors.mul(slope, vectors.load(S, s + y + k))
                before = vectors.load(S, s + start + k) if start >= 0 else nothing
                grown = vectors.fma(vectors.sub(grown, back), scale, before)
                vectors.store(S, s + dx + k, grown)


# ---- forward ---------------------------------------------------------------------------


@njit(**JIT)
def forward(sz, P, work, tokens, first, n_tiles, own):
    """Logits of the tiles whose samples start at `first`, with all activations, in `own.S`.

    Layer by layer, so that a layer's weights stay in the cache for all tiles.  Returns the
    chunk and its layers; what H holds of hidden units that are not in use means nothing.
    """
    chunk = Chunk(n_tiles, work.packs, own.S, own.room)
    W = _layers(sz, P, tokens, first, n_tiles)
    for t in range(n_tiles):
        attend(sz, work.table, tokens, first + t * TILE, own.S, t * sz.stride)
    none, X = Rows(own.S, 0, 0), Rows(own.S, sz.X, sz.stride)
    product(sz, chunk, W.O, False, sz.O, sz.X, Ends(BIAS, AS_IS, work.x_eq, 0, none))
    if sz.norm:
        _normalize(sz, chunk, sz.X, sz.N, sz.spread)
    product(sz, chunk, W.into, False, sz.N, W.H, Ends(BIAS, RELU, P, W.b_in, none))
    if sz.half and W.all_units:
        for t in range(n_tiles):
            _split(sz, tokens, first + t * TILE, own.S, t * sz.stride)
    product(sz, chunk, W.out, False, W.H, sz.Y, Ends(BIAS_AND_ROWS, AS_IS, P, sz.b_out, X))
    if sz.norm:
        _normalize(sz, chunk, sz.Y, sz.Y, sz.spread + TILE)
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
        _store_product(S, place + v, vectors.load(S, place + v), scale_v)
        _store_product(S, place + w, vectors.load(S, place + w), scale_w)
    _store_product(S, kept + v, wrong_v, scale_v)
    _store_product(S, kept + w, wrong_w, scale_w)


@njit(**INNER)
def _store_product(S, at, x, scale):
    vectors.store(S, at, vectors.without_denormals(vectors.mul(x, scale)))


@njit(**JIT, **WITHIN)
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
    if sz.norm:
        _normalize_backward(sz, chunk, sz.Y, sz.spread + TILE, dX, -1, dX)
    _row_sums(sz, chunk, dX, sz.d_p, G, g + sz.b_out)
    gradient(sz, chunk, W.out, dX, W.H, G, g + W.out.at)
    product(sz, chunk, W.out, True, dX, W.H, Ends(ZERO, GATE, P, 0, Rows(S, W.H, sz.stride)))
    if sz.norm:
        product(sz, chunk, W.into, True, W.H, sz.Y, as_is)
        _normalize_backward(sz, chunk, sz.N, sz.spread, sz.Y, dX, dX)
    else:
        product(sz, chunk, W.into, True, W.H, dX, Ends(ROWS, AS_IS, P, 0, here))
    product(sz, chunk, W.O, True, dX, sz.Y, as_is)  # dO
    gradient(sz, chunk, W.into, W.H, sz.N, G, g + W.into.at)
    _row_sums(sz, chunk, W.H, W.into.rows, G, g + W.b_in)
    gradient(sz, chunk, W.O, dX, sz.O, G, g + sz.W_O)
    _row_sums(sz, chunk, dX, sz.d_p, G, sz.x_eq)
    table_gradient(sz, work.table, samples.slots, first, n_tiles, own, G)
