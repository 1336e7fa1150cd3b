"""What the engines are held against: `lib.model` in float64, autograd and torch.optim.AdamW."""

import numpy as np
import torch

from lib.model import build_model, exact_cross_entropy
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
    """Loss and gradients, by name, of `lib.model` with the exact loss."""
    model = build_model(spec, data).to(dtype)
    if parameters is not None:
        model.load_state_dict({n: torch.from_numpy(p).to(dtype) for n, p in parameters.items()})
    tokens = torch.from_numpy(data.train.tokens).long()
    loss = exact_cross_entropy(model(tokens)[:, -1], torch.from_numpy(data.train.labels).long())
    loss.backward()
    return loss.item(), {n: p.grad.double().numpy() for n, p in model.named_parameters()}


def error(value, truth):
    """Norm-wise relative error."""
    return np.linalg.norm(value - truth) / np.linalg.norm(truth)


def torch_steps(spec, data, count, dtype):
    """`lib.model` after `count` steps of `torch.optim.AdamW` on the exact loss."""
    model = build_model(spec, data).to(dtype)
    optimizer = torch.optim.AdamW(
        model.parameters(),
        lr=spec.lr,
        betas=(spec.beta1, spec.beta2),
        eps=spec.eps,
        weight_decay=spec.weight_decay,
    )
    tokens = torch.from_numpy(data.train.tokens).long()
    labels = torch.from_numpy(data.train.labels).long()
    for _ in range(count):
        optimizer.zero_grad()
        exact_cross_entropy(model(tokens)[:, -1], labels).backward()
        optimizer.step()
    return {name: p.detach().double().numpy() for name, p in model.named_parameters()}


STEPS = [CASES[0], CASES[3], CASES[7], CASES[10], CASES[1].replace(task="random")]
