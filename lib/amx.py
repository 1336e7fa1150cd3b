"""Matrix products on the tile registers of newer x86 servers (AMX): "bf16x6" and "bf16x3".

The tile unit multiplies bfloat16 and adds up in float32, about fifteen times as fast as the
vector units multiply float32.  A bfloat16 has 8 significant bits, a float32 24, so a float is a
sum of bfloat16 parts:

* three parts, h + m + l, hold it all.  Of the nine products of two such sums hh, hm, mh, mm, hl
  and lh are kept; the rest is below what a float32 sum rounds away.  This is "bf16x6", and as
  exact as float32,
* two parts, h + l, hold 17 bits.  hh, hl and lh are kept: "bf16x3" rounds to about 1e-5, between
  float32 and a GPU's TF32 (11 bits).  That is faster, and not harmless: see the book's page on
  the recipe.

Like `lib.simd`: only inside compiled code, flat float32 arrays, indices count elements and
are not checked.  One *tile* has 16 rows of 64 bytes.  A *pack* is a matrix as tiles: block of
16 rows (or columns), then step of 32 terms of the sum, then part (h, m, l).
"""

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from lib import simd
from lib.blocks import _indices, _transpose
from lib.layout import UNIT
from lib.simd import JIT, LANES, _at, _call, _const, _ivec, _vec

_LINE = 16  # floats in a row of a tile

_i8, _i64, _void = ir.IntType(8), ir.IntType(64), ir.VoidType()


# ---- instructions ----------------------------------------------------------------------


@intrinsic
def configure(typingctx):
    """`configure()`: eight tiles of 16 rows of 64 bytes on this thread, until `release()`."""
    setting = bytearray(64)
    setting[0] = 1
    for tile in range(8):
        setting[16 + 2 * tile], setting[48 + tile] = 64, 16

    def codegen(context, builder, signature, args):
        kind = ir.ArrayType(_i8, 64)
        slot = cgutils.alloca_once(builder, kind)
        builder.store(ir.Constant(kind, setting), slot)
        _call(builder, "llvm.x86.ldtilecfg", _void, slot)
        return context.get_dummy_value()

    return types.void(), codegen


@intrinsic
def release(typingctx):
    """`release()`: give the tile registers back."""

    def codegen(context, builder, signature, args):
        _call(builder, "llvm.x86.tilerelease", _void)
        return context.get_dummy_value()

    return types.void(), codegen


def _tile(number):
    return ir.Constant(_i8, number)


def _move(name):
    """An intrinsic `(tile number, array, i, step)`: loads or stores lines `step` floats apart."""

    def typing(typingctx, number, array, i, step):
        def codegen(context, builder, signature, args):
            i, step = _indices(context, builder, signature, args, (2, 3))
            at = _at(builder, signature.args[1], context, args[1], i)
            bytes_ = builder.mul(step, ir.Constant(step.type, 4))
            _call(builder, name, _void, _tile(number.literal_value), at, bytes_)
            return context.get_dummy_value()

        return types.void(number, array, i, step), codegen

    return intrinsic(prefer_literal=True)(typing)


load_tile = _move("llvm.x86.tileloadd64")
store_tile = _move("llvm.x86.tilestored64")


@intrinsic
def clear(typingctx):
    """`clear()`: the sums, tiles 0 to 3, are 0."""

    def codegen(context, builder, signature, args):
        for number in range(4):
            _call(builder, "llvm.x86.tilezero", _void, _tile(number))
        return context.get_dummy_value()

    return types.void(), codegen


def _multiply(rows):
    def typing(typingctx):
        def codegen(context, builder, signature, args):
            for i in range(rows):
                for j in range(2):
                    numbers = map(_tile, (2 * i + j, 4 + i, 6 + j))
                    _call(builder, "llvm.x86.tdpbf16ps", _void, *numbers)
            return context.get_dummy_value()

        return types.void(), codegen

    return intrinsic(typing)


multiply_two = _multiply(2)  # tiles 0 to 3 += (4, 5) times (6, 7)
multiply_one = _multiply(1)  # tiles 0 and 1 += 4 times (6, 7)


# ---- splitting floats ------------------------------------------------------------------


def _parts(builder, x, parts):
    """A vector of floats -> its parts, as integers of which only the upper halves count."""
    mask, half = _const(0xFFFF0000, _ivec), _const(0x8000, _ivec)
    found = []
    for _ in range(parts):
        bits = builder.add(builder.bitcast(x, _ivec), half)  # to nearest, not cut off
        found.append(bits)
        x = builder.fsub(x, builder.bitcast(builder.and_(bits, mask), _vec))  # exact
    return found


def _pairs(builder, even, odd, parts):
    """Two vectors -> for each part the words that hold one of each, the first one low."""
    half, mask = _const(16, _ivec), _const(0xFFFF0000, _ivec)
    return [
        builder.or_(builder.lshr(x, half), builder.and_(y, mask))
        for x, y in zip(_parts(builder, even, parts), _parts(builder, odd, parts))
    ]


def _place(context, builder, signature, args, which, index, shift=0):
    i = context.cast(builder, args[index], signature.args[index], types.intp)
    i = builder.add(i, ir.Constant(i.type, shift))
    return _at(builder, signature.args[which], context, args[which], i)


def _store_pairs(parts):
    def typing(typingctx, x, y, K, i):
        def codegen(context, builder, signature, args):
            for part, words in enumerate(_pairs(builder, args[0], args[1], parts)):
                at = _place(context, builder, signature, args, 2, 3, part * UNIT)
                builder.store(words, at, align=4)
            return context.get_dummy_value()

        return types.void(x, y, K, i), codegen

    return intrinsic(typing)


def _store_columns(parts):
    def typing(typingctx, X, i, step, K, k):
        def codegen(context, builder, signature, args):
            i, step = _indices(context, builder, signature, args, (1, 2))
            rows = []
            for _ in range(LANES):
                pair = []
                for shift in (0, LANES):
                    here = builder.add(i, ir.Constant(i.type, shift))
                    at = _at(builder, signature.args[0], context, args[0], here)
                    pair.append(builder.load(at, align=4, typ=_vec))
                rows.append(_pairs(builder, *pair, parts))
                i = builder.add(i, step)
            for part in range(parts):
                words = [builder.bitcast(row[part], _vec) for row in rows]
                for line, value in enumerate(_transpose(builder, words)):
                    shift = part * UNIT + line * _LINE
                    at = _place(context, builder, signature, args, 3, 4, shift)
                    builder.store(value, at, align=4)
            return context.get_dummy_value()

        return types.void(X, i, step, K, k), codegen

    return intrinsic(typing)


def _store_weights(parts, transposed):
    if transposed:
        even, odd = [0, 8, 1, 9, 2, 10, 3, 11], [4, 12, 5, 13, 6, 14, 7, 15]
    else:
        even, odd = list(range(0, 16, 2)), list(range(1, 16, 2))
    word = ir.IntType(32)
    eight = ir.VectorType(word, 8)

    def typing(typingctx, block, K, i):
        def codegen(context, builder, signature, args):
            for part, bits in enumerate(_parts(builder, args[0], parts)):
                x, y = (
                    builder.shuffle_vector(bits, bits, ir.Constant(eight, lanes))
                    for lanes in (even, odd)
                )
                x = builder.lshr(x, ir.Constant(eight, [16] * 8))
                y = builder.and_(y, ir.Constant(eight, [0xFFFF0000] * 8))
                words = builder.bitcast(builder.or_(x, y), ir.VectorType(_i64, 4))
                for row in range(4):
                    shift = part * UNIT + row * _LINE
                    at = _place(context, builder, signature, args, 1, 2, shift)
                    value = builder.extract_element(words, ir.Constant(word, row))
                    builder.store(value, at, align=4)
            return context.get_dummy_value()

        return types.void(block, K, i), codegen

    return intrinsic(typing)


_pairs_2, _pairs_3 = _store_pairs(2), _store_pairs(3)
_columns_2, _columns_3 = _store_columns(2), _store_columns(3)
_weights_2, _weights_3 = _store_weights(2, False), _store_weights(3, False)
_turned_2, _turned_3 = _store_weights(2, True), _store_weights(3, True)


@njit(**JIT)
def store_pairs(parts, x, y, K, i):
    """A line of a tile, vectors x and y in turn; the parts are UNIT apart."""
    if parts == 2:
        _pairs_2(x, y, K, i)
    else:
        _pairs_3(x, y, K, i)


@njit(**JIT)
def store_columns(parts, X, i, step, K, k):
    """16 rows of 32 floats, `step` apart, as the columns of a tile.

    The terms of a sum are in the order of `store_pairs` of a row's two vectors.
    """
    if parts == 2:
        _columns_2(X, i, step, K, k)
    else:
        _columns_3(X, i, step, K, k)


@njit(**JIT)
def store_weights(parts, block, K, i, t):
    """A 4 × 4 block, two words in each of four lines of a tile, at i; its transpose at t."""
    if parts == 2:
        _weights_2(block, K, i)
        _turned_2(block, K, t)
    else:
        _weights_3(block, K, i)
        _turned_3(block, K, t)


@intrinsic
def store_blocks(typingctx, C, i, step, G, g):
    """`store_blocks(C, i, step, G, g)`: four lines of 16 floats, `step` apart, as 4 × 4 blocks."""

    def codegen(context, builder, signature, args):
        i, step = _indices(context, builder, signature, args, (1, 2))
        rows = []
        for _ in range(4):
            at = _at(builder, signature.args[0], context, args[0], i)
            rows.append(builder.load(at, align=4, typ=_vec))
            i = builder.add(i, step)
        for number, value in enumerate(_quarters(builder, rows)):
            at = _place(context, builder, signature, args, 3, 4, number * LANES)
            builder.store(value, at, align=4)
        return context.get_dummy_value()

    return types.void(C, i, step, G, g), codegen


def _quarters(builder, rows):
    """Four vectors a, b, c, d -> four of quarters: a₀ b₀ c₀ d₀, then a₁ b₁ c₁ d₁ …"""

    def shuffle(x, y, lanes):
        return builder.shuffle_vector(x, y, ir.Constant(_ivec, lanes))

    def quarters(*numbers):
        return [4 * n + lane for n in numbers for lane in range(4)]

    a, b, c, d = rows
    low = shuffle(a, b, quarters(0, 4, 1, 5)), shuffle(c, d, quarters(0, 4, 1, 5))
    high = shuffle(a, b, quarters(2, 6, 3, 7)), shuffle(c, d, quarters(2, 6, 3, 7))
    return [
        shuffle(*pair, quarters(*numbers))
        for pair in (low, high)
        for numbers in ((0, 1, 4, 5), (2, 3, 6, 7))
    ]


# ---- products --------------------------------------------------------------------------


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
            at = ((i >> 4) * n + (j >> 5)) * step + (i & 15) * _LINE + ((j & 31) >> 1)
            turned = ((j >> 4) * n_t + (i >> 5)) * step + (j & 15) * _LINE + ((i & 31) >> 1)
            store_weights(parts, simd.load(P, w), K, k + at, t + turned)
            w += 16


@njit(**JIT)
def _pack_terms(parts, X, x, tile, n_in, K, k):
    """Rows of a tile of samples, the terms of a sum, -> a pack with a block for each vector."""
    n, step = steps(n_in), parts * UNIT
    for f in range(0, 32 * n, 2):
        at = k + (f >> 5) * step + ((f & 31) >> 1) * _LINE
        for v in range(0, tile, LANES):
            if f < n_in:
                here = x + f * tile + v
                store_pairs(parts, simd.load(X, here), simd.load(X, here + tile), K, at)
            else:
                store_pairs(parts, simd.broadcast(0.0), simd.broadcast(0.0), K, at)
            at += n * step


@njit(**JIT)
def _pack_samples(parts, A, a, tile, stride, n_tiles, K, k):
    """16 rows of all tiles; the samples are the terms of the sum."""
    for t in range(n_tiles):
        for half in range(0, tile, 32):
            for row in range(16):
                here = a + t * stride + row * tile + half
                x, y = simd.load(A, here), simd.load(A, here + LANES)
                store_pairs(parts, x, y, K, k + row * _LINE)
            k += parts * UNIT


@njit(**JIT)
def _pack_columns(parts, B, b, tile, stride, n_tiles, K, k):
    """The same for the right factor of a product."""
    for t in range(n_tiles):
        for half in range(0, tile, 32):
            store_columns(parts, B, b + t * stride + half, tile, K, k)
            k += parts * UNIT


@njit(**JIT)
def _load_left(two, A, a, far):
    load_tile(4, A, a, _LINE)
    if two:
        load_tile(5, A, a + far, _LINE)


@njit(**JIT)
def _load_right(B, b, far):
    load_tile(6, B, b, _LINE)
    load_tile(7, B, b + far, _LINE)


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
def _product(parts, two, A, a, B, b, b_far, n, add, C, c, line):
    """C = A Bᵀ of one or two row blocks of A (a pack) and two of B, summed over `n` steps.

    C: 16 or 32 rows of 32 floats, `line` apart; with `add` they are added to.
    """
    step = parts * UNIT
    a_far = n * step
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
def _finish(K, c, rows, tile, Y, y, bias, b, R, r, start, finish):
    """Y from sums of `rows` rows of 32 samples; `start` and `finish` as in `linear`."""
    for row in range(rows):
        low, high = simd.load(K, c), simd.load(K, c + LANES)
        if start > 0:
            shift = simd.broadcast(bias[b + row])
            low, high = simd.add(low, shift), simd.add(high, shift)
        if start == 2:
            low, high = simd.add(low, simd.load(R, r)), simd.add(high, simd.load(R, r + LANES))
        if finish == 1:
            low = simd.maximum(simd.broadcast(0.0), low)
            high = simd.maximum(simd.broadcast(0.0), high)
        elif finish == 2:
            low = simd.where_positive(simd.load(R, r), low)
            high = simd.where_positive(simd.load(R, r + LANES), high)
        simd.store(Y, y, low)
        simd.store(Y, y + LANES, high)
        c += 2 * LANES
        y += tile
        r += tile


@njit(**JIT)
def linear(parts, W, w, n_out, n_in, tile, X, x, Y, y, bias, b, R, r, start, finish, K):
    """Y = W X for one tile of samples; W is a pack, the rest as in `lib.kernel.linear`.

    n_out, n_in: rows of Y and X, multiples of 16.  K: room for the pack of X and for sums.
    """
    n = steps(n_in)
    block = n * parts * UNIT
    c = tile // LANES * block
    _pack_terms(parts, X, x, tile, n_in, K, 0)
    for v in range(0, tile, 32):  # so that these 32 samples stay in the first-level cache
        k = (v // LANES) * block
        for i in range(0, n_out, 32):
            two = i + 16 < n_out
            weights, place = w + (i >> 4) * block, i * tile + v
            if finish == 0 and start == 0:
                _product(parts, two, W, weights, K, k, block, n, False, Y, y + place, tile)
            elif finish == 0 and start == 3:  # Y is R
                _product(parts, two, W, weights, K, k, block, n, True, Y, y + place, tile)
            else:
                _product(parts, two, W, weights, K, k, block, n, False, K, c, 2 * LANES)
                rows = 32 if two else 16
                _finish(K, c, rows, tile, Y, y + place, bias, b + i, R, r + place, start, finish)


@njit(**JIT)
def _store_sums(two, last, C, c, n_b, G, g, i, j):
    """32 × 32 sums -> the 4 × 4 blocks of a matrix with `n_b` columns."""
    for row in range(0, 32 if two else 16, 4):
        at = g + (((i + row) >> 2) * (n_b >> 2) + (j >> 2)) * 16
        for column in range(0, 16 if last else 32, 16):
            store_blocks(C, c + row * 2 * LANES + column, 2 * LANES, G, at)
            at += 64


@njit(**JIT)
def outer(parts, A, a, a_stride, B, b, b_stride, tile, n_tiles, n_a, n_b, G, g, K):
    """G = the sum over samples of A Bᵀ, as 4 × 4 blocks, as in `lib.kernel.outer`.

    n_a, n_b: rows, multiples of 16.  K: room for the pack of the smaller factor, of 32 rows
    of the other, and for sums.
    """
    n = n_tiles * (tile // 32)
    block = n * parts * UNIT
    c = 2 * block
    whole = c + 4 * UNIT
    if n_a <= n_b:
        for i in range(0, n_a, 16):
            _pack_samples(
                parts, A, a + i * tile, tile, a_stride, n_tiles, K, whole + (i >> 4) * block
            )
        for j in range(0, n_b, 32):
            last = j + 16 >= n_b
            far = 0 if last else block
            for side in range(1 if last else 2):
                row = b + (j + 16 * side) * tile
                _pack_columns(parts, B, row, tile, b_stride, n_tiles, K, side * block)
            for i in range(0, n_a, 32):
                two, left = i + 16 < n_a, whole + (i >> 4) * block
                _product(parts, two, K, left, K, 0, far, n, False, K, c, 2 * LANES)
                _store_sums(two, last, K, c, n_b, G, g, i, j)
    else:
        for j in range(0, n_b, 16):
            _pack_columns(
                parts, B, b + j * tile, tile, b_stride, n_tiles, K, whole + (j >> 4) * block
            )
        for i in range(0, n_a, 32):
            two = i + 16 < n_a
            for side in range(2 if two else 1):
                row = a + (i + 16 * side) * tile
                _pack_samples(parts, A, row, tile, a_stride, n_tiles, K, side * block)
            for j in range(0, n_b, 32):
                last, right = j + 16 >= n_b, whole + (j >> 4) * block
                far = 0 if last else block
                _product(parts, two, K, 0, K, right, far, n, False, K, c, 2 * LANES)
                _store_sums(two, last, K, c, n_b, G, g, i, j)
