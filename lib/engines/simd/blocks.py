"""Register blocks: 16 vectors that stay in registers through an inner loop.

Four rows by four vectors reuse each loaded value four times, which keeps both multiply-add
units of a core busy.  As in `lib.engines.simd.vectors`: only inside compiled code, flat float32
arrays, indices count elements and are not checked.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from lib.engines.simd.processor import LANES
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

block = types.UniTuple(vector, 16)


@intrinsic
def zero_block(typingctx):
    """`zero_block()`: a register block of zeros."""

    def codegen(context, builder, signature, args):
        return context.make_tuple(builder, block, [_const(0.0)] * 16)

    return block(), codegen


@intrinsic
def bias_block(typingctx, bias, i):
    """`bias_block(bias, i)`: row r of the block is bias[i + r] in every lane."""

    def codegen(context, builder, signature, args):
        (i,) = _indices(context, builder, signature, args, (1,))
        one = ir.Constant(i.type, 1)
        rows = [
            _splat(builder, x) for x in _four(context, builder, signature, args, 0, i, one, _f32)
        ]
        return context.make_tuple(builder, block, [rows[n // 4] for n in range(16)])

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
        for at, value in zip(places, cgutils.unpack_tuple(builder, args[3], 16)):
            builder.store(value, at, align=4)
        return context.get_dummy_value()

    return types.void(array, i, step, acc), codegen


def _blockwise(emit, doc):
    """An intrinsic of two blocks, vector by vector."""

    def codegen(context, builder, signature, args):
        pairs = zip(
            cgutils.unpack_tuple(builder, args[0], 16), cgutils.unpack_tuple(builder, args[1], 16)
        )
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


def _grow(context, builder, acc, left, right):
    values = cgutils.unpack_tuple(builder, acc, 16)
    out = [_fma(builder, left[i // 4], right[i % 4], values[i]) for i in range(16)]
    return context.make_tuple(builder, block, out)


def _indices(context, builder, signature, args, places):
    return [context.cast(builder, args[i], signature.args[i], types.intp) for i in places]


def _four(context, builder, signature, args, which, index, step, llvm_type):
    """Loads from `args[which]` at index, index + step, index + 2 step, index + 3 step."""
    values = []
    for _ in range(4):
        at = _at(builder, signature.args[which], context, args[which], index)
        values.append(builder.load(at, align=4, typ=llvm_type))
        index = builder.add(index, step)
    return values


def _block_places(context, builder, signature, args, which, numbers):
    """The 16 addresses of a block whose rows are `step` floats apart."""
    index, step = _indices(context, builder, signature, args, numbers)
    places = []
    for _ in range(4):
        for column in range(4):
            shift = builder.add(index, ir.Constant(index.type, column * LANES))
            places.append(_at(builder, signature.args[which], context, args[which], shift))
        index = builder.add(index, step)
    return places


@intrinsic
def add_scaled(typingctx, acc, w, i, step, x, j):
    """`add_scaled(acc, w, i, step, x, j)`: acc[4r + c] += w[i + r step] * x[j + c LANES ...].

    One step of a matrix product: four weights times four vectors of samples.
    """

    def codegen(context, builder, signature, args):
        i, step, j = _indices(context, builder, signature, args, (2, 3, 5))
        lanes = ir.Constant(i.type, LANES)
        scalars = _four(context, builder, signature, args, 1, i, step, _f32)
        weights = [_splat(builder, scalar) for scalar in scalars]
        return _grow(
            context,
            builder,
            args[0],
            weights,
            _four(context, builder, signature, args, 4, j, lanes, _vec),
        )

    return block(acc, w, i, step, x, j), codegen


@intrinsic
def add_products(typingctx, acc, a, i, step_a, b, j, step_b):
    """`add_products(...)`: acc[4r + c] += a[i + r step_a ...] * b[j + c step_b ...], lane by lane.

    One step of a gradient's sum over samples; `store_sums` adds up the lanes at the end.
    """

    def codegen(context, builder, signature, args):
        i, step_a, j, step_b = _indices(context, builder, signature, args, (2, 3, 5, 6))
        left = _four(context, builder, signature, args, 1, i, step_a, _vec)
        right = _four(context, builder, signature, args, 4, j, step_b, _vec)
        return _grow(context, builder, args[0], left, right)

    return block(acc, a, i, step_a, b, j, step_b), codegen


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
        values, width = cgutils.unpack_tuple(builder, args[2], 16), LANES // 2
        while width:
            values = [_fold(builder, x, y, width) for x, y in zip(values[::2], values[1::2])]
            width //= 2
        for number, value in enumerate(values):
            at = builder.add(i, ir.Constant(i.type, number * LANES))
            builder.store(value, _at(builder, signature.args[0], context, args[0], at), align=4)
        return context.get_dummy_value()

    return types.void(array, i, acc), codegen
