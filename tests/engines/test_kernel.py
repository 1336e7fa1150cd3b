"""The Numba kernel against the definition: float64 autograd of `lib.model`."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from lib.data import Dataset, Split, build
from lib.engines.kernel.engine import Engine
from lib.model import build_model, exact_cross_entropy
from lib.spec import RunSpec
from lib.train import train

ROOT = Path(__file__).resolve().parents[2]
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


@pytest.mark.parametrize("spec", CASES, ids=lambda s: f"{s.label()} P={s.modulus}")
def test_gradients_at_initialisation(spec):
    data = build(spec)
    engine = Engine(spec, data)
    loss, truth = autograd(spec, data)
    for name, gradient in engine.gradients().items():
        assert error(gradient, truth[name]) <= 1e-5, name
    assert engine.evaluate("train")[0] == pytest.approx(loss, rel=1e-5)


@pytest.mark.parametrize(
    "spec",
    [
        RunSpec(**TINY, d_model=24, epochs=2500),
        RunSpec(modulus=31, train_size=300, d_model=32, epochs=1500, weight_decay=1.0),
    ],
    ids=["grokked", "memorized"],
)
def test_gradients_at_trained_points(spec):
    run = train(spec)
    assert run.curve["train_accuracy"][-1] == 1
    assert (run.curve["val_accuracy"][-1] > 0.95) == (spec.train_size == 500)
    data = build(spec)
    _, truth = autograd(spec, data, run.parameters)
    _, float32 = autograd(spec, data, run.parameters, torch.float32)
    for name, gradient in Engine(spec, data, parameters=run.parameters).gradients().items():
        assert error(gradient, truth[name]) <= 3 * error(float32[name], truth[name]), name


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


@pytest.mark.parametrize("spec", STEPS, ids=RunSpec.label)
def test_a_hundred_steps_follow_torch_adamw(spec):
    """A large eps makes AdamW smooth: rounding errors then grow to 1e-4 at most, here as in
    PyTorch's own float32, while one wrong sign moves a tensor by percents."""
    spec = spec.replace(eps=0.1)
    data = build(spec)
    engine = Engine(spec, data)
    engine.advance(100)
    for name, value in torch_steps(spec, data, 100, torch.float64).items():
        assert error(engine.parameters[name], value) <= 5e-4, name


@pytest.mark.parametrize("spec", STEPS, ids=RunSpec.label)
def test_first_steps_with_the_recipe_s_eps(spec):
    """With eps 1e-8 a step is nearly the gradient's sign, and rounding errors grow tenfold
    every few steps, in PyTorch's own float32 as here.  The first steps still agree."""
    data = build(spec)
    engine = Engine(spec, data)
    engine.advance(5)
    for name, value in torch_steps(spec, data, 5, torch.float64).items():
        assert error(engine.parameters[name], value) <= 1e-5, name


def test_a_near_certain_answer_keeps_its_gradient():
    """Where p(right) rounds to 1 in float32 the exact loss still has a gradient."""
    spec = RunSpec(modulus=5, train_size=10, d_model=8)
    data = build(spec)
    parameters = dict(Engine(spec, data).parameters)
    for name in parameters:
        parameters[name] = np.zeros_like(parameters[name])
    parameters["blocks.0.mlp.b_out"][0] = 1.0
    parameters["W_U"][0] = [40, 0, 0, 0, 0]
    keep = data.train.labels == 0
    split = Split(data.train.tokens[keep][:1], data.train.labels[keep][:1])
    one = Dataset(split, data.val, data.memorize, data.n_tokens, data.n_classes)
    engine = Engine(spec, one, parameters=parameters)
    loss, right = engine.evaluate("train")
    assert right == 1
    assert loss == pytest.approx(4 * np.exp(-40.0), rel=1e-5)
    assert engine.gradients()["W_U"][0, 0] == pytest.approx(-4 * np.exp(-40.0), rel=1e-5)


@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["W_E", "W_U", "blocks.0.mlp.b_in", "blocks.0.attention.W_V"])
def test_nan_and_inf_are_not_hidden(poison, name):
    """Full fast-math lets LLVM assume that NaN never happens; ours must not."""
    spec = RunSpec(**TINY, d_model=16)
    data = build(spec)
    parameters = dict(Engine(spec, data).parameters)
    parameters[name] = np.full_like(parameters[name], poison)
    engine = Engine(spec, data, parameters=parameters)
    assert not np.isfinite(engine.param_norm)
    if not (name.endswith("b_in") and poison == -np.inf):  # ReLU makes a 0 of that
        loss, accuracy = engine.evaluate("train")
        assert not np.isfinite(loss)
        assert accuracy < 0.5
    engine.advance(3)
    assert not np.isfinite(engine.param_norm)


def test_ties_are_not_right():
    """All logits equal: an untrained or dead network must not score."""
    spec = RunSpec(modulus=5, train_size=10, d_model=8)
    data = build(spec)
    parameters = {n: np.zeros_like(p) for n, p in Engine(spec, data).parameters.items()}
    loss, accuracy = Engine(spec, data, parameters=parameters).evaluate("train")
    assert accuracy == 0
    assert loss == pytest.approx(np.log(5))


@pytest.mark.parametrize("spec", [CASES[i] for i in (0, 8, 9, 12)], ids=RunSpec.label)
def test_bits_do_not_depend_on_threads(spec):
    """One thread, two and three: the same parameters, losses and accuracies, bit for bit."""
    data = build(spec)
    results = []
    for threads in (1, 2, 3):
        engine = Engine(spec, data, threads)
        engine.advance(7)
        flat = np.concatenate([p.ravel() for p in engine.parameters.values()])
        results.append((flat.tobytes(), engine.evaluate("train"), engine.evaluate("val")))
    assert results[1] == results[0] and results[2] == results[0]


def test_parameters_survive_packing():
    spec = CASES[3]
    data = build(spec)
    truth = build_model(spec, data).state_dict()
    engine = Engine(spec, data)
    for name, value in engine.parameters.items():
        assert np.array_equal(value, truth[name].numpy()), name
    squares = sum((value.double() ** 2).sum().item() for value in truth.values())
    assert engine.param_norm == pytest.approx(np.sqrt(squares), rel=1e-6)


@pytest.mark.parametrize("lanes", [4, 8, 16])
def test_every_register_width_gives_the_same_gradients(lanes, tmp_path):
    """Machines without AVX-512 use shorter vectors: the same code, compiled for them here."""
    script = """
from lib.engines.kernel.layout import TILE
from test_kernel import Engine, CASES, autograd, build, error
for spec in (CASES[3], CASES[9], CASES[11]):
    data = build(spec)
    truth = autograd(spec, data)[1]
    worst = max(error(g, truth[name]) for name, g in Engine(spec, data).gradients().items())
    print(TILE, worst)
"""
    environment = os.environ | {"GROKKING_LANES": str(lanes), "XDG_CACHE_HOME": str(tmp_path)}
    environment["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    for line in done.stdout.splitlines():
        tile, worst = line.split()
        assert int(tile) == 4 * lanes and float(worst) <= 1e-5
