"""The textbook engine: it is what every other one is held against, so it is held against little."""

import functools
import itertools
import operator

import numpy as np
import pytest
import torch
from torch import nn

import lib.model
from lib.data import build
from lib.engines import known, reference
from lib.engines.choose import choose, engine_of
from lib.engines.known import KNOWN
from lib.engines.torch.single import Engine as Stacked
from lib.model import build_model, exact_cross_entropy
from lib.runs.checkpoints import Checkpoints
from lib.spec import KNOBS, RunSpec, SpecError
from lib.train import train

SMALL = RunSpec(modulus=11, train_size=90, d_model=16, epochs=40, n_evals=8, warmup=5)
DEVICES = [
    "cpu",
    pytest.param(
        "cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
    ),
]


@pytest.mark.parametrize("device", DEVICES)
def test_it_steps_as_one_writes_it_down(device):
    """Three steps by hand, the first ones of a warm-up."""
    data = build(SMALL)
    engine = reference.Engine(SMALL, data, device=device)
    engine.advance(3)
    model = build_model(SMALL, data).to(device)
    tokens, labels = (
        torch.from_numpy(x).long().to(device) for x in (data.train.tokens, data.train.labels)
    )
    moments = {n: [torch.zeros_like(p)] * 2 for n, p in model.named_parameters()}
    for step in (1, 2, 3):
        loss = exact_cross_entropy(model(tokens)[:, -1], labels)
        grads = torch.autograd.grad(loss, list(model.parameters()))
        lr, b1, b2 = SMALL.lr * step / 5, SMALL.beta1, SMALL.beta2
        for (name, p), g in zip(model.named_parameters(), grads):
            m, v = moments[name]
            m, v = moments[name] = [b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2]
            with torch.no_grad():
                p *= 1 - lr * SMALL.weight_decay
                p -= lr * m / (1 - b1**step) / ((v / (1 - b2**step)).sqrt() + SMALL.eps)
    for name, value in model.named_parameters():
        np.testing.assert_allclose(engine.parameters[name], value.detach().cpu(), rtol=1e-4,
                                   atol=1e-6)  # fmt: skip


@pytest.mark.parametrize("device", DEVICES)
def test_it_trains_what_the_fast_engines_train(device):
    plain = train(SMALL.replace(eps=0.1), engine="reference", device=device)
    quick = train(SMALL.replace(eps=0.1))
    assert plain.engine == "reference" and quick.engine == "numba"
    for column in plain.curve:
        np.testing.assert_allclose(plain.curve[column], quick.curve[column], rtol=1e-3, atol=1e-6)
    assert list(plain.parameters) == list(quick.parameters)


class Noisy(lib.model.MLP):
    """A change of the model that behaves otherwise in training, and keeps more than parameters."""

    def __init__(self, d_model, d_mlp):
        super().__init__(d_model, d_mlp)
        self.drop, self.usual = nn.Dropout(0.3), nn.BatchNorm1d(d_model, affine=False)
        self.more = nn.Linear(d_model, d_model)

    def forward(self, x, mask=None):
        x = self.usual(self.drop(x).transpose(1, 2)).transpose(1, 2)
        return super().forward(self.more(x), mask)


@pytest.mark.parametrize("device", DEVICES)
def test_a_model_with_noise_and_buffers_is_trained_like_any_other(tmp_path, monkeypatch, device):
    """A measure is no matter of luck, the seed tells the run, and a checkpoint has all of it."""
    monkeypatch.setattr("lib.model.MLP", Noisy)
    engine = reference.Engine(SMALL, build(SMALL), device=device)
    engine.advance(3)
    assert engine.evaluate("val") == engine.evaluate("val")
    before = torch.get_rng_state()
    digest = train(SMALL, engine="reference", device=device).digest
    assert torch.equal(before, torch.get_rng_state())

    def leave(progress):
        if progress.epoch >= 10:
            raise KeyboardInterrupt

    how = dict(engine="reference", device=device, checkpoints=Checkpoints(tmp_path, every=0))
    with pytest.raises(KeyboardInterrupt):
        train(SMALL, on_progress=leave, **how)
    torch.manual_seed(7)
    again = []
    run = train(SMALL, on_progress=lambda p: again.append(p.epoch), **how)
    assert min(again) >= 10 and run.digest == digest
    if device == "cpu":  # what it has learned beside its weights goes on with a child
        (means,) = (name for name in run.parameters if name.endswith("running_mean"))
        child = reference.Engine(SMALL, build(SMALL), parameters=run.parameters)
        assert np.array_equal(child.parameters[means], run.parameters[means])


def test_a_mask_of_infinities_does_not_spoil_a_checkpoint(tmp_path, monkeypatch):
    class Masked(lib.model.MLP):
        def __init__(self, *args):
            super().__init__(*args)
            self.register_buffer("future", torch.full((3, 3), -torch.inf).triu(1))

    monkeypatch.setattr("lib.model.MLP", Masked)
    test_it_goes_on(SMALL.replace(seed=3), tmp_path)


@pytest.mark.parametrize(
    "spec",
    [SMALL.replace(batch=32), SMALL.replace(batch=32, tied=True, decayed="matrices")],
    ids=["batches", "and biases apart"],
)
def test_it_goes_on(spec, tmp_path):
    """Whatever it was interrupted at, with the same bits."""
    seen = []

    def leave(progress):
        seen.append(progress.epoch)
        if progress.epoch >= 10:
            raise KeyboardInterrupt

    how = dict(engine="reference", checkpoints=Checkpoints(tmp_path, every=0))
    with pytest.raises(KeyboardInterrupt):
        train(spec, on_progress=leave, **how)
    seen.clear()
    run = train(spec, on_progress=lambda p: seen.append(p.epoch), **how)
    assert min(seen) >= 10 and run.digest == train(spec, engine="reference").digest


def test_a_state_is_not_written_into(tmp_path):
    engine = reference.Engine(SMALL, build(SMALL))
    engine.advance(3)
    state, ends = engine.state(), []
    for _ in range(2):
        engine.restore(state)
        engine.advance(2)
        ends.append(engine.parameters)
    assert all(np.array_equal(ends[0][name], ends[1][name]) for name in ends[0])


@pytest.mark.parametrize("make", [reference.Engine, Stacked], ids=["reference", "stacked"])
def test_numbers_that_underflow_are_the_caller_s_own_after_an_interruption(make, monkeypatch):
    """Flushing them to zero is for the training; a notebook goes on without it."""
    engine = make(SMALL, build(SMALL))
    inner = engine if make is reference.Engine else engine.stack

    def interrupt():
        raise KeyboardInterrupt

    monkeypatch.setattr(inner, "_step" if inner is engine else "_one_step", interrupt)
    with pytest.raises(KeyboardInterrupt):
        engine.advance(1)
    assert torch.tensor(1e-310, dtype=torch.float64).mul(1.0).item() == 1e-310


def test_a_batch_is_a_step_on_a_part_and_an_epoch_sees_each_point_once():
    spec = SMALL.replace(batch=40, eps=0.1, warmup=None)
    engine, seen = reference.Engine(spec, build(spec)), []
    backward = engine._backward
    engine._backward = lambda batch: (seen.append(batch.tolist()), backward(batch))
    engine.advance(2)
    assert [len(part) for part in seen] == [40, 40, 10] * 2
    first, second = sum(seen[:3], []), sum(seen[3:], [])
    assert sorted(first) == sorted(second) == list(range(90)) and first != second
    whole = train(spec.replace(batch=90), engine="reference")
    full = train(spec.replace(batch=None), engine="reference")
    for column in full.curve:  # the same sum in another order
        np.testing.assert_allclose(whole.curve[column], full.curve[column], rtol=1e-3, atol=1e-6)
    assert train(spec.replace(n_layers=2)).engine == "reference"


def test_initial_weights_are_scaled():
    plain, half = (
        reference.Engine(spec, build(spec)).parameters
        for spec in (SMALL, SMALL.replace(init_scale=0.5))
    )
    for name, value in plain.items():
        np.testing.assert_allclose(half[name], value / 2, rtol=1e-6)


def test_a_state_of_another_network_is_refused():
    engine = reference.Engine(SMALL, build(SMALL))
    wider = SMALL.replace(d_model=20)
    with pytest.raises(ValueError, match="another network"):
        reference.Engine(wider, build(wider)).restore(engine.state())


@pytest.mark.parametrize(
    "how", [dict(engine="numba"), dict(engine="magic"), dict(device="tpu")], ids=str
)
def test_what_does_not_fit_is_one_line(how):
    with pytest.raises(SpecError, match=next(iter(how.values()))):
        train(SMALL.replace(n_layers=2), **how)


@pytest.mark.parametrize(
    "fields, engine",
    [
        (dict(n_layers=2), "numba"),
        (dict(batch=8), "stacked"),
        (dict(loss="float32"), "stacked"),
        (dict(tied=True), "stacked"),
        (dict(decayed="matrices"), "stacked"),
    ],
)
def test_what_an_engine_does_not_train_is_said(fields, engine):
    with pytest.raises(SpecError, match="--engine (stacked|numba)"):
        train(SMALL.replace(warmup=None, **fields), engine=engine)


def test_the_default_is_the_fastest_engine_that_covers_a_spec():
    """All eight kinds of spec, on both devices: none is refused."""
    deep, names = dict(n_layers=2), {}
    rounded = dict(loss="float32", tied=True)
    parts = dict(batch=8, decayed="matrices")
    for kinds in itertools.product([{}, deep], [{}, rounded], [{}, parts]):
        spec = SMALL.replace(**functools.reduce(operator.or_, kinds))
        for device in ("cpu", "cuda"):
            name = engine_of(spec, device=device)
            names.setdefault(name, []).append((*map(bool, kinds), device))
            assert engine_of(spec, name, device) == name
    of_one_layer = itertools.product([False], [False, True], [False, True], ["cpu"])
    assert names.pop("numba") == list(of_one_layer)
    stacked = [(False, False, False, "cuda"), *((True, False, False, d) for d in ("cpu", "cuda"))]
    assert names.pop("stacked") == stacked and list(names) == ["reference"]
    choose(SMALL.replace(**deep, **rounded))


def test_a_field_that_no_fast_engine_knows_is_the_textbooks(monkeypatch):
    """As a field is that somebody has just added: another engine would train without it."""
    assert all(names <= KNOBS.keys() for names in KNOWN.values())
    monkeypatch.setattr(known, "_OTHERS", dict.fromkeys(KNOWN, ["warmup"]))
    assert engine_of(SMALL.replace(warmup=None)) == "numba"
    assert engine_of(SMALL.replace(warmup=3)) == "reference"
    with pytest.raises(SpecError, match="numba does not know warmup; .* --engine reference"):
        engine_of(SMALL.replace(warmup=3), "numba")


def test_a_tie_is_not_right():
    spec = RunSpec(modulus=11, train_size=90, d_model=16)
    engine = reference.Engine(spec, build(spec))
    for parameter in engine.model.parameters():
        parameter.data.zero_()
    assert engine.evaluate("val") == (pytest.approx(np.log(11)), 0)
