"""Matrix products on the tile registers of newer x86 servers (AMX): "bf16x6" and "bf16x3".

The tile unit multiplies bfloat16 and adds up in float32, about fifteen times as fast as the
vector units multiply float32.  A bfloat16 has 8 significant bits, a float32 24, so a float is a
sum of bfloat16 parts:

* three parts, h + m + l, hold it all.  Of the nine products of two such sums hh, hm, mh, mm, hl
  and lh are kept; the rest is below what a float32 sum rounds away.  This is "bf16x6", and as
  exact as float32,
* two parts, h + l, hold 17 bits.  hh, hl and lh are kept: "bf16x3" rounds to about 1e-5, between
  float32 and a GPU's TF32 (11 bits).  That is faster; the book's page on the recipe shows runs
  in both next to float32.

One *tile* has 16 rows of 64 bytes.  A *pack* is a matrix as tiles: block of
16 rows (or columns), then step of 32 terms of the sum, then part (h, m, l).
"""

from numba import njit

from lib.engines.kernel.layout import TILE
from lib.engines.simd import vectors
from lib.engines.simd.amx import (
    LINE,
    clear,
    load_tile,
    multiply_one,
    multiply_two,
    store_blocks,
    store_columns,
    store_pairs,
    store_tile,
    store_weights,
)
from lib.engines.simd.processor import LANES, UNIT
from lib.engines.simd.vectors import JIT


@njit(**JIT)
def steps(terms):
    """Steps of 32 terms that a sum takes."""
    return (terms + 31) // 32


@njit(**JIT)
def pack_weights(parts, P, w, rows, columns, K, k, t):
    """A matrix that is stored as 4 × 4 blocks -> its pack at k, and its transpose's at t."""
    n, n_t, step = steps(columns), steps(rows), parts * UNIT
    for i in range(0, rows, 4):
        for j in range(0, columns, 4):
            at = ((i >> 4) * n + (j >> 5)) * step + (i & 15) * LINE + ((j & 31) >> 1)
            turned = ((j >> 4) * n_t + (i >> 5)) * step + (j & 15) * LINE + ((i & 31) >> 1)
            store_weights(parts, vectors.load(P, w), K, k + at, t + turned)
            w += 16


@njit(**JIT)
def _pack_terms(parts, X, x, n_in, K, k):
    """Rows of a tile of samples, the terms of a sum, -> a pack with a block for each vector."""
    n, step = steps(n_in), parts * UNIT
    for f in range(0, 32 * n, 2):
        at = k + (f >> 5) * step + ((f & 31) >> 1) * LINE
        for v in range(0, TILE, LANES):
            if f < n_in:
                here = x + f * TILE + v
                store_pairs(parts, vectors.load(X, here), vectors.load(X, here + TILE), K, at)
            else:
                store_pairs(parts, vectors.broadcast(0.0), vectors.broadcast(0.0), K, at)
            at += n * step


@njit(**JIT)
def _pack_samples(parts, A, row, n_tiles, K, k):
    """16 rows of all tiles, from `row` on; the samples are the terms of the sum."""
    for t in range(n_tiles):
        for half in range(0, TILE, 32):
            for i in range(row, row + 16):
                here = A.at + t * A.step + i * TILE + half
                x, y = vectors.load(A.values, here), vectors.load(A.values, here + LANES)
                store_pairs(parts, x, y, K, k + (i - row) * LINE)
            k += parts * UNIT


@njit(**JIT)
def _pack_columns(parts, B, row, n_tiles, K, k):
    """The same for the right factor of a product."""
    for t in range(n_tiles):
        for half in range(0, TILE, 32):
            here = B.at + t * B.step + row * TILE + half
            store_columns(parts, B.values, here, TILE, K, k)
            k += parts * UNIT


@njit(**JIT)
def _load_left(two, A, a, far):
    load_tile(4, A, a, LINE)
    if two:
        load_tile(5, A, a + far, LINE)


@njit(**JIT)
def _load_right(B, b, far):
    load_tile(6, B, b, LINE)
    load_tile(7, B, b + far, LINE)


@njit(**JIT)
def _multiply_block(two):
    if two:
        multiply_two()
    else:
        multiply_one()


@njit(**JIT)
def _three(two, A, a, a_far, B, b, b_far):
    """One step of two parts: h l + h h + l h."""
    _load_left(two, A, a, a_far)
    _load_right(B, b + UNIT, b_far)
    _multiply_block(two)
    _load_right(B, b, b_far)
    _multiply_block(two)
    _load_left(two, A, a + UNIT, a_far)
    _multiply_block(two)


@njit(**JIT)
def _six(two, A, a, a_far, B, b, b_far):
    """One step of three parts: h l + h m + m m + m h + l h + h h."""
    _load_left(two, A, a, a_far)
    _load_right(B, b + 2 * UNIT, b_far)
    _multiply_block(two)
    _load_right(B, b + UNIT, b_far)
    _multiply_block(two)
    _load_left(two, A, a + UNIT, a_far)
    _multiply_block(two)
    _load_right(B, b, b_far)
    _multiply_block(two)
    _load_left(two, A, a + 2 * UNIT, a_far)
    _multiply_block(two)
    _load_left(two, A, a, a_far)
    _multiply_block(two)


@njit(**JIT)
def _product(parts, two, A, a, a_far, B, b, b_far, n, add, C, c, line):
    """C = A Bᵀ of one or two row blocks of A (a pack) and two of B, summed over `n` steps.

    a_far, b_far: from one block to the other.  C: 16 or 32 rows of 32 floats, `line` apart;
    with `add` they are added to.
    """
    step = parts * UNIT
    if add:
        load_tile(0, C, c, line)
        load_tile(1, C, c + 16, line)
        if two:
            load_tile(2, C, c + 16 * line, line)
            load_tile(3, C, c + 16 * line + 16, line)
    else:
        clear()
    if parts == 2:
        for _ in range(n):
            _three(two, A, a, a_far, B, b, b_far)
            a += step
            b += step
    else:
        for _ in range(n):
            _six(two, A, a, a_far, B, b, b_far)
            a += step
            b += step
    store_tile(0, C, c, line)
    store_tile(1, C, c + 16, line)
    if two:
        store_tile(2, C, c + 16 * line, line)
        store_tile(3, C, c + 16 * line + 16, line)


@njit(**JIT)
def _finish(K, c, count, Y, y, ends, row, r):
    """Rows of Y from sums of `count` rows of 32 samples, from `row` on; r: their `ends.rows`."""
    R = ends.rows.values
    for i in range(count):
        low, high = vectors.load(K, c), vectors.load(K, c + LANES)
        if ends.start > 0:
            shift = vectors.broadcast(ends.bias[ends.b + row + i])
            low, high = vectors.add(low, shift), vectors.add(high, shift)
        if ends.start == 2:
            low, high = (
                vectors.add(low, vectors.load(R, r)),
                vectors.add(high, vectors.load(R, r + LANES)),
            )
        if ends.finish == 1:
            low = vectors.maximum(vectors.broadcast(0.0), low)
            high = vectors.maximum(vectors.broadcast(0.0), high)
        elif ends.finish == 2:
            low = vectors.where_positive(vectors.load(R, r), low)
            high = vectors.where_positive(vectors.load(R, r + LANES), high)
        vectors.store(Y, y, low)
        vectors.store(Y, y + LANES, high)
        c += 2 * LANES
        y += TILE
        r += TILE


@njit(**JIT)
def linear(tiles, matrix, turned, X, Y, ends, n_tiles):
    """Y = W X, where `turned` Wᵀ X, of some tiles of samples, as in `products.linear`.

    tiles: parts of a float, the packs of all weights, room for the pack of X and for sums.
    """
    if turned:
        weights, n_out, n_in = matrix.turned, matrix.columns, matrix.rows
        far = steps(matrix.height) * tiles[0] * UNIT
    else:
        weights, n_out, n_in = matrix.pack, matrix.rows, matrix.columns
        far = steps(matrix.width) * tiles[0] * UNIT
    for t in range(n_tiles):
        r = ends.rows.at + t * ends.rows.step
        x, y = X.at + t * X.step, Y.at + t * Y.step
        _linear(tiles, weights, far, n_out, n_in, X.values, x, Y.values, y, ends, r)


@njit(**JIT)
def _linear(tiles, weights, far, n_out, n_in, X, x, Y, y, ends, r):
    """The same for one tile; n_out, n_in: rows of Y and X, multiples of 16."""
    parts, W, K = tiles
    n = steps(n_in)
    block = n * parts * UNIT
    c = TILE // LANES * block
    _pack_terms(parts, X, x, n_in, K, 0)
    for i in range(0, n_out, 32):
        two, w = i + 16 < n_out, weights + (i >> 4) * far
        for v in range(0, TILE, 32):  # these weights stay near for all samples
            k, place = (v // LANES) * block, i * TILE + v
            if ends.finish == 0 and (ends.start == 0 or ends.start == 3):  # with 3 Y is R
                add = ends.start == 3
                _product(parts, two, W, w, far, K, k, block, n, add, Y, y + place, TILE)
            else:
                _product(parts, two, W, w, far, K, k, block, n, False, K, c, 2 * LANES)
                _finish(K, c, 32 if two else 16, Y, y + place, ends, i, r + place)


@njit(**JIT)
def _store_sums(two, last, C, c, columns, G, g, i, j):
    """32 × 32 sums -> the 4 × 4 blocks of a matrix with so many columns."""
    for row in range(0, 32 if two else 16, 4):
        at = g + (((i + row) >> 2) * (columns >> 2) + (j >> 2)) * 16
        for side in range(0, 16 if last else 32, 16):
            store_blocks(C, c + row * 2 * LANES + side, 2 * LANES, G, at)
            at += 64


@njit(**JIT)
def outer(parts, A, B, n_tiles, matrix, G, g, K):
    """G = the sum over samples of A Bᵀ, as 4 × 4 blocks, as in `lib.engines.kernel.products.outer`.

    K: room for the pack of the smaller factor, of 32 rows of the other, and for sums.
    """
    n_a, n_b = matrix.rows, matrix.columns
    n = n_tiles * (TILE // 32)
    block = n * parts * UNIT
    c = 2 * block
    whole = c + 4 * UNIT
    if n_a <= n_b:
        for i in range(0, n_a, 16):
            _pack_samples(parts, A, i, n_tiles, K, whole + (i >> 4) * block)
        for j in range(0, n_b, 32):
            last = j + 16 >= n_b
            far = 0 if last else block
            for side in range(1 if last else 2):
                _pack_columns(parts, B, j + 16 * side, n_tiles, K, side * block)
            for i in range(0, n_a, 32):
                two, left = i + 16 < n_a, whole + (i >> 4) * block
                _product(parts, two, K, left, block, K, 0, far, n, False, K, c, 2 * LANES)
                _store_sums(two, last, K, c, matrix.width, G, g, i, j)
    else:
        for j in range(0, n_b, 16):
            _pack_columns(parts, B, j, n_tiles, K, whole + (j >> 4) * block)
        for i in range(0, n_a, 32):
            two = i + 16 < n_a
            for side in range(2 if two else 1):
                _pack_samples(parts, A, i + 16 * side, n_tiles, K, side * block)
            for j in range(0, n_b, 32):
                last, right = j + 16 >= n_b, whole + (j >> 4) * block
                far = 0 if last else block
                _product(parts, two, K, 0, block, K, right, far, n, False, K, c, 2 * LANES)
                _store_sums(two, last, K, c, matrix.width, G, g, i, j)
