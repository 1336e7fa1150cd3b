"""A SIMD vector type for Numba: one register of float32 lanes.

Numba's loop vectorizer stops at 256 bits on Intel machines and cannot be told how to
block registers.  This module gives Numba a first-class type for one vector register and a
dozen operations on it, so that the kernel says in plain Python which values live in which
register.  LLVM turns each operation into one instruction (or a few, where a machine has
shorter registers); no compiler is needed on the reader's machine.

Every function here may be called only from code compiled with `numba.njit`.  Arrays are
one-dimensional, C-contiguous float32; indices count elements and are not checked.
"""

import inspect
from collections.abc import Callable

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
STRICT = JIT | {"fastmath": False}  # for sums whose order LLVM would choose anew each time
INNER = JIT | {"forceinline": True}  # of functions in inner loops, where a call would cost
WITHIN = {"inline": "always"}
"""For outer functions, beside `JIT` or `STRICT`: such a one has no code of its own, and its
caller's options hold.  Else LLVM goes over all that it calls for it, and once more for its caller:
compiling the kernel took a fifth (for several threads) to a half (for one) longer."""


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


def operation(result, literal: bool = False) -> Callable:
    """Decorator: an intrinsic of that result, whose instructions `write(builder, ...)` emits.

    To it an array is a function from an index to an address, a whole number an index; with
    `literal` the first argument is the number itself.
    """

    def decorate(write: Callable) -> Callable:
        def typing(typingctx, *kinds):
            def codegen(context, builder, signature, args):
                given = [_given(context, builder, *each) for each in zip(signature.args, args)]
                if literal:
                    given[0] = signature.args[0].literal_value
                found = write(builder, *given)
                return context.get_dummy_value() if found is None else found

            return result(*kinds), codegen

        typing.__name__, typing.__doc__ = write.__name__, write.__doc__
        typing.__signature__ = inspect.signature(write)
        return intrinsic(prefer_literal=literal)(typing)

    return decorate


def _given(context, builder, kind, value):
    if isinstance(kind, types.Array):
        return lambda index: _at(builder, kind, context, value, index)
    is_index = isinstance(kind, types.Integer)
    return context.cast(builder, value, kind, types.intp) if is_index else value


def shifted(builder, index, by):
    """An index, so many further on."""
    return builder.add(index, ir.Constant(index.type, by))


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


@operation(types.void)
def stay_a_call(builder):
    """`stay_a_call()`: the function that says so is compiled once, not at each of its calls."""
    builder.function.attributes.add("noinline")


@operation(vector)
def load(builder, array, i):
    """`load(array, i)`: the `LANES` floats of `array` from element `i` on."""
    return builder.load(array(i), align=4, typ=_vec)


@operation(types.void)
def store(builder, array, i, value):
    """`store(array, i, v)`: write a vector to `array` from element `i` on."""
    builder.store(value, array(i), align=4)


@operation(vector)
def gather(builder, array, base, indices, i):
    """`gather(array, base, indices, i)`: lane n is `array[base + indices[i + n]]` (int32)."""
    lanes = builder.load(indices(i), align=4, typ=_ivec)
    pointers = builder.gep(array(base), [lanes], source_etype=_f32)
    pointers.type = ir.VectorType(ir.PointerType(), LANES)
    mask = ir.Constant(ir.VectorType(ir.IntType(1), LANES), [1] * LANES)
    name = f"llvm.masked.gather.v{LANES}f32.v{LANES}p0"
    return _call(builder, name, _vec, pointers, ir.Constant(_i32, 4), mask, _const(0.0))


@intrinsic
def broadcast(typingctx, value):
    """`broadcast(x)`: x, as a float32, in every lane."""

    def codegen(context, builder, signature, args):
        return _splat(builder, context.cast(builder, args[0], signature.args[0], types.float32))

    return vector(value), codegen


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


add = operation(vector)(lambda b, x, y: b.fadd(x, y))
sub = operation(vector)(lambda b, x, y: b.fsub(x, y))
mul = operation(vector)(lambda b, x, y: b.fmul(x, y))
div = operation(vector)(lambda b, x, y: b.fdiv(x, y))
fma = operation(vector)(_fma)  # rounded once where the processor can (`FMA`)
maximum = operation(vector)(_maximum)  # y where either is NaN
sqrt = operation(vector)(_sqrt)
where_positive = operation(vector)(_where_positive)  # y where x > 0, else 0


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


@operation(vector)
def add_unless_equal(builder, total, a, b, x):
    """`add_unless_equal(total, a, b, x)`: total + x in the lanes where a differs from b."""
    same = builder.fcmp_ordered("==", a, b)
    return builder.select(same, total, builder.fadd(total, x))


def _fold(builder, x, y, width):
    """Halve the runs of `2 * width` lanes of x, then of y, by adding each run's two halves."""
    runs = range(0, 2 * LANES, 2 * width)
    low = [start + i for start in runs for i in range(width)]
    high = [lane + width for lane in low]
    first = builder.shuffle_vector(x, y, ir.Constant(_ivec, low))
    second = builder.shuffle_vector(x, y, ir.Constant(_ivec, high))
    return builder.fadd(first, second)


@operation(types.float32)
def total(builder, value):
    """`total(v)`: the sum of the lanes, always added in the same order."""
    width = LANES // 2
    while width:
        value = _fold(builder, value, value, width)
        width //= 2
    return builder.extract_element(value, ir.Constant(_i32, 0))


@operation(types.int32)
def flush_denormals(builder):
    """`flush_denormals()`: treat numbers below 1e-38 as 0 on this thread; the mode before.

    Moments and dead weights decay into that range, where x86 machines compute ten times
    slower.  Elsewhere it does nothing.
    """
    slot = cgutils.alloca_once(builder, _i32)
    if not X86:
        return ir.Constant(_i32, 0)
    _call(builder, "llvm.x86.sse.stmxcsr", ir.VoidType(), slot)
    before = builder.load(slot)
    builder.store(builder.or_(before, ir.Constant(_i32, 0x8040)), slot)
    _call(builder, "llvm.x86.sse.ldmxcsr", ir.VoidType(), slot)
    return before


@operation(types.void)
def restore_denormals(builder, mode):
    """`restore_denormals(mode)`: undo `flush_denormals`."""
    slot = cgutils.alloca_once(builder, _i32)
    if X86:
        builder.store(builder.trunc(mode, _i32), slot)
        _call(builder, "llvm.x86.sse.ldmxcsr", ir.VoidType(), slot)


@operation(vector)
def without_denormals(builder, x):
    """`without_denormals(x)`: 0 where x, which is not negative, is below 1e-38; NaN goes through.

    Where `flush_denormals` sets a mode this does nothing.  A page has none, and on an x86 machine
    its products took five times as long with such numbers among their terms.
    """
    if X86:
        return x
    return builder.select(builder.fcmp_ordered("<", x, _const(_TINY)), _const(0.0), x)


_TINY = 2.0**-126
"""The smallest number that is no denormal."""


_MAGIC = 12582912.0  # 1.5 * 2^23: adding it leaves the nearest integer in the low bits


def _scale(builder, p, shifted):
    """p * 2^n, where the low bits of `shifted` hold n: an addition to p's exponent."""
    exponent = builder.shl(builder.bitcast(shifted, _ivec), _const(23, _ivec))
    return builder.bitcast(builder.add(builder.bitcast(p, _ivec), exponent), _vec)


_scaled = operation(vector)(_scale)


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
