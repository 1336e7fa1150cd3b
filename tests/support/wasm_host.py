"""The page's module in wasmtime: what a browser does with it, in Python."""

import contextlib
import ctypes
import functools
from unittest import mock

import numpy as np
import wasmtime
import wasmtime._bindings as ffi
from numba import carray, cfunc, types

from lib import initial
from lib.data import build
from lib.engines.kernel import layout
from lib.engines.wasm.memory import PLAN, TASKS, Plan, Setting
from lib.engines.wasm.module import MODULE


@contextlib.contextmanager
def four_lanes():
    """The layout as it is in the page, whatever this process has."""
    with mock.patch.multiple(layout, TILE=16, LANES=4):
        yield


@functools.cache
def compiled(path):
    """The module, compiled once: that takes seconds."""
    engine = wasmtime.Engine()
    return engine, wasmtime.Module(engine, path.read_bytes())


@functools.cache
def _native(name):
    """A function of NumPy as wasmtime calls one: it finds arguments, 16 bytes each, and leaves
    its result, at an address; 0 says that all went well."""
    function, two = getattr(np, {"pow": "power"}.get(name, name)), name == "pow"

    @cfunc(types.uintp(types.voidptr, types.voidptr, types.CPointer(types.float64), types.uintp))
    def call(environment, caller, at, count):
        values = carray(at, 4)
        values[0] = function(values[0], values[2]) if two else function(values[0])
        return 0

    return call


PAGE = 65536  # bytes in a page of WebAssembly's memory


class Host:
    """One network in the module: `Host(spec)`, then its entry points by name."""

    def __init__(self, spec, path=MODULE):
        engine, module = compiled(path)
        self._store = wasmtime.Store(engine)
        imports = [self._math(i.name, i.type) for i in module.imports]
        self._exports = wasmtime.Instance(self._store, module, imports).exports(self._store)
        self._base = -(-self._exports["__heap_base"].value(self._store) // 64) * 64
        values = (getattr(spec, name) for name in Setting._fields[1:])
        setting = [TASKS.index(spec.task), *map(float, values)]
        self._grow(4096)
        self._bytes()[self._base :][:88].view(np.float64)[:] = setting
        count = self.call("places")
        self._grow(4 * count)
        self.plan = Plan(*self.array(PLAN, len(Plan._fields), np.int32).tolist())
        self.call("prepare")
        mixed = spec.task == "multitask"
        tokens, length = (spec.modulus + 3, 4) if mixed else (spec.modulus + 1, 3)
        with four_lanes():
            shape = spec.d_model, 4, spec.head_width, spec.mlp_width, tokens, spec.modulus, length
            self._spec, self._sizes = spec, layout.sizes(*shape, spec.modulus)

    def parameters(self, gradient=False):
        """Parameters, or their gradient, by their names in `lib.model`."""
        sz, shapes = self._sizes, initial.shapes(self._spec, build(self._spec))
        whole = self.array(
            self.plan.state + (-(-sz.n_flat // 16) * 16 if gradient else 0), sz.n_flat
        )
        with four_lanes():
            return layout.unpack(sz, whole, shapes)

    def _math(self, name, kind):
        """A function of `Math`.  Not `wasmtime.Func`, which goes through Python at every call:
        an evaluation calls `exp` for every logit."""
        made = ffi.wasmtime_func_t()
        call = ffi.wasmtime_func_unchecked_callback_t(_native(name).address)
        place, finalizer = ctypes.byref(made), ctypes.CFUNCTYPE(None, ctypes.c_void_p)()
        context = self._store._context()
        ffi.wasmtime_func_new_unchecked(context, kind.ptr(), call, None, finalizer, place)
        return wasmtime.Func._from_raw(made)

    def _grow(self, size):
        memory = self._exports["memory"]
        missing = self._base + size - memory.data_len(self._store)
        if missing > 0:
            memory.grow(self._store, -(-missing // PAGE))

    def _bytes(self):
        memory = self._exports["memory"]
        size, start = memory.data_len(self._store), memory.data_ptr(self._store)
        return np.ctypeslib.as_array(ctypes.cast(start, ctypes.POINTER(ctypes.c_uint8)), (size,))

    def array(self, at, count, dtype=np.float32):
        """A copy of `count` numbers from a place of the plan on."""
        start, size = self._base + 4 * at, count * np.dtype(dtype).itemsize
        return self._bytes()[start : start + size].view(dtype).copy()

    def put(self, at, values):
        """Write numbers at a place of the plan."""
        raw = np.ascontiguousarray(values).view(np.uint8)
        self._bytes()[self._base + 4 * at :][: raw.size] = raw

    def call(self, name, *arguments):
        """An entry point on this network's memory."""
        return self._exports[name](self._store, self._base, *arguments)

    def evaluate(self, which):
        """Loss and accuracy of split 0 train, 1 val, 2 memorize."""
        self.call("evaluate", which)
        return tuple(self.array(self.plan.result, 2, np.float64).tolist())
