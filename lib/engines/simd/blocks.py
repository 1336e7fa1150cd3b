"""Register blocks: vectors that stay in registers through an inner loop.

Each loaded value is used several times, which keeps both multiply-add units of a core busy.
With 32 registers (AVX-512, NEON) a block is four rows by four vectors.  With 16 (AVX2) that
would spill: a product has four rows by three vectors, a gradient's sum two rows by four.
As in `lib.engines.simd.vectors`: only inside compiled code, flat float32 arrays, indices count
elements and are not checked.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils

from lib.engines.simd import vectors
from lib.engines.simd.processor import COLUMNS, LANES, SUM_ROWS
from lib.engines.simd.vectors import operation, shifted, vector

block = types.UniTuple(vector, 4 * COLUMNS)  # four rows of a product
sums = types.UniTuple(vector, 4 * SUM_ROWS)  # of four columns of a gradient
_unpack = cgutils.unpack_tuple


def _tuple(builder, values):
    return cgutils.pack_array(builder, values)


@operation(block)
def zero_block(builder):
    """`zero_block()`: a block of a product, all 0"""
    return _tuple(builder, [vectors._const(0.0)] * block.count)


@operation(sums)
def zero_sums(builder):
    """`zero_sums()`: a block of a gradient's sums, all 0"""
    return _tuple(builder, [vectors._const(0.0)] * sums.count)


@operation(block)
def bias_block(builder, bias, i):
    """`bias_block(bias, i)`: row r of the block is bias[i + r] in every lane."""
    rows = [
        vectors._splat(builder, x)
        for x in _loads(builder, bias, i, ir.Constant(i.type, 1), vectors._f32)
    ]
    return _tuple(builder, [row for row in rows for _ in range(COLUMNS)])


@operation(block)
def load_block(builder, array, i, step):
    """`load_block(array, i, step)`: row r of the block starts at array[i + r step]."""
    places = _block_places(builder, array, i, step)
    return _tuple(builder, [builder.load(at, align=4, typ=vectors._vec) for at in places])


@operation(types.void)
def store_block(builder, array, i, step, acc):
    """`store_block(array, i, step, acc)`: the opposite of `load_block`."""
    for at, value in zip(_block_places(builder, array, i, step), _unpack(builder, acc)):
        builder.store(value, at, align=4)


def _blockwise(emit):
    """An operation on two blocks, vector by vector."""

    def write(builder, a, b):
        pairs = zip(_unpack(builder, a), _unpack(builder, b))
        return _tuple(builder, [emit(builder, x, y) for x, y in pairs])

    return operation(block)(write)


def _relu(builder, x, zero):
    return builder.select(builder.fcmp_ordered("<", x, zero), zero, x)  # NaN stays NaN


relu_block = _blockwise(_relu)  # (x, zero_block()): x, but 0 where x < 0
add_blocks = _blockwise(lambda b, x, y: b.fadd(x, y))
gate_block = _blockwise(vectors._where_positive)  # (x, y): y where x > 0, else 0


def _grow(builder, acc, left, right):
    """acc + left × right, for all pairs."""
    pairs = [(x, y) for x in left for y in right]
    return _tuple(
        builder, [vectors._fma(builder, *p, z) for p, z in zip(pairs, _unpack(builder, acc))]
    )


def _loads(builder, array, index, step, llvm_type, count=4):
    """`count` loads at index, index + step, index + 2 step …"""
    values = []
    for _ in range(count):
        values.append(builder.load(array(index), align=4, typ=llvm_type))
        index = builder.add(index, step)
    return values


def _block_places(builder, array, index, step):
    """The addresses of a block whose rows are `step` floats apart."""
    places = []
    for _ in range(4):
        places += [array(shifted(builder, index, n * LANES)) for n in range(COLUMNS)]
        index = builder.add(index, step)
    return places


@operation(block)
def add_scaled(builder, acc, w, i, step, x, j):
    """`add_scaled(acc, w, i, step, x, j)`: a row of the block += w[i + row step] * x[j ...].

    One step of a matrix product: four weights times `COLUMNS` vectors of samples.
    """
    weights = [
        vectors._splat(builder, scalar) for scalar in _loads(builder, w, i, step, vectors._f32)
    ]
    samples = _loads(builder, x, j, ir.Constant(i.type, LANES), vectors._vec, COLUMNS)
    return _grow(builder, acc, weights, samples)


@operation(sums)
def add_products(builder, acc, a, i, step_a, b, j, step_b):
    """`add_products(...)`: acc[4r + c] += a[i + r step_a ...] * b[j + c step_b ...], lane by lane.

    One step of a gradient's sum over samples; `store_sums` adds up the lanes at the end.
    """
    left = _loads(builder, a, i, step_a, vectors._vec, SUM_ROWS)
    return _grow(builder, acc, left, _loads(builder, b, j, step_b, vectors._vec))


@operation(types.void)
def scatter_columns(builder, source, i, step, target, row, places, j):
    """Add the transpose of `LANES` rows to scattered rows of another array.

    `scatter_columns(source, i, step, target, row, places, j)`: for each lane n,
    target[row + places[j + n] + r] += source[i + r step + n], for r below `LANES`.  Lanes come
    one after the other, so equal places add up.
    """
    rows = _loads(builder, source, i, step, vectors._vec, LANES)
    for lane, value in enumerate(_transpose(builder, rows)):
        place = builder.load(places(shifted(builder, j, lane)), typ=vectors._i32)
        at = target(builder.add(row, builder.sext(place, row.type)))
        builder.store(builder.fadd(builder.load(at, align=4, typ=vectors._vec), value), at, align=4)


def _transpose(builder, rows):
    """Vectors as the rows of a square -> its columns, by exchanging ever smaller quarters."""
    rows, width = list(rows), LANES // 2
    while width:
        keep = [j if not j & width else j - width + LANES for j in range(LANES)]
        move = [j + width if not j & width else j + LANES for j in range(LANES)]
        for i in range(LANES):
            if not i & width:
                a, b = rows[i], rows[i + width]
                rows[i] = builder.shuffle_vector(a, b, ir.Constant(vectors._ivec, keep))
                rows[i + width] = builder.shuffle_vector(a, b, ir.Constant(vectors._ivec, move))
        width //= 2
    return rows


@operation(types.void)
def store_sums(builder, array, i, acc):
    """`store_sums(array, i, acc)`: array[i + n] = the sum over the lanes of acc[n]."""
    values, width = _unpack(builder, acc), LANES // 2
    while width:
        values = [vectors._fold(builder, x, y, width) for x, y in zip(values[::2], values[1::2])]
        width //= 2
    for number, value in enumerate(values):
        builder.store(value, array(shifted(builder, i, number * LANES)), align=4)
