"""What the engines are held against: `lib.engines.reference` in float64."""

import numpy as np
import torch

from lib.engines import reference
from lib.spec import RunSpec

TINY = dict(modulus=31, train_size=500)
CASES = [
    RunSpec(d_model=32),
    RunSpec(d_model=8, train_size=2600),
    RunSpec(d_model=4, modulus=7, train_size=49),  # D = P²
    RunSpec(d_model=6, n_heads=3, modulus=97, train_size=1000),  # nothing a multiple of 4
    RunSpec(d_model=100, modulus=23, train_size=400),
    RunSpec(d_model=128, n_heads=1, train_size=1),
    RunSpec(d_model=256, modulus=11, train_size=64),
    RunSpec(task="square", d_model=64, modulus=59, train_size=1200),
    RunSpec(task="random", d_model=12, train_size=113**2),
    RunSpec(task="multitask", memorize_size=700, d_model=36, train_size=1000),
    RunSpec(task="multitask", memorize_size=30, d_model=16, modulus=13, train_size=65),
    RunSpec(task="multitask", memorize_size=70, d_model=36, train_size=100, split_mlp=True),
    # … and enough points for chunks of one task, which leave out half of it
    RunSpec(task="multitask", memorize_size=900, d_model=32, train_size=900, split_mlp=True),
]


def autograd(spec, data, parameters=None, dtype=torch.float64):
    """Loss and gradients, by name."""
    oracle = reference.Engine(spec, data, parameters=parameters, dtype=dtype)
    return oracle.evaluate("train")[0], oracle.gradients()


def error(value, truth):
    """Norm-wise relative error."""
    return np.linalg.norm(value - truth) / np.linalg.norm(truth)


def torch_steps(spec, data, count, dtype=torch.float64):
    """The parameters after `count` epochs."""
    oracle = reference.Engine(spec, data, dtype=dtype)
    oracle.advance(count)
    return oracle.parameters


STEPS = [CASES[0], CASES[3], CASES[7], CASES[10], CASES[1].replace(task="random")]
