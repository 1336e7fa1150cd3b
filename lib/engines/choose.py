"""What an engine is, and which one a spec gets."""

import functools
import multiprocessing
import sys
from collections.abc import Callable
from functools import partial
from typing import Protocol

import numpy as np

from lib.engines.known import KNOWN, unknown_to
from lib.engines.precision import check_precision
from lib.spec import RunSpec, SpecError


class Engine(Protocol):
    """One network in training.

    Attributes:
        name: what the provenance says: the kind of engine, and its precision if not float32.
        epoch: epochs trained so far.
        device: "cpu", or the name of a GPU.
        parameters: the present parameters by their names in `lib.model`, float32 copies.
        param_norm: the Euclidean norm of all parameters together.
    """

    name: str
    epoch: int
    device: str
    parameters: dict[str, np.ndarray]
    param_norm: float

    def advance(self, count: int) -> None:
        """Train for some epochs: one step each, but for a spec with a batch."""

    def evaluate(self, split: str) -> tuple[float, float]:
        """Mean loss and accuracy on "train", "val" or "memorize"; NaN where it is empty."""

    def state(self) -> dict[str, np.ndarray]:
        """All that the run needs to go on from here."""

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Go on from a state.  Raises KeyError or ValueError if it does not fit."""


def engine_of(spec: RunSpec, engine: str | None = None, device: str = "cpu") -> str:
    """The engine that trains a spec: the one asked for, or the fastest that covers it.

    Raises:
        SpecError: if the one asked for does not cover it; says which one does.
    """
    lacks = {name: unknown_to(name, spec) for name in KNOWN}
    covers = {
        "numba": not lacks["numba"] and spec.n_layers == 1 and device == "cpu",
        "stacked": not lacks["stacked"],
        "reference": True,
    }
    fastest = next(name for name, able in covers.items() if able)
    if not covers.get(engine, True):
        fields = " and ".join(lacks[engine])
        why = f"does not know {fields}" if fields else "is for one layer, on a CPU"
        raise SpecError(f"the engine {engine} {why}; for this run: --engine {fastest}")
    return engine or fastest


def choose(
    spec: RunSpec, engine: str | None = None, precision: str = "float32", device: str = "cpu"
) -> Callable[..., Engine]:
    """What makes an engine of (spec, data, threads, parameters).

    Args:
        engine: "numba", the kernel; "stacked", which shares what inputs share; "reference", the
            textbook.  By default the fastest that covers the spec.
        precision: of matrix products (`lib.engines.precision.PRECISIONS`).
        device: "cpu" or "cuda".

    Raises:
        SpecError: if they do not fit together, or this machine does not have them.
    """
    engine = engine_of(spec, engine, device)
    check_precision(engine, precision)
    check_device(device)
    if engine == "numba":
        from lib.engines.kernel.engine import Engine, check_tiles  # Numba takes a second to import

        check_tiles(precision)
        _say_if_slow()
        return partial(Engine, precision=precision)
    if engine == "reference":
        from lib.engines.reference import Engine  # PyTorch, which the kernel does not need

        return partial(Engine, device=device)
    from lib.engines.torch.single import Engine  # the same

    return partial(Engine, device=device, precision=precision)


@functools.cache
def _say_if_slow() -> None:
    """Once, and once for a whole sweep, what makes training slow on this processor."""
    from lib.engines.simd.processor import FMA  # Numba again

    number = multiprocessing.current_process().name.partition("-")[2]  # of a worker process
    if not FMA and number in ("", "1"):
        told = "warning: this processor has no fused multiply-add: the kernel is 2-3 times slower"
        print(told, file=sys.stderr)


def check_device(device: str) -> None:
    """Raise SpecError if a device is not there.  From then on float32 means float32 on a GPU."""
    if device not in ("cpu", "cuda"):
        raise SpecError(f"unknown device {device!r}; known: cpu, cuda")
    if device == "cuda":
        import torch  # seconds, which a CPU's kernel does not need

        if not torch.cuda.is_available():
            build = torch.version.cuda or torch.version.hip
            why = "" if build else f": its build, {torch.__version__}, is for processors only"
            raise SpecError(f"PyTorch finds no CUDA device here{why}")
        # containers set TORCH_ALLOW_TF32_CUBLAS_OVERRIDE, which leaves 11 of 24 bits
        torch.set_float32_matmul_precision("highest")
