"""Triton builds the GPU's kernels for an H100, without one: its compiler needs no GPU.

The interpreter, in which `test_fused.py` runs them, takes what the compiler refuses.
"""

import os
import subprocess
import sys

import pytest

pytest.importorskip("triton")

BUILD = """
import torch, triton
from triton.backends.compiler import GPUTarget
from triton.runtime.jit import JITFunction

class Driver:
    get_current_target = lambda self: GPUTarget("cuda", 90, 32)
    get_current_device = lambda self: 0
    get_current_stream = lambda self, device=None: 0

run, built = JITFunction.run, set()

def build(self, *args, warmup=False, **how):  # nothing is started
    built.add((self.fn.__name__, len(run(self, *args, warmup=True, **how).asm["cubin"]) > 0))

triton.runtime.driver.set_active(Driver())
JITFunction.run = build
from lib.data import build as data_of
from lib.engines.torch.engine import StackedEngine
from lib.spec import RunSpec

mixed = RunSpec(task="multitask", memorize_size=100, train_size=100, norm="pre", split_mlp=True)
for size in dict(d_model=64), dict(d_model=64, n_layers=2), dict(d_model=512, n_layers=2):
    spec = mixed.replace(**size)
    StackedEngine([spec], [data_of(spec)], fuse=True, compile=False)._one_step()
print(*sorted(built))
"""


def test_every_kernel_is_built_for_an_h100(tmp_path):
    own = dict(TRITON_CACHE_DIR=str(tmp_path), TRITON_INTERPRET="0", PYTHONPATH=os.getcwd())
    words = [sys.executable, "-W", "ignore", "-c", BUILD]
    done = subprocess.run(words, env=os.environ | own, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "False" not in done.stdout
    for name in ("add", "sums", "hidden", "hidden_back", "loss", "adamw"):
        assert f"('_{name}', True)" in done.stdout
    for name in ("attend", "attend_nodes"):
        assert f"('_{name}', True)" in done.stdout and f"('_{name}_back', True)" in done.stdout
