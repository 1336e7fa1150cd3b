"""The instructions of tile registers (AMX), and floats split into bfloat16, for Numba.

Like `lib.engines.simd.vectors`: only inside compiled code, flat float32 arrays, indices count
elements and are not checked.  `lib.engines.kernel.amx_products` has the products, and says what
parts and packs are.
"""

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils

from lib.engines.simd.blocks import _loads, _transpose
from lib.engines.simd.processor import LANES, UNIT
from lib.engines.simd.vectors import JIT, _call, _const, _ivec, _vec, operation, shifted

LINE = 16  # floats in a row of a tile
_i8, _i64, _void = ir.IntType(8), ir.IntType(64), ir.VoidType()


# ---- instructions ----------------------------------------------------------------------


@operation(types.void)
def configure(builder):
    """`configure()`: eight tiles of 16 rows of 64 bytes on this thread, until `release()`."""
    setting = bytearray(64)
    setting[0] = 1
    for tile in range(8):
        setting[16 + 2 * tile], setting[48 + tile] = 64, 16
    kind = ir.ArrayType(_i8, 64)
    slot = cgutils.alloca_once(builder, kind)
    builder.store(ir.Constant(kind, setting), slot)
    _call(builder, "llvm.x86.ldtilecfg", _void, slot)


@operation(types.void)
def release(builder):
    """`release()`: give the tile registers back."""
    _call(builder, "llvm.x86.tilerelease", _void)


def _tile(number):
    return ir.Constant(_i8, number)


def _move(name):
    """An operation `(tile number, array, i, step)`: loads or stores lines `step` floats apart."""

    def write(builder, number, array, i, step):
        bytes_ = builder.mul(step, ir.Constant(step.type, 4))
        _call(builder, name, _void, _tile(number), array(i), bytes_)

    return operation(types.void, literal=True)(write)


load_tile = _move("llvm.x86.tileloadd64")
store_tile = _move("llvm.x86.tilestored64")


@operation(types.void)
def clear(builder):
    """`clear()`: the sums, tiles 0 to 3, are 0."""
    for number in range(4):
        _call(builder, "llvm.x86.tilezero", _void, _tile(number))


def _multiply(rows):
    def write(builder):
        for i in range(rows):
            for j in range(2):
                numbers = map(_tile, (2 * i + j, 4 + i, 6 + j))
                _call(builder, "llvm.x86.tdpbf16ps", _void, *numbers)

    return operation(types.void)(write)


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


def _store_pairs(parts):
    def write(builder, x, y, K, i):
        for part, words in enumerate(_pairs(builder, x, y, parts)):
            builder.store(words, K(shifted(builder, i, part * UNIT)), align=4)

    return operation(types.void)(write)


def _store_columns(parts):
    def write(builder, X, i, step, K, k):
        low = _loads(builder, X, i, step, _vec, LANES)
        high = _loads(builder, X, shifted(builder, i, LANES), step, _vec, LANES)
        rows = [_pairs(builder, x, y, parts) for x, y in zip(low, high)]
        for part in range(parts):
            words = [builder.bitcast(row[part], _vec) for row in rows]
            for line, value in enumerate(_transpose(builder, words)):
                at = K(shifted(builder, k, part * UNIT + line * LINE))
                builder.store(value, at, align=4)

    return operation(types.void)(write)


def _store_weights(parts, transposed):
    if transposed:
        even, odd = [0, 8, 1, 9, 2, 10, 3, 11], [4, 12, 5, 13, 6, 14, 7, 15]
    else:
        even, odd = list(range(0, 16, 2)), list(range(1, 16, 2))
    word = ir.IntType(32)
    eight = ir.VectorType(word, 8)

    def write(builder, block, K, i):
        for part, bits in enumerate(_parts(builder, block, parts)):
            x, y = (
                builder.shuffle_vector(bits, bits, ir.Constant(eight, lanes))
                for lanes in (even, odd)
            )
            x = builder.lshr(x, ir.Constant(eight, [16] * 8))
            y = builder.and_(y, ir.Constant(eight, [0xFFFF0000] * 8))
            words = builder.bitcast(builder.or_(x, y), ir.VectorType(_i64, 4))
            for row in range(4):
                at = K(shifted(builder, i, part * UNIT + row * LINE))
                builder.store(builder.extract_element(words, ir.Constant(word, row)), at, align=4)

    return operation(types.void)(write)


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


@operation(types.void)
def store_blocks(builder, C, i, step, G, g):
    """`store_blocks(C, i, step, G, g)`: four lines of 16 floats, `step` apart, as 4 × 4 blocks."""
    rows = _loads(builder, C, i, step, _vec)
    for number, value in enumerate(_quarters(builder, rows)):
        builder.store(value, G(shifted(builder, g, number * LANES)), align=4)


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
