"""The GPU's kernels (`lib.engines.torch.fused`), without a GPU in Triton's interpreter.

Triton comes with PyTorch for CUDA; elsewhere, on Linux, `pip install triton` brings it.
"""

import os

import numpy as np
import pytest
import torch
from oracles import error

from lib.data import build
from lib.engines.torch.engine import StackedEngine
from lib.spec import RunSpec

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
if DEVICE == "cpu":
    os.environ["TRITON_INTERPRET"] = "1"  # read as Triton is imported
pytest.importorskip("triton")

MIXED = dict(task="multitask", memorize_size=20, modulus=7, train_size=25, d_model=12)
CASES = [
    RunSpec(d_model=8, modulus=11, train_size=60),
    RunSpec(modulus=7, train_size=30, d_model=6, n_heads=3),
    RunSpec(**MIXED),
    RunSpec(**MIXED, split_mlp=True),
    RunSpec(**MIXED, norm="pre", split_mlp=True),
    RunSpec(**MIXED, n_layers=2, norm="pre", residual="scaled"),
    RunSpec(modulus=7, train_size=30, d_model=6, n_heads=3, n_layers=3),
    RunSpec(**MIXED, n_layers=2, n_heads=3, d_head=5, d_mlp=22, split_mlp=True),
]

pytestmark = pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # lanes masked out


def name(spec):
    return f"{spec.label()} {spec.norm or ''}"


@pytest.mark.parametrize("spec", CASES, ids=name)
def test_fused_and_plain_take_the_same_steps(spec):
    """Stacks whose runs have data of unequal length, and recipes of their own."""
    base = spec.replace(eps=0.1)
    specs = [base, base.replace(seed=1, train_size=20, lr=1e-2, weight_decay=0.3, warmup=3)]
    datas = [build(s) for s in specs]
    plain, fused = (StackedEngine(specs, datas, device=DEVICE, fuse=fuse) for fuse in (False, True))
    for truth, found in zip(plain.gradients(), fused.gradients()):
        for key, gradient in truth.items():
            assert error(found[key], gradient) <= 1e-5, key
    plain.advance(5)
    fused.advance(5)
    for truth, found in zip(plain.parameters, fused.parameters):
        for key, value in truth.items():
            assert error(found[key], value) <= 1e-5, key
    for split in ("train", "val", "memorize"):
        np.testing.assert_allclose(fused.evaluate(split), plain.evaluate(split), rtol=1e-4)
