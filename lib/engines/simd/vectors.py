"""A SIMD vector type for Numba: one register of float32 lanes.

Numba's loop vectorizer stops at 256 bits on Intel machines and cannot be told how to
block registers.  This module gives Numba a first-class type for one vector register and a
dozen operations on it, so that the kernel says in plain Python which values live in which
register.  LLVM turns each operation into one instruction (or a few, where a machine has
shorter registers); no compiler is needed on the reader's machine.

Every function here may be called only from code compiled with `numba.njit`.  Arrays are
one-dimensional, C-contiguous float32; indices count elements and are not checked.
"""

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

from lib.engines.simd import kept  # noqa: F401  names the folder before anything is compiled
from lib.engines.simd.processor import FMA, LANES, X86

# Contraction and reassociation are safe here; `nnan` and `ninf` are left out on purpose:
# with them LLVM may assume that NaN never happens and a diverged run would go unseen.
FAST = {"contract", "reassoc", "nsz", "arcp", "afn"}
ENTRY = dict(fastmath=FAST, error_model="numpy", boundscheck=False, nogil=True)
JIT = ENTRY | {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}  # no calls from Python
INNER = JIT | {"forceinline": True}  # of functions in inner loops, where a call would cost


class _Vector(types.Type):
    def __init__(self):
        super().__init__(name=f"float32x{LANES}")


vector = _Vector()
_f32, _i32 = ir.FloatType(), ir.IntType(32)
_vec, _ivec = ir.VectorType(_f32, LANES), ir.VectorType(_i32, LANES)


@register_model(_Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, dmm, fe_type):
        super().__init__(dmm, fe_type, _vec)


def _at(builder, array_type, context, array, index):
    data = cgutils.create_struct_proxy(array_type)(context, builder, array).data
    at = builder.gep(data, [index])
    at.type = ir.PointerType()  # opaque: the same address is read as floats or as a vector
    return at


def _const(value, llvm_type=None):
    return ir.Constant(llvm_type or _vec, [value] * LANES)


def _call(builder, name, result, *arguments):
    function_type = ir.FunctionType(result, [a.type for a in arguments])
    function = cgutils.get_or_insert_function(builder.module, function_type, name)
    return builder.call(function, arguments)


def _splat(builder, scalar):
    undefined = ir.Constant(_vec, ir.Undefined)
    first = builder.insert_element(undefined, scalar, ir.Constant(_i32, 0))
    return builder.shuffle_vector(first, undefined, ir.Constant(_ivec, [0] * LANES))


@intrinsic
def stay_a_call(typingctx):
    """`stay_a_call()`: the function that says so is compiled once, not at each of its calls."""

    def codegen(context, builder, signature, args):
        builder.function.attributes.add("noinline")
        return context.get_dummy_value()

    return types.void(), codegen


@intrinsic
def load(typingctx, array, index):
    """`load(array, i)`: the `LANES` floats of `array` from element `i` on."""

    def codegen(context, builder, signature, args):
        index = context.cast(builder, args[1], signature.args[1], types.intp)
        at = _at(builder, signature.args[0], context, args[0], index)
        return builder.load(at, align=4, typ=_vec)

    return vector(array, index), codegen


@intrinsic
def store(typingctx, array, index, value):
    """`store(array, i, v)`: write a vector to `array` from element `i` on."""

    def codegen(context, builder, signature, args):
        index = context.cast(builder, args[1], signature.args[1], types.intp)
        at = _at(builder, signature.args[0], context, args[0], index)
        builder.store(args[2], at, align=4)
        return context.get_dummy_value()

    return types.void(array, index, value), codegen


@intrinsic
def gather(typingctx, array, base, indices, start):
    """`gather(array, base, indices, i)`: lane n is `array[base + indices[i + n]]` (int32)."""

    def codegen(context, builder, signature, args):
        array, base, indices, start = args
        base = context.cast(builder, base, signature.args[1], types.intp)
        start = context.cast(builder, start, signature.args[3], types.intp)
        at = _at(builder, signature.args[2], context, indices, start)
        lanes = builder.load(at, align=4, typ=_ivec)
        origin = _at(builder, signature.args[0], context, array, base)
        pointers = builder.gep(origin, [lanes], source_etype=_f32)
        pointers.type = ir.VectorType(ir.PointerType(), LANES)
        mask = ir.Constant(ir.VectorType(ir.IntType(1), LANES), [1] * LANES)
        name = f"llvm.masked.gather.v{LANES}f32.v{LANES}p0"
        return _call(builder, name, _vec, pointers, ir.Constant(_i32, 4), mask, _const(0.0))

    return vector(array, base, indices, start), codegen


@intrinsic
def broadcast(typingctx, value):
    """`broadcast(x)`: x, as a float32, in every lane."""

    def codegen(context, builder, signature, args):
        return _splat(builder, context.cast(builder, args[0], signature.args[0], types.float32))

    return vector(value), codegen


def _elementwise(emit, doc):
    """An intrinsic of one, two or three vectors; `emit(builder, *values)` writes its body."""

    def codegen(context, builder, signature, args):
        return emit(builder, *args)

    def one(typingctx, a):
        return vector(vector), codegen

    def two(typingctx, a, b):
        return vector(vector, vector), codegen

    def three(typingctx, a, b, c):
        return vector(vector, vector, vector), codegen

    typing = {2: one, 3: two, 4: three}[emit.__code__.co_argcount]
    typing.__doc__ = doc
    return intrinsic(typing)


def _fma(builder, x, y, z):
    if not FMA:  # behind a fence, or the fast-math flags would undo the rounding trick of `exp`
        value = builder.fadd(builder.fmul(x, y), z)
        return _call(builder, f"llvm.arithmetic.fence.v{LANES}f32", _vec, value)
    return _call(builder, f"llvm.fma.v{LANES}f32", _vec, x, y, z)


def _maximum(builder, x, y):
    return builder.select(builder.fcmp_ordered(">", x, y), x, y)


def _where_positive(builder, x, y):
    return builder.select(builder.fcmp_ordered(">", x, _const(0.0)), y, _const(0.0))


def _sqrt(builder, x):
    return _call(builder, f"llvm.sqrt.v{LANES}f32", _vec, x)


add = _elementwise(lambda b, x, y: b.fadd(x, y), "x + y")
sub = _elementwise(lambda b, x, y: b.fsub(x, y), "x - y")
mul = _elementwise(lambda b, x, y: b.fmul(x, y), "x * y")
div = _elementwise(lambda b, x, y: b.fdiv(x, y), "x / y")
fma = _elementwise(_fma, "x * y + z, rounded once where the processor can (`FMA`)")
maximum = _elementwise(_maximum, "the larger of x and y; y where either is NaN")
sqrt = _elementwise(_sqrt, "square root")
where_positive = _elementwise(_where_positive, "y where x > 0, else 0")


@njit(**JIT)
def fill(array, start, stop, value):
    """array[start:stop] = value.  (Numba's own slices take seconds to compile.)"""
    for i in range(start, stop):
        array[i] = value


@njit(**JIT)
def add_to(total, x):
    """total += x, both of one length."""
    for i in range(len(total)):
        total[i] += x[i]


@intrinsic
def add_unless_equal(typingctx, total, a, b, x):
    """`add_unless_equal(total, a, b, x)`: total + x in the lanes where a differs from b."""

    def codegen(context, builder, signature, args):
        total, a, b, x = args
        same = builder.fcmp_ordered("==", a, b)
        return builder.select(same, total, builder.fadd(total, x))

    return vector(total, a, b, x), codegen


def _fold(builder, x, y, width):
    """Halve the runs of `2 * width` lanes of x, then of y, by adding each run's two halves."""
    runs = range(0, 2 * LANES, 2 * width)
    low = [start + i for start in runs for i in range(width)]
    high = [lane + width for lane in low]
    first = builder.shuffle_vector(x, y, ir.Constant(_ivec, low))
    second = builder.shuffle_vector(x, y, ir.Constant(_ivec, high))
    return builder.fadd(first, second)


@intrinsic
def total(typingctx, a):
    """`total(v)`: the sum of the lanes, always added in the same order."""

    def codegen(context, builder, signature, args):
        value, width = args[0], LANES // 2
        while width:
            value = _fold(builder, value, value, width)
            width //= 2
        return builder.extract_element(value, ir.Constant(_i32, 0))

    return types.float32(a), codegen


@intrinsic
def flush_denormals(typingctx):
    """`flush_denormals()`: treat numbers below 1e-38 as 0 on this thread; the mode before.

    Moments and dead weights decay into that range, where x86 machines compute ten times
    slower.  Elsewhere it does nothing.
    """

    def codegen(context, builder, signature, args):
        slot = cgutils.alloca_once(builder, _i32)
        if not X86:
            return ir.Constant(_i32, 0)
        _call(builder, "llvm.x86.sse.stmxcsr", ir.VoidType(), slot)
        before = builder.load(slot)
        builder.store(builder.or_(before, ir.Constant(_i32, 0x8040)), slot)
        _call(builder, "llvm.x86.sse.ldmxcsr", ir.VoidType(), slot)
        return before

    return types.int32(), codegen


@intrinsic
def restore_denormals(typingctx, mode):
    """`restore_denormals(mode)`: undo `flush_denormals`."""

    def codegen(context, builder, signature, args):
        slot = cgutils.alloca_once(builder, _i32)
        if X86:
            builder.store(args[0], slot)
            _call(builder, "llvm.x86.sse.ldmxcsr", ir.VoidType(), slot)
        return context.get_dummy_value()

    return types.void(types.int32), codegen


_MAGIC = 12582912.0  # 1.5 * 2^23: adding it leaves the nearest integer in the low bits


def _scale(builder, p, shifted):
    """p * 2^n, where the low bits of `shifted` hold n: an addition to p's exponent."""
    exponent = builder.shl(builder.bitcast(shifted, _ivec), _const(23, _ivec))
    return builder.bitcast(builder.add(builder.bitcast(p, _ivec), exponent), _vec)


_scaled = _elementwise(_scale, _scale.__doc__)


@njit(**JIT)
def exp(x):
    """e^x to about 1e-7 relative for -87 <= x <= 88; the value at -87 below that."""
    x = maximum(broadcast(-87.0), x)  # in this order NaN goes through
    shifted = fma(x, broadcast(1.4426950408889634), broadcast(_MAGIC))
    n = sub(shifted, broadcast(_MAGIC))
    r = fma(n, broadcast(-0.693359375), x)
    r = fma(n, broadcast(2.12194440e-4), r)
    p = broadcast(1.9875691500e-4)
    p = fma(p, r, broadcast(1.3981999507e-3))
    p = fma(p, r, broadcast(8.3334519073e-3))
    p = fma(p, r, broadcast(4.1665795894e-2))
    p = fma(p, r, broadcast(1.6666665459e-1))
    p = fma(p, r, broadcast(5.0000001201e-1))
    return _scaled(fma(p, mul(r, r), add(r, broadcast(1.0))), shifted)
