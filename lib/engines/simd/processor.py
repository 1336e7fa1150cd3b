"""What this machine's processor has: the width of its vectors, and tile registers (AMX)."""

import ctypes
import os
import platform
import sys

# Threads that wait for each other sleep: where a core is busy with something else, spinning ones
# make a run on two cores twenty times slower.  Read when OpenMP is loaded, so before Numba.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numba  # noqa: E402
from llvmlite import binding  # noqa: E402

X86 = platform.machine().lower() in ("x86_64", "amd64", "i386", "i686")


def _lanes() -> int:
    """Floats in a register: 16 with AVX-512, 8 on other x86 machines, 4 elsewhere (NEON)."""
    if "GROKKING_LANES" in os.environ:  # for the tests: any width works on any machine
        return int(os.environ["GROKKING_LANES"])
    features = numba.config.CPU_FEATURES
    if features is not None:
        wide = "+avx512f" in features
    else:
        wide = binding.get_host_cpu_features().get("avx512f", False)
    return 16 if wide else 8 if X86 else 4


LANES = _lanes()
"""Floats in one vector."""


REGISTERS = 16 if X86 and LANES < 16 else 32
"""Vector registers: AVX-512 and NEON have 32, older x86 machines 16."""


COLUMNS, SUM_ROWS = (4, 4) if REGISTERS == 32 else (3, 2)
"""Vectors in a row of a product's register block, and rows in one of a gradient's sums."""


def _amx() -> bool:
    """Whether there is a tile unit and the system lets this process use it."""
    if LANES != 16 or sys.platform != "linux" or numba.config.CPU_FEATURES is not None:
        return False
    features = binding.get_host_cpu_features()
    if not (features.get("amx-tile") and features.get("amx-bf16")):
        return False
    arch_prctl, request_permission, tile_data = 158, 0x1023, 18
    try:
        return ctypes.CDLL(None).syscall(arch_prctl, request_permission, tile_data) == 0
    except (OSError, AttributeError):
        return False


AMX = _amx()
"""Whether products can use tile registers."""


UNIT = 256  # floats in a tile register (`lib.engines.simd.amx`)
