"""The surroundings of compiled code, before Numba is imported: it reads them when it is."""

import os

from lib.errors import UserError


def _check_environment() -> None:
    """Raise UserError, one line, for variables with which nothing here can be compiled."""
    lanes, threads = (os.environ.get(n, "") for n in ("GROKKING_LANES", "NUMBA_NUM_THREADS"))
    if lanes not in ("", "4", "8", "16"):
        raise UserError(f"GROKKING_LANES must be 4, 8 or 16, got {lanes!r}")
    if threads and not (threads.isdecimal() and int(threads)):
        raise UserError(f"NUMBA_NUM_THREADS must be a whole number from 1, got {threads!r}")
    layer = os.environ.get("NUMBA_THREADING_LAYER", "default")
    if layer not in (known := "default safe threadsafe forksafe tbb omp workqueue").split():
        raise UserError(f"NUMBA_THREADING_LAYER must be one of {known}, got {layer!r}")
    if os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0"):
        raise UserError("NUMBA_DISABLE_JIT is set: the kernel cannot run uncompiled; unset it")


_check_environment()

# Threads that wait for each other sleep: where a core is busy with something else, spinning ones
# make a run on two cores twenty times slower.  OpenMP reads this when Numba loads it.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
