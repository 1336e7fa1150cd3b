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
from numba.extending import intrinsic

from lib.engines.simd.processor import COLUMNS, LANES, SUM_ROWS
from lib.engines.simd.vectors import (
    _at,
    _const,
    _f32,
    _fma,
    _fold,
    _i32,
    _ivec,
    _splat,
    _vec,
    vector,
)
from lib.engines.simd.vectors import _where_positive as _gate

block = types.UniTuple(vector, 4 * COLUMNS)  # four rows of a product
sums = types.UniTuple(vector, 4 * SUM_ROWS)  # of four columns of a gradient


def _zeros(kind, doc):
    def typing(typingctx):
        def codegen(context, builder, signature, args):
            return context.make_tuple(builder, kind, [_const(0.0)] * kind.count)

        return kind(), codegen

    typing.__doc__ = doc
    return intrinsic(typing)


zero_block = _zeros(block, "`zero_block()`: a block of a product, all 0")
zero_sums = _zeros(sums, "`zero_sums()`: a block of a gradient's sums, all 0")


@intrinsic
def bias_block(typingctx, bias, i):
    """`bias_block(bias, i)`: row r of the block is bias[i + r] in every lane."""

    def codegen(context, builder, signature, args):
        (i,) = _indices(context, builder, signature, args, (1,))
        one = ir.Constant(i.type, 1)
        rows = [
            _splat(builder, x) for x in _loads(context, builder, signature, args, 0, i, one, _f32)
        ]
        return context.make_tuple(builder, block, [row for row in rows for _ in range(COLUMNS)])

    return block(bias, i), codegen


@intrinsic
def load_block(typingctx, array, i, step):
    """`load_block(array, i, step)`: row r of the block starts at array[i + r step]."""

    def codegen(context, builder, signature, args):
        places = _block_places(context, builder, signature, args, 0, (1, 2))
        values = [builder.load(at, align=4, typ=_vec) for at in places]
        return context.make_tuple(builder, block, values)

    return block(array, i, step), codegen


@intrinsic
def store_block(typingctx, array, i, step, acc):
    """`store_block(array, i, step, acc)`: the opposite of `load_block`."""

    def codegen(context, builder, signature, args):
        places = _block_places(context, builder, signature, args, 0, (1, 2))
        for at, value in zip(places, cgutils.unpack_tuple(builder, args[3])):
            builder.store(value, at, align=4)
        return context.get_dummy_value()

    return types.void(array, i, step, acc), codegen


def _blockwise(emit, doc):
    """An intrinsic of two blocks, vector by vector."""

    def codegen(context, builder, signature, args):
        pairs = zip(*(cgutils.unpack_tuple(builder, arg) for arg in args))
        return context.make_tuple(builder, block, [emit(builder, x, y) for x, y in pairs])

    def typing(typingctx, a, b):
        return block(a, b), codegen

    typing.__doc__ = doc
    return intrinsic(typing)


def _relu(builder, x, zero):
    return builder.select(builder.fcmp_ordered("<", x, zero), zero, x)  # NaN stays NaN


relu_block = _blockwise(_relu, "`relu_block(x, zero_block())`: x, but 0 where x < 0")
add_blocks = _blockwise(lambda b, x, y: b.fadd(x, y), "x + y")
gate_block = _blockwise(_gate, "`gate_block(x, y)`: y where x > 0, else 0")


def _grow(context, builder, kind, acc, left, right):
    """acc + left × right, for all pairs."""
    pairs = [(x, y) for x in left for y in right]
    out = [_fma(builder, *p, z) for p, z in zip(pairs, cgutils.unpack_tuple(builder, acc))]
    return context.make_tuple(builder, kind, out)


def _indices(context, builder, signature, args, places):
    return [context.cast(builder, args[i], signature.args[i], types.intp) for i in places]


def _loads(context, builder, signature, args, which, index, step, llvm_type, count=4):
    """`count` loads from `args[which]` at index, index + step, index + 2 step …"""
    values = []
    for _ in range(count):
        at = _at(builder, signature.args[which], context, args[which], index)
        values.append(builder.load(at, align=4, typ=llvm_type))
        index = builder.add(index, step)
    return values


def _block_places(context, builder, signature, args, which, numbers):
    """The addresses of a block whose rows are `step` floats apart."""
    index, step = _indices(context, builder, signature, args, numbers)
    places = []
    for _ in range(4):
        for column in range(COLUMNS):
            shift = builder.add(index, ir.Constant(index.type, column * LANES))
            places.append(_at(builder, signature.args[which], context, args[which], shift))
        index = builder.add(index, step)
    return places


@intrinsic
def add_scaled(typingctx, acc, w, i, step, x, j):
    """`add_scaled(acc, w, i, step, x, j)`: a row of the block += w[i + row step] * x[j ...].

    One step of a matrix product: four weights times `COLUMNS` vectors of samples.
    """

    def codegen(context, builder, signature, args):
        i, step, j = _indices(context, builder, signature, args, (2, 3, 5))
        lanes = ir.Constant(i.type, LANES)
        scalars = _loads(context, builder, signature, args, 1, i, step, _f32)
        weights = [_splat(builder, scalar) for scalar in scalars]
        samples = _loads(context, builder, signature, args, 4, j, lanes, _vec, COLUMNS)
        return _grow(context, builder, block, args[0], weights, samples)

    return block(acc, w, i, step, x, j), codegen


@intrinsic
def add_products(typingctx, acc, a, i, step_a, b, j, step_b):
    """`add_products(...)`: acc[4r + c] += a[i + r step_a ...] * b[j + c step_b ...], lane by lane.

    One step of a gradient's sum over samples; `store_sums` adds up the lanes at the end.
    """

    def codegen(context, builder, signature, args):
        i, step_a, j, step_b = _indices(context, builder, signature, args, (2, 3, 5, 6))
        left = _loads(context, builder, signature, args, 1, i, step_a, _vec, SUM_ROWS)
        right = _loads(context, builder, signature, args, 4, j, step_b, _vec)
        return _grow(context, builder, sums, args[0], left, right)

    return sums(acc, a, i, step_a, b, j, step_b), codegen


@intrinsic
def scatter_columns(typingctx, source, i, step, target, row, places, j):
    """Add the transpose of `LANES` rows to scattered rows of another array.

    `scatter_columns(source, i, step, target, row, places, j)`: for each lane n,
    target[row + places[j + n] + r] += source[i + r step + n], for r below `LANES`.  Lanes come
    one after the other, so equal places add up.
    """

    def codegen(context, builder, signature, args):
        i, step, row, j = _indices(context, builder, signature, args, (1, 2, 4, 6))
        rows = []
        for _ in range(LANES):
            rows.append(
                builder.load(
                    _at(builder, signature.args[0], context, args[0], i), align=4, typ=_vec
                )
            )
            i = builder.add(i, step)
        for lane, value in enumerate(_transpose(builder, rows)):
            at = builder.add(j, ir.Constant(j.type, lane))
            place = builder.load(_at(builder, signature.args[5], context, args[5], at), typ=_i32)
            place = builder.add(row, builder.sext(place, row.type))
            at = _at(builder, signature.args[3], context, args[3], place)
            builder.store(builder.fadd(builder.load(at, align=4, typ=_vec), value), at, align=4)
        return context.get_dummy_value()

    return types.void(source, i, step, target, row, places, j), codegen


def _transpose(builder, rows):
    """Vectors as the rows of a square -> its columns, by exchanging ever smaller quarters."""
    rows, width = list(rows), LANES // 2
    while width:
        keep = [j if not j & width else j - width + LANES for j in range(LANES)]
        move = [j + width if not j & width else j + LANES for j in range(LANES)]
        for i in range(LANES):
            if not i & width:
                a, b = rows[i], rows[i + width]
                rows[i] = builder.shuffle_vector(a, b, ir.Constant(_ivec, keep))
                rows[i + width] = builder.shuffle_vector(a, b, ir.Constant(_ivec, move))
        width //= 2
    return rows


@intrinsic
def store_sums(typingctx, array, i, acc):
    """`store_sums(array, i, acc)`: array[i + n] = the sum over the lanes of acc[n]."""

    def codegen(context, builder, signature, args):
        (i,) = _indices(context, builder, signature, args, (1,))
        values, width = cgutils.unpack_tuple(builder, args[2]), LANES // 2
        while width:
            values = [_fold(builder, x, y, width) for x, y in zip(values[::2], values[1::2])]
            width //= 2
        for number, value in enumerate(values):
            at = builder.add(i, ir.Constant(i.type, number * LANES))
            builder.store(value, _at(builder, signature.args[0], context, args[0], at), align=4)
        return context.get_dummy_value()

    return types.void(array, i, acc), codegen
