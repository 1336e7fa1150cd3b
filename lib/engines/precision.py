"""Precisions of the kernel's matrix products."""

from lib.engines.simd.processor import AMX
from lib.spec import SpecError

PRECISIONS = {"float32": 0, "bf16x6": 3, "bf16x3": 2}
"""Of the kernel's products: on vectors, or, of so many parts, on tile registers
(`lib.engines.kernel.amx_products`)."""


def check_precision(precision: str) -> None:
    """Raise SpecError for a precision that is unknown or that this processor does not have."""
    if precision not in PRECISIONS:
        raise SpecError(f"unknown precision {precision!r}; known: {', '.join(PRECISIONS)}")
    if PRECISIONS[precision] and not AMX:
        raise SpecError(f"{precision} needs a processor with tile registers (AMX); use float32")
