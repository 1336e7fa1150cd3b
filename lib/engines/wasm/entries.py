"""The functions that the page calls, as C functions of one pointer and a few numbers.

The pointer is where a network's memory starts (see `memory.py`).  Compiling them takes a
minute; `compile.py` does it in a process of its own, whose environment makes Numba leave
this machine's features aside.
"""

from numba import carray, cfunc, njit, types

from lib.engines.wasm import measures, network
from lib.engines.wasm.kernel import LANES, vectors
from lib.engines.wasm.memory import HEADER, PLAN, ints, plan_of, setting_of

NAMES = (
    *("places", "prepare", "train", "evaluate", "norm"),
    *("embedding_spectrum", "logits", "logit_spectrum", "lesion", "exponentials"),
)


@njit
def places(memory):
    """Write the `Plan` as int32 after the setting; the number of floats in all."""
    found = plan_of(setting_of(memory))
    out = ints(memory, PLAN, len(found))
    for i, value in enumerate(found):
        out[i] = value
    return found.total


@njit
def exponentials(values):
    """e^x of an array, in place, by the kernel's own exponential: for the tests."""
    for i in range(0, len(values), LANES):
        vectors.store(values, i, vectors.exp(vectors.load(values, i)))


@njit
def _whole(at):
    return carray(at, (plan_of(setting_of(carray(at, (HEADER,)))).total,))


def entry_points():
    """Name -> compiled C function."""
    memory, i32, f64, none = types.CPointer(types.float32), types.int32, types.float64, types.void
    found = {
        "places": cfunc(i32(memory))(lambda at: places(carray(at, (HEADER,)))),
        "train": cfunc(none(memory, i32, i32, f64))(
            lambda at, first, count, rate: network.train(_whole(at), first, count, rate)
        ),
        "evaluate": cfunc(none(memory, i32))(lambda at, i: network.evaluate(_whole(at), i)),
        "norm": cfunc(f64(memory))(lambda at: network.norm(_whole(at))),
        "prepare": cfunc(none(memory))(lambda at: network.prepare(_whole(at))),
        "logits": cfunc(none(memory))(lambda at: measures.logits(_whole(at))),
        "lesion": cfunc(none(memory))(lambda at: measures.lesion(_whole(at))),
        "embedding_spectrum": cfunc(none(memory))(
            lambda at: measures.embedding_spectrum(_whole(at))
        ),
        "exponentials": cfunc(none(memory, i32))(lambda at, n: exponentials(carray(at, (n,)))),
        "logit_spectrum": cfunc(none(memory))(lambda at: measures.logit_spectrum(_whole(at))),
    }
    return {name: found[name] for name in NAMES}
