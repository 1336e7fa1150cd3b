"""The instructions of tile registers (AMX), and floats split into bfloat16, for Numba.

Like `lib.engines.simd.vectors`: only inside compiled code, flat float32 arrays, indices count
elements and are not checked.  `lib.engines.kernel.amx_products` has the products, and says what
parts and packs are.
"""

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from lib.engines.simd.blocks import _indices, _transpose
from lib.engines.simd.processor import LANES, UNIT
from lib.engines.simd.vectors import JIT, _at, _call, _const, _ivec, _vec

LINE = 16  # floats in a row of a tile
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
                    shift = part * UNIT + line * LINE
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
                    shift = part * UNIT + row * LINE
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
