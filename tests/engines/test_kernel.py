"""The Numba kernel against the definition: float64 autograd of `lib.model`."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from oracles import (
    CASES,
    STEPS,
    TINY,
    TRAINED,
    autograd,
    error,
    share_of_rounding,
    torch_steps,
    trained_point,
)
from processes import launch

from lib.data import Dataset, Split, batches, build
from lib.engines import reference
from lib.engines.kernel import memory
from lib.engines.kernel.engine import Engine
from lib.engines.simd import processor
from lib.model import build_model
from lib.spec import RunSpec

pytestmark = pytest.mark.xdist_group("kernel")  # one worker compiles the parallel code

BATCHES = CASES[12].replace(batch=600, warmup=3)
"""Two steps an epoch, or some; the last of them on fewer points."""

HALVES = [CASES[12].replace(**kind) for kind in (
    dict(d_model=24), dict(d_model=6, n_heads=3), dict(d_mlp=10))]  # fmt: skip
"""Chunks of one task whose half of the MLP is no multiple of a register's step, or of a block."""


@pytest.mark.parametrize("spec", CASES + HALVES, ids=lambda s: f"{s.label()} P={s.modulus}")
def test_gradients_at_initialisation(spec):
    """Of the loss in float32, too: where nothing rounds to 1 it is the same."""
    data = build(spec)
    loss, truth = autograd(spec, data)
    for kind in (spec, spec.replace(loss="float32")):
        engine = Engine(kind, data)
        for name, gradient in engine.gradients().items():
            assert error(gradient, truth[name]) <= 1e-5, name
        assert engine.evaluate("train")[0] == pytest.approx(loss, rel=1e-5)
    norm = np.sqrt(sum(np.square(p, dtype=float).sum() for p in engine.parameters.values()))
    assert engine.param_norm == pytest.approx(norm, rel=1e-12)


@pytest.mark.parametrize("spec", TRAINED, ids=["grokked", "memorized"])
def test_gradients_at_trained_points(spec):
    """There losses are small differences of large logits: float32 itself is off by 1e-5 to 1e-4."""
    run, data, *_ = trained_point(spec)
    assert run.curve["train_accuracy"][-1] == 1
    assert (run.curve["val_accuracy"][-1] > 0.95) == (spec.train_size == 500)
    gradients = Engine(spec, data, parameters=run.parameters).gradients()
    assert share_of_rounding(spec, gradients) <= 1


@pytest.mark.parametrize("spec", [*STEPS, BATCHES], ids=RunSpec.label)
def test_a_hundred_steps_follow_torch_adamw(spec):
    """A large eps makes AdamW smooth: rounding errors then grow to 1e-4 at most, here as in
    PyTorch's own float32, while one wrong sign moves a tensor by percents."""
    spec = spec.replace(eps=0.1, train_size=min(600, spec.train_size))
    epochs = -(-100 // spec.steps)
    engine = Engine(spec, build(spec))
    engine.advance(epochs)
    for name, value in torch_steps(spec, epochs, torch.float64).items():
        assert error(engine.parameters[name], value) <= 5e-4, name


@pytest.mark.parametrize("spec", [*STEPS, BATCHES], ids=RunSpec.label)
def test_first_steps_with_the_recipe_s_eps(spec):
    """With eps 1e-8 a step is nearly the gradient's sign, and rounding errors grow tenfold
    every few steps, in PyTorch's own float32 as here.  The first steps still agree."""
    engine = Engine(spec, build(spec))
    engine.advance(5)
    for name, value in torch_steps(spec, 5, torch.float64).items():
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
    rounds = spec.replace(loss="float32")
    textbook = reference.Engine(rounds, one, parameters=parameters)
    for engine in (Engine(rounds, one, parameters=parameters), textbook):
        gradient = engine.gradients()["W_U"][0]
        assert gradient[0] == 0  # softmax collapse: only the wrong classes are still pushed
        np.testing.assert_allclose(gradient[1:], np.exp(-40.0), rtol=1e-5)


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
        assert accuracy == 0
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


@pytest.mark.parametrize(
    "spec", [*(CASES[i] for i in (0, 8, 9, 12, 17)), BATCHES], ids=RunSpec.label
)
def test_bits_do_not_depend_on_threads(spec):
    """One thread, two and three: the same parameters, losses and accuracies, bit for bit."""
    data = build(spec)

    def train(threads):
        engine = Engine(spec, data, threads)
        engine.advance(7)
        flat = np.concatenate([p.ravel() for p in engine.parameters.values()])
        return flat.view(np.uint32), (engine.evaluate("train"), engine.evaluate("val"))

    alone, measured = train(1)
    for threads in (2, 3):
        flat, again = train(threads)
        differ = np.flatnonzero(flat != alone)
        assert not differ.size, f"{threads} threads: parameters {differ} of {flat.size}"
        assert again == measured


def test_a_batch_is_what_its_samples_would_make_alone():
    data, engine = build(BATCHES), Engine(BATCHES, build(BATCHES))
    parts = batches(BATCHES, 1, len(data.train))
    for part, some in zip(parts, engine._batches(), strict=True):
        alone = Split(data.train.tokens[part], data.train.labels[part])
        for one, other in zip(memory.samples(engine.sizes, alone), some, strict=True):
            assert one.dtype == other.dtype and np.array_equal(one, other)


def test_batches_go_on_from_a_state():
    """With the same bits: the next epoch's batches, and steps that AdamW counts on."""
    data = build(BATCHES)
    one, other = Engine(BATCHES, data), Engine(BATCHES, data)
    one.advance(2)
    other.restore(one.state())
    for engine in (one, other):
        engine.advance(3)
    assert pickle.dumps(one.parameters) == pickle.dumps(other.parameters)


def test_parameters_survive_packing():
    spec = CASES[3]
    data = build(spec)
    truth = build_model(spec, data).state_dict()
    engine = Engine(spec, data)
    for name, value in engine.parameters.items():
        assert np.array_equal(value, truth[name].numpy()), name
    squares = sum((value.double() ** 2).sum().item() for value in truth.values())
    assert engine.param_norm == pytest.approx(np.sqrt(squares), rel=1e-6)


MACHINES = {
    "4 lanes": dict(GROKKING_LANES="4"),
    "AVX2": dict(NUMBA_CPU_NAME="haswell", NUMBA_CPU_FEATURES="+avx2,+fma"),
    "no FMA": dict(NUMBA_CPU_NAME="generic"),
    "16 lanes": dict(GROKKING_LANES="16"),
}
"""Other processors than this one, which code can be compiled for; the second and third are x86."""


ELSEWHERE = """
import pickle, sys
import numpy as np
from numba import njit
from lib.engines.choose import choose
from lib.engines.simd import processor, vectors

found = []
for spec, data, parameters in pickle.load(open(sys.argv[1], "rb")):
    engine = choose(spec)(spec, data, parameters=parameters)
    gradients = engine.gradients()
    engine.advance(5)
    found.append((gradients, engine.parameters))

@njit(**vectors.ENTRY)
def exp(x):
    for i in range(0, len(x), processor.LANES):
        vectors.store(x, i, vectors.exp(vectors.load(x, i)))

x = np.linspace(-80, 80, 16_000).astype(np.float32)
exp(x)
kind = f"{processor.LANES} {processor.REGISTERS} {processor.FMA}"
pickle.dump((kind, found, x), open(sys.argv[2], "wb"))
"""


@pytest.mark.parametrize("name", MACHINES)
def test_every_kind_of_processor_gives_the_same_gradients(name, monkeypatch, tmp_path):
    """Shorter vectors, fewer registers, no multiply-add: the same code, compiled for them here."""
    for told in ("GROKKING_LANES", "NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES"):
        monkeypatch.delenv(told, raising=False)  # what these tests themselves are run with
    if name in ("AVX2", "no FMA") and not processor.X86:
        pytest.skip("an x86 machine's")
    if name == f"{processor.LANES} lanes":
        pytest.skip("this machine's own, which every other test here is on")
    smooth = [CASES[i].replace(eps=0.1) for i in (3, 9, 11, 16)]
    fresh = [(spec, build(spec), None) for spec in smooth]
    trained = [(spec, *trained_point(spec)[:2]) for spec in TRAINED]
    jobs = fresh + [(spec, data, run.parameters) for spec, run, data in trained]
    (tmp_path / "jobs").write_bytes(pickle.dumps(jobs))
    words = ["-c", ELSEWHERE, tmp_path / "jobs", tmp_path / "found"]
    process = launch(sys.executable, *words, log=subprocess.PIPE, **MACHINES[name])
    _, err = process.communicate()
    assert process.returncode == 0, err
    kind, found, exp = pickle.loads((tmp_path / "found").read_bytes())
    there = {"AVX2": "8 16 True", "no FMA": "8 16 False"}.get(name, name.split()[0])
    assert kind.startswith(there)
    for (spec, data, _), (gradients, after) in zip(fresh, found):
        truth, there = autograd(spec, data)[1], torch_steps(spec, 5)
        assert max(error(gradients[name], truth[name]) for name in truth) <= 1e-5
        assert max(error(after[name], there[name]) for name in there) <= 5e-4  # as above
    for spec, (gradients, _) in zip(TRAINED, found[len(fresh) :]):
        assert share_of_rounding(spec, gradients) <= 1, "the bound for float32 at trained points"
    truth = np.exp(np.linspace(-80, 80, 16_000).astype(np.float32).astype(float))
    assert np.abs(exp / truth - 1).max() <= 1e-6
    assert ("warning: this processor has no" in err) == (name == "no FMA")
