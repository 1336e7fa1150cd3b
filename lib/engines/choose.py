"""Which engine trains a spec."""

from collections.abc import Callable
from functools import partial

from lib.spec import RunSpec, SpecError


def engine_for(spec: RunSpec, precision: str = "float32") -> Callable:
    """The fastest engine of a processor that covers a spec, in a precision.

    Raises:
        SpecError: if what covers it has no such precision.
    """
    from lib.engines.kernel import engine  # compiles on first use: not before it is needed

    if engine.covers(spec):
        return partial(engine.Engine, precision=precision)
    if precision != "float32":
        raise SpecError(f"{precision} is for the plain model of one layer, not for {spec.label()}")
    from lib.engines.torch import single

    return single.Engine
