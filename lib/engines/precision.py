"""Precisions of matrix products, by engine.  Light to import: the command line reads it."""

from lib.spec import SpecError

PARTS = {"float32": 0, "bf16x6": 3, "bf16x3": 2}
"""Of the kernel: on vectors, or, of so many parts, on tile registers
(`lib.engines.kernel.amx_products`)."""


PRECISIONS = {
    "numba": tuple(PARTS),
    "stacked": ("float32", "bf16"),
    "reference": ("float32",),
}
"""What each engine has, the default first."""


def check_precision(engine: str, precision: str) -> None:
    """Raise SpecError for an engine that is unknown, or a precision that it does not have."""
    if engine not in PRECISIONS:
        raise SpecError(f"unknown engine {engine!r}; known: {', '.join(PRECISIONS)}")
    if precision not in PRECISIONS[engine]:
        known = ", ".join(PRECISIONS[engine])
        raise SpecError(f"no precision {precision!r} on the engine {engine}; it has {known}")


def name_of(engine: str, precision: str) -> str:
    """What the provenance of a run says: "numba", "numba-bf16x3" …"""
    return engine if precision == "float32" else f"{engine}-{precision}"


def precision_of(name: str) -> str:
    """The precision in a name that `name_of` made."""
    return name.partition("-")[2] or "float32"
