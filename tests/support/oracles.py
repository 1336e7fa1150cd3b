"""What the engines are held against: `lib.engines.reference` in float64."""

import functools
from dataclasses import replace

import numpy as np
import torch
from torch._decomp import get_decompositions
from torch.utils._python_dispatch import TorchDispatchMode

from lib.data import Split, build
from lib.engines import reference
from lib.spec import RunSpec
from lib.train import train

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
    # heads wider than the model, and a wide MLP; heads narrower, a narrow MLP, one embedding
    RunSpec(d_model=8, d_head=32, d_mlp=512, train_size=400),
    RunSpec(
        task="multitask",
        memorize_size=50,
        d_model=36,
        n_heads=3,
        d_head=5,
        d_mlp=22,
        modulus=13,
        train_size=80,
        split_mlp=True,
        tied=True,
    ),
    RunSpec(d_model=32, norm="pre"),
    # nothing a multiple of 4, and a table of many columns
    RunSpec(task="multitask", memorize_size=90, d_model=14, n_heads=2, train_size=90, norm="pre"),
]
CASES += [
    CASES[12].replace(norm="pre", d_model=16),
    CASES[14].replace(norm="pre"),
]
TRAINED = [
    RunSpec(**TINY, d_model=24, epochs=2500),  # grokked at the end
    RunSpec(modulus=31, train_size=300, d_model=32, epochs=1500, weight_decay=1.0),  # memorized
]


def autograd(spec, data, parameters=None, dtype=torch.float64):
    """Loss and gradients, by name."""
    oracle = reference.Engine(spec, data, parameters=parameters, dtype=dtype)
    return oracle.evaluate("train")[0], oracle.gradients()


def error(value, truth):
    """Norm-wise relative error."""
    return np.linalg.norm(value - truth) / np.linalg.norm(truth)


@functools.cache  # several engines and precisions are held against the same steps
def torch_steps(spec, count, dtype=torch.float64):
    """The parameters after `count` epochs; to be read alone."""
    oracle = reference.Engine(spec, build(spec), dtype=dtype)
    oracle.advance(count)
    return oracle.parameters


STEPS = [
    *(CASES[0], CASES[3], CASES[7], CASES[10], CASES[1].replace(task="random")),
    CASES[13].replace(decayed="matrices", init_scale=0.5),
    CASES[14].replace(decayed="matrices", warmup=3),
    CASES[16],
    CASES[18].replace(decayed="matrices"),
]


aten = torch.ops.aten
EACH = {aten.add.Tensor: 1, aten.sub.Tensor: 1, aten.mul.Tensor: 1, aten.div.Tensor: 1,
        aten.exp.default: 2}  # fmt: skip
"""Operations on single numbers, and by how many U (below) they are off."""

STEPWISE = get_decompositions([aten._softmax, aten._softmax_backward_data])
"""Operations that are made of others, each of which rounds."""

U = 2.0**-24
"""The most that float32 rounds by, relative to the result."""


class Rounding(TorchDispatchMode):
    """float64 with an error at every operation such as float32 makes, drawn anew each time.

    One operation is off by U of its result (exp by 2 U).  A sum of n products makes n roundings
    of products and n - 1 of partial sums, and in whatever order it is taken none of those is
    larger than S, the sum of the terms' sizes.  Independent errors grow with the root of their
    number, so it is off by U S √(2 n) at most, whatever the width of vectors.  Errors are drawn
    from a normal distribution of that standard deviation, √3 times that of rounding to nearest.
    """

    def __init__(self, seed: int):
        super().__init__()
        self._draws = torch.Generator().manual_seed(seed)

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        if operation in STEPWISE:
            with self:
                return STEPWISE[operation](*args, **kwargs or {})
        result = operation(*args, **kwargs or {})
        if (size := _rounded(operation, args, result)) is None:
            return result  # it moves numbers, or compares them
        noise = torch.randn(result.shape, generator=self._draws, dtype=result.dtype)
        return torch.where(result.isfinite(), result + U * size * noise, result)


def _rounded(operation, args, result):
    """By how many U a result may be off; None where nothing is rounded."""
    if operation in EACH:
        return EACH[operation] * result.abs()
    if operation in (aten.mm.default, aten.bmm.default):
        return operation(args[0].abs(), args[1].abs()) * (2 * args[0].shape[-1]) ** 0.5
    if operation is aten.sum.dim_IntList:
        sizes = operation(args[0].abs(), *args[1:])
        return sizes * (args[0].numel() / result.numel()) ** 0.5
    if operation is aten.index_put.default:  # adds up
        zeros, places, values = args[:3]
        sizes = operation(zeros, places, values.abs(), True)
        return sizes * operation(zeros, places, torch.ones_like(values), True) ** 0.5
    return None


def clear_of_kinks(spec, data, parameters, margin=1e-5):
    """The data with those training points alone whose hidden units are all clearly on or off.

    Where rounding decides that, the gradient has two right values.  margin: of a unit's input,
    relative to the sizes of its terms.
    """
    oracle, seen = reference.Engine(spec, data, parameters=parameters, dtype=torch.float64), []
    mlp = oracle.model.blocks[0].mlp
    with mlp.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0])):
        oracle.model(torch.from_numpy(data.train.tokens).long())
    x = seen[0][:, -1].detach()
    W, b = mlp.W_in.detach(), mlp.b_in.detach()
    keep = ((x @ W + b).abs() > margin * (x.abs() @ W.abs() + b.abs())).all(1).numpy()
    return replace(data, train=Split(data.train.tokens[keep], data.train.labels[keep]))


def rounding_error(spec, data, parameters, draws=3):
    """By how much the gradient of float32 may be off, by name: the largest of some draws."""
    oracle = reference.Engine(spec, data, parameters=parameters, dtype=torch.float64)
    truth, largest = {n: g.copy() for n, g in oracle.gradients().items()}, {}
    for draw in range(draws):
        with Rounding(draw):
            off = oracle.gradients()
        for name, gradient in off.items():
            largest[name] = max(largest.get(name, 0), error(gradient, truth[name]))
    return largest


@functools.cache
def trained_point(spec):
    """A trained run's curve and weights, its data clear of kinks, the gradient there and by how
    much float32 may miss it."""
    run = train(spec)
    data = clear_of_kinks(spec, build(spec), run.parameters)
    bounds = rounding_error(spec, data, run.parameters)
    assert max(bounds.values()) <= 2e-3, "the bound would hide a mistake"
    return run, data, autograd(spec, data, run.parameters)[1], bounds


def share_of_rounding(spec, gradients):
    """The largest error of gradients at a trained point, as a share of what float32 may miss."""
    _, _, truth, bounds = trained_point(spec)
    return max(error(gradients[name], truth[name]) / bounds[name] for name in bounds)
