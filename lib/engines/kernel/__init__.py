import lib.engines.simd  # noqa: F401  looks at the surroundings before Numba reads them
