"""NumPy's random streams in compiled code: seed 0 in a page is seed 0 in the book.

The generator is `np.random.default_rng([seed, *name])`, as `lib.data.stream` makes it: a
SeedSequence, PCG64, and of `Generator` the three methods that data and initial weights use.
A test compares every one of them with NumPy, bit for bit.

A stream is a uint64 array of `STREAM` numbers: the state (high, low), the increment (high,
low), and half a number that is left over from a draw of 32 bits (is there one, which).
"""

import math

import numpy as np
from numba import njit
from numba.np.random._constants import fi_double, ki_double, wi_double

from lib.engines.simd.vectors import STRICT

STREAM = 6
"""Numbers of uint64 that a stream takes."""

_LOW = np.uint64(0xFFFFFFFF)
_ONE, _HALF = np.uint64(1), np.uint64(32)
_POOL = 4  # words in a SeedSequence's pool
_TAIL, _TAIL_INVERSE = 3.6541528853610087963519472518, 0.27366123732975827203338247596


@njit(**STRICT)
def _hash(value, constant, factor):
    """One step of SeedSequence's hash on 32 bits: the value, and the next constant."""
    value ^= constant
    constant = (constant * factor) & _LOW
    value = (value * constant) & _LOW
    return value ^ (value >> np.uint64(16)), constant


@njit(**STRICT)
def _mix(x, y):
    mixed = (np.uint64(0xCA01F9DD) * x - np.uint64(0x4973F715) * y) & _LOW
    return mixed ^ (mixed >> np.uint64(16))


@njit(**STRICT)
def _entropy(seed, name, i):
    """Word i of [seed, *name], 0 beyond its end."""
    if i == 0:
        return np.uint64(seed)
    return np.uint64(name[i - 1]) if i <= len(name) else np.uint64(0)


@njit(**STRICT)
def begin(random, seed, name):
    """Start a stream.  random: (STREAM,) uint64; name: its bytes, a tuple of at least three."""
    pool, constant, factor = random, np.uint64(0x43B0D7E5), np.uint64(0x931E8875)
    for i in range(_POOL):
        pool[i], constant = _hash(_entropy(seed, name, i), constant, factor)
    for source in range(_POOL):
        for target in range(_POOL):
            if source != target:
                word, constant = _hash(pool[source], constant, factor)
                pool[target] = _mix(pool[target], word)
    for source in range(_POOL, 1 + len(name)):
        for target in range(_POOL):
            word, constant = _hash(_entropy(seed, name, source), constant, factor)
            pool[target] = _mix(pool[target], word)
    _set_seed(random, *_words(pool))


@njit(**STRICT)
def _words(pool):
    """Four words of 64 bits from the pool: PCG64's seed and sequence."""
    constant, factor = np.uint64(0x8B51F9DD), np.uint64(0x58F38DED)
    a, constant = _hash(pool[0], constant, factor)
    b, constant = _hash(pool[1], constant, factor)
    c, constant = _hash(pool[2], constant, factor)
    d, constant = _hash(pool[3], constant, factor)
    e, constant = _hash(pool[0], constant, factor)
    f, constant = _hash(pool[1], constant, factor)
    g, constant = _hash(pool[2], constant, factor)
    h, constant = _hash(pool[3], constant, factor)
    return a | b << _HALF, c | d << _HALF, e | f << _HALF, g | h << _HALF


@njit(**STRICT)
def _set_seed(random, high, low, sequence_high, sequence_low):
    random[0] = random[1] = random[4] = random[5] = np.uint64(0)
    random[2] = sequence_high << _ONE | sequence_low >> np.uint64(63)
    random[3] = sequence_low << _ONE | _ONE
    _advance(random)
    random[0], random[1] = _add(random[0], random[1], high, low)
    _advance(random)


@njit(**STRICT)
def _add(high, low, more_high, more_low):
    total = low + more_low
    carry = _ONE if total < low else np.uint64(0)
    return high + more_high + carry, total


@njit(**STRICT)
def _multiply_high(x, y):
    """The upper 64 bits of a product of two 64-bit numbers.

    Bit by bit: from the usual four products LLVM makes one of 128 bits, which WebAssembly
    does not have, and a page draws few numbers.
    """
    high = low = np.uint64(0)
    for i in range(63, -1, -1):
        high, low = high << _ONE | low >> np.uint64(63), low << _ONE
        if y >> np.uint64(i) & _ONE:
            high, low = _add(high, low, np.uint64(0), x)
    return high


@njit(**STRICT)
def _advance(random):
    """state = state * multiplier + increment, on 128 bits."""
    factor_high, factor_low = np.uint64(0x2360ED051FC65DA4), np.uint64(0x4385DF649FCCF645)
    high, low = random[0], random[1]
    top = _multiply_high(low, factor_low) + high * factor_low + low * factor_high
    random[0], random[1] = _add(top, low * factor_low, random[2], random[3])


@njit(**STRICT)
def _next64(random):
    _advance(random)
    high, low = random[0], random[1]
    value, turn = high ^ low, high >> np.uint64(58)
    return value >> turn | value << ((np.uint64(64) - turn) & np.uint64(63))


@njit(**STRICT)
def _next32(random):
    if random[4]:
        random[4] = np.uint64(0)
        return random[5]
    value = _next64(random)
    random[4], random[5] = _ONE, value >> _HALF
    return value & _LOW


@njit(**STRICT)
def _next_double(random):
    return (_next64(random) >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@njit(**STRICT)
def integer(random, n):
    """One draw of `Generator.integers(0, n)`, for 1 <= n < 2^32 (Lemire's method)."""
    count = np.uint64(n)
    if count == _ONE:
        return 0
    product = _next32(random) * count
    if product & _LOW < count:
        threshold = (np.uint64(1) << _HALF) % count
        while product & _LOW < threshold:
            product = _next32(random) * count
    return np.int64(product >> _HALF)


@njit(**STRICT)
def _interval(random, top):
    """A number from 0 to `top`, as NumPy draws it where it shuffles: by masking."""
    mask = np.uint64(top)
    for shift in (1, 2, 4, 8, 16):
        mask |= mask >> np.uint64(shift)
    value = _next32(random) & mask
    while value > np.uint64(top):
        value = _next32(random) & mask
    return np.int64(value)


@njit(**STRICT)
def permutation(random, order):
    """`Generator.permutation(len(order))`, into an integer array."""
    for i in range(len(order)):
        order[i] = i
    for i in range(len(order) - 1, 0, -1):
        j = _interval(random, i)
        order[i], order[j] = order[j], order[i]


@njit(**STRICT)
def normal(random):
    """One draw of `Generator.standard_normal()`: the ziggurat on 256 steps."""
    while True:
        bits = _next64(random)
        step = np.int64(bits & np.uint64(0xFF))
        bits >>= np.uint64(8)
        sign = -1.0 if bits & _ONE else 1.0
        size = (bits >> _ONE) & np.uint64(0x000FFFFFFFFFFFFF)
        x = sign * (np.float64(size) * wi_double[step])
        if size < ki_double[step]:
            return x
        if step == 0:
            return _tail(random, size)
        height = (fi_double[step - 1] - fi_double[step]) * _next_double(random)
        if height + fi_double[step] < math.exp(-0.5 * x * x):
            return x


@njit(**STRICT)
def _tail(random, size):
    while True:
        x = -_TAIL_INVERSE * math.log1p(-_next_double(random))
        y = -math.log1p(-_next_double(random))
        if y + y > x * x:
            return -(_TAIL + x) if (size >> np.uint64(8)) & _ONE else _TAIL + x
