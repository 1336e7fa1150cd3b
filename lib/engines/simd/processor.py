"""What this machine's processor has: the width of its vectors, and tile registers (AMX)."""

import ctypes
import os
import platform
import sys

import numba
from llvmlite import binding

X86 = platform.machine().lower() in ("x86_64", "amd64", "i386", "i686")


def _multiply_add(lanes: int) -> str:
    """What LLVM makes of x y + z of so many floats, for the processor that Numba compiles for.

    That is this machine's, or what NUMBA_CPU_NAME and NUMBA_CPU_FEATURES say; the name alone
    leaves this machine's features on.
    """
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    features = numba.config.CPU_FEATURES
    if features is None:
        features = binding.get_host_cpu_features().flatten()
    name = numba.config.CPU_NAME or binding.get_host_cpu_name()
    target = binding.Target.from_default_triple()
    vector, function = f"<{lanes} x float>", f"@llvm.fma.v{lanes}f32"
    source = f"""
declare {vector} {function}({vector}, {vector}, {vector})
define {vector} @f({vector} %x, {vector} %y, {vector} %z) {{
  %r = call {vector} {function}({vector} %x, {vector} %y, {vector} %z)
  ret {vector} %r
}}"""
    machine = target.create_target_machine(cpu=name, features=features)
    return machine.emit_assembly(binding.parse_assembly(source))


def _lanes() -> int:
    """Floats in a register: 16 with AVX-512, 8 on other x86 machines, 4 elsewhere (NEON)."""
    text = os.environ.get("GROKKING_LANES")  # for the tests: any width works on any machine
    return int(text) if text else 16 if "zmm" in _multiply_add(16) else 8 if X86 else 4


LANES = _lanes()
"""Floats in one vector."""


FMA = "fmaf" not in _multiply_add(LANES)
"""Whether the processor has x y + z as one instruction.  LLVM would call a function for each
lane, a hundred times slower; without it products are rounded before they are added."""


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
