"""The functions that the page calls, as C functions of one pointer and a few numbers.

The pointer is where a network's memory starts (see `memory.py`).  Compiling them takes a
minute; `compile.py` does it in a process of its own, whose environment makes Numba leave
this machine's features aside.
"""

from numba import carray, cfunc, njit, types

from lib.engines.simd import vectors
from lib.engines.simd.processor import LANES
from lib.engines.simd.vectors import STRICT
from lib.engines.wasm import measures, network
from lib.engines.wasm.memory import HEADER, PLAN, ints, plan_of, setting_of


@njit(**STRICT)
def places(memory):
    """Write the `Plan` as int32 after the setting; the number of floats in all."""
    found = plan_of(setting_of(memory))
    out = ints(memory, PLAN, len(found))
    for i, value in enumerate(found):
        out[i] = value
    return found.total


@njit(**STRICT)
def exponentials(values):
    """e^x of an array, in place, by the kernel's own exponential: for the tests."""
    for i in range(0, len(values), LANES):
        vectors.store(values, i, vectors.exp(vectors.load(values, i)))


@njit(**STRICT)
def _whole(at):
    return carray(at, (plan_of(setting_of(carray(at, (HEADER,)))).total,))


def entry_points():
    """Name -> compiled C function."""
    memory, i32, f64, none = types.CPointer(types.float32), types.int32, types.float64, types.void

    def of_memory(function, result=none):
        return cfunc(result(memory))(lambda at: function(_whole(at)))

    return {
        "places": cfunc(i32(memory))(lambda at: places(carray(at, (HEADER,)))),
        "prepare": of_memory(network.prepare),
        "train": cfunc(none(memory, i32, i32, f64))(
            lambda at, first, count, rate: network.train(_whole(at), first, count, rate)
        ),
        "evaluate": cfunc(none(memory, i32))(lambda at, i: network.evaluate(_whole(at), i)),
        "norm": of_memory(network.norm, f64),
        "embedding_spectrum": of_memory(measures.embedding_spectrum),
        "logits": of_memory(measures.logits),
        "logit_spectrum": of_memory(measures.logit_spectrum),
        "lesion": of_memory(measures.lesion),
        "exponentials": cfunc(none(memory, i32))(lambda at, n: exponentials(carray(at, (n,)))),
    }
