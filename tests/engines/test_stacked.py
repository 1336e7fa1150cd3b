"""The PyTorch engine against the definition, against single runs and against the kernel."""

import contextlib
import subprocess
import sys
from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from oracles import autograd, error, torch_steps

from lib.data import build
from lib.engines.choose import check_device
from lib.engines.kernel import engine
from lib.engines.torch import cuda, single
from lib.engines.torch.engine import StackedEngine
from lib.runs.checkpoints import Checkpoints
from lib.runs.run import CURVE
from lib.spec import RunSpec, SpecError
from lib.sweeps import stacks
from lib.sweeps.stacks import stacks_of
from lib.train import train

MIXED = dict(task="multitask", memorize_size=40, modulus=13, train_size=65, d_model=16)
CASES = [
    RunSpec(d_model=8, modulus=23, train_size=200),
    RunSpec(task="random", d_model=12, modulus=11, train_size=121),
    RunSpec(**MIXED),
    RunSpec(**MIXED, split_mlp=True),
    RunSpec(**MIXED, norm="pre"),
    RunSpec(modulus=13, train_size=65, d_model=8, n_heads=2, n_layers=2),
    RunSpec(modulus=13, train_size=65, d_model=8, n_layers=3, norm="pre", residual="scaled"),
    RunSpec(**MIXED, n_layers=2, norm="pre", split_mlp=True),
    RunSpec(**MIXED, n_layers=4, norm="pre", residual="scaled", n_heads=1),
    RunSpec(**MIXED, n_layers=2, n_heads=3, d_head=5, d_mlp=22, split_mlp=True),
]


DEVICES = [
    "cpu",
    pytest.param(
        "cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
    ),
]
"""What holds on a CPU holds on CUDA, within float32."""


def train_many(specs, device="cpu", **how):
    return stacks.train_many(specs, device=device, **how)


def name(spec):
    return f"{spec.label()} {spec.norm or ''}"


@pytest.mark.parametrize("spec", CASES, ids=name)
def test_gradients_are_the_definition_s(spec):
    data = build(spec)
    network = single.Engine(spec, data)
    loss, truth = autograd(spec, data)
    for key, gradient in network.gradients().items():
        assert error(gradient, truth[key]) <= 1e-5, key
    assert network.evaluate("train")[0] == pytest.approx(loss, rel=1e-5)


@pytest.mark.parametrize("spec", CASES, ids=name)
def test_a_hundred_steps_follow_torch_adamw(spec):
    """With a large eps, which makes AdamW smooth (see test_kernel.py); depth is less
    smooth, in PyTorch's own float32 too, and gets fewer steps."""
    spec, count = spec.replace(eps=0.1), 100 if spec.n_layers < 3 else 20
    network = single.Engine(spec, build(spec))
    network.advance(count)
    for key, value in torch_steps(spec, count, torch.float64).items():
        assert error(network.parameters[key], value) <= 1e-3, key


@pytest.mark.parametrize("spec", [CASES[0], CASES[2], CASES[3]], ids=name)
def test_the_kernel_and_the_stack_train_alike(spec):
    """Curves and parameters of both engines over 100 steps, eps large for the same reason."""
    spec = spec.replace(eps=0.1, epochs=100, n_evals=10, warmup=20)
    data = build(spec)
    one, other = engine.Engine(spec, data), single.Engine(spec, data)
    for _ in range(10):
        one.advance(10)
        other.advance(10)
        for split in ("train", "val"):
            np.testing.assert_allclose(one.evaluate(split), other.evaluate(split), rtol=1e-3)
    for key, value in one.parameters.items():
        assert error(other.parameters[key], value) <= 1e-3, key
    assert one.param_norm == pytest.approx(other.param_norm, rel=1e-4)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("spec", [CASES[0], CASES[7]], ids=name)
def test_a_stack_on_a_device_follows_single_runs_on_the_cpu(spec, device):
    """On CUDA a step is the replay of a graph, which `keep` and `restore` have to capture anew."""
    specs = [spec.replace(seed=seed, eps=0.1, warmup=5) for seed in range(3)]
    datas = [build(s) for s in specs]
    singles = [single.Engine(s, d) for s, d in zip(specs, datas)]
    stack = StackedEngine(specs, datas, device=device)

    def go_on(stack, places, count):
        stack.advance(count)
        values, losses = stack.parameters, stack.evaluate("val")[0]
        for place, own in enumerate(places):
            singles[own].advance(count)
            for key, truth in singles[own].parameters.items():
                assert error(values[place][key], truth) <= 1e-3, key
            assert losses[place] == pytest.approx(singles[own].evaluate("val")[0], rel=1e-3)

    go_on(stack, [0, 1, 2], 20)
    assert ("step" in stack._graphs) == (device == "cuda")
    stack.keep([0, 2])
    go_on(stack, [0, 2], 5)
    other = StackedEngine(specs[2:], datas[2:], device=device)
    other.advance(3)  # a graph of another state
    other.restore([stack.state(1)])
    assert other.epoch == 25
    go_on(other, [2], 5)


def test_without_triton_or_a_compiler_there_are_no_kernels_of_its_own(monkeypatch, capsys):
    module = "lib.engines.torch.fused"
    monkeypatch.setitem(sys.modules, module, None)  # as where the import of Triton fails
    monkeypatch.delattr("lib.engines.torch.fused", raising=False)
    assert cuda.kernels.__wrapped__() is None and "fused" in capsys.readouterr().err
    with pytest.raises(ImportError):
        cuda.kernels.__wrapped__(needed=True)
    fused = SimpleNamespace(prepare=lambda: None)
    monkeypatch.setitem(sys.modules, module, fused)
    monkeypatch.setattr("lib.engines.torch.fused", fused, raising=False)
    assert cuda.kernels.__wrapped__() is fused
    # what Triton's build does where there is a compiler, but no Python.h
    for kind in (subprocess.CalledProcessError(1, ["gcc"]), RuntimeError(), AssertionError("no")):
        fused.prepare = Mock(side_effect=kind)
        assert cuda.kernels.__wrapped__() is None and "compiler" in capsys.readouterr().err
        assert cuda.kernels.__wrapped__(needed=True) is fused


@pytest.mark.parametrize("device", DEVICES)
def test_a_stack_on_a_device_goes_on_from_its_checkpoint(device, tmp_path):
    base = RunSpec(**MIXED, eps=0.1, warmup=5, epochs=40, n_evals=8, norm="pre", n_layers=2)
    specs = [base.replace(seed=seed) for seed in range(2)]
    states, seen = Checkpoints(tmp_path, every=0), []

    def leave(spec, progress):
        seen.append(progress.epoch)
        if len(seen) == 9:
            raise KeyboardInterrupt

    how = dict(device=device, checkpoints=states)
    with pytest.raises(KeyboardInterrupt):
        list(train_many(specs, on_progress=leave, **how))
    again = []
    runs = list(train_many(specs, on_progress=lambda s, p: again.append(p.epoch), **how))
    assert len(runs) == 2 and min(again) > 0, "it began again"
    whole = {run.spec: run.curve for run in train_many(specs, device=device)}
    for run in runs:
        for column in ("epoch", "train_loss", "val_loss", "param_norm"):
            np.testing.assert_allclose(run.curve[column], whole[run.spec][column], rtol=1e-3)


def test_a_stack_is_its_runs_one_by_one():
    """Other data, other sizes, other recipes: neighbours do not see each other."""
    base = RunSpec(**MIXED, eps=0.1, epochs=60, n_evals=12, norm="pre")
    specs = [
        base,
        base.replace(seed=1, train_size=50, lr=1e-2),
        base.replace(seed=2, memorize_size=9, weight_decay=0.1, warmup=30),
    ]
    runs = {run.spec: run for run in train_many(specs)}
    assert set(runs) == set(specs) and {run.engine for run in runs.values()} == {"stacked"}
    for spec in specs:
        alone = train(spec)
        for column in ("epoch", *CURVE):
            np.testing.assert_allclose(
                runs[spec].curve[column], alone.curve[column], rtol=1e-3, atol=1e-6
            )


def test_a_run_that_stops_leaves_its_neighbours_alone(monkeypatch):
    monkeypatch.setattr("lib.train.STOP_ACCURACY", 0.0)  # every run that may stop stops
    base = RunSpec(modulus=11, train_size=100, d_model=8, epochs=60, n_evals=30, norm="pre")
    specs = [base.replace(seed=s, stop_after=5 if s % 2 else None) for s in range(4)]
    runs = {run.spec.seed: run for run in train_many(specs)}
    assert [runs[s].status for s in range(4)] == ["finished", "stopped", "finished", "stopped"]
    for run in train_many([specs[0], specs[2]]):
        curve = runs[run.spec.seed].curve
        np.testing.assert_allclose(curve["train_loss"], run.curve["train_loss"], rtol=1e-2)


def test_a_diverging_run_does_not_spoil_the_stack():
    good = RunSpec(modulus=11, train_size=100, d_model=8, epochs=60, n_evals=20)
    runs = {run.spec.lr: run for run in train_many([good, good.replace(lr=1e6)])}
    assert runs[1e6].status == "diverged" and runs[good.lr].status == "finished"
    assert np.isfinite(runs[good.lr].curve["train_loss"]).all()


@pytest.mark.parametrize("kind", [engine.Engine, single.Engine], ids=["kernel", "stack"])
@pytest.mark.parametrize("split", [True, None], ids=["split", "shared"])
def test_memorization_data_and_addition_s_half(kind, split):
    """Split: other labels to memorize change no gradient of addition's half; shared: they do."""
    spec = RunSpec(**MIXED, split_mlp=split)
    data = build(spec)
    before = kind(spec, data).gradients()
    labels = data.train.labels.copy()
    labels[65:] = (labels[65:] + 1) % 13
    changed = type(data.train)(data.train.tokens, labels)
    after = kind(spec, type(data)(changed, data.val, data.memorize, 16, 13)).gradients()
    half = spec.mlp_width // 2
    parts = {"W_in": np.s_[:, :half], "b_in": np.s_[:half], "W_out": np.s_[:half]}
    for key, part in parts.items():
        one, other = (g[f"blocks.0.mlp.{key}"] for g in (before, after))
        assert np.array_equal(one[part], other[part]) == bool(split), key
        assert not np.array_equal(one, other), key  # the other half learns


def test_a_split_model_has_as_many_parameters():
    plain = RunSpec(**MIXED)
    sizes = [
        sum(v.size for v in single.Engine(s, build(s)).parameters.values())
        for s in (plain, plain.replace(split_mlp=True))
    ]
    assert sizes[0] == sizes[1] == 12 * 16**2 + 5 * 16 + (16 + 4 + 13) * 16


def test_ties_are_not_right_and_poison_shows():
    spec = RunSpec(modulus=5, train_size=10, d_model=8, norm="pre")
    data = build(spec)
    zeros = {n: np.zeros_like(p) for n, p in single.Engine(spec, data).parameters.items()}
    loss, accuracy = single.Engine(spec, data, parameters=zeros).evaluate("train")
    assert accuracy == 0 and loss == pytest.approx(np.log(5))
    zeros["W_U"] = np.full_like(zeros["W_U"], np.nan)
    assert np.isnan(single.Engine(spec, data, parameters=zeros).evaluate("train")[0])


def test_stacks_hold_equal_shapes_and_no_more_than_asked():
    specs = [RunSpec(d_model=d, seed=s) for d in (8, 16) for s in range(5)]
    found = stacks_of(specs, at_once=3)
    assert sorted(len(stack) for stack in found) == [2, 2, 3, 3]
    assert all(len({s.d_model for s in stack}) == 1 for stack in found)
    assert sorted(s.key for stack in found for s in stack) == sorted(s.key for s in specs)


def test_the_cheapest_stacks_come_first():
    """Whatever order they are asked for in: small models alone and mixed before large ones."""
    large, small = RunSpec(d_model=16, n_layers=2, norm="pre"), RunSpec(d_model=8, norm="pre")
    mixed = dict(task="multitask", memorize_size=3000)
    specs = [large, large.replace(**mixed), small.replace(**mixed), small.replace(epochs=900)]
    order = [(s.d_model, s.memorize_size) for (s,) in stacks_of(specs, at_once=1)]
    assert order == [(8, 0), (8, 3000), (16, 0), (16, 3000)]


def test_a_gpu_is_asked_for_float32_whatever_the_environment_says(monkeypatch):
    """A run that is stored as float32 must not be one of TF32."""
    before = torch.get_float32_matmul_precision()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    torch.set_float32_matmul_precision("high")  # as TORCH_ALLOW_TF32_CUBLAS_OVERRIDE=1 does
    try:
        check_device("cuda")
        assert torch.get_float32_matmul_precision() == "highest"
        assert not torch.backends.cuda.matmul.allow_tf32
    finally:
        torch.set_float32_matmul_precision(before)


def test_a_build_for_processors_is_named(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for version, told in ((None, "processors only"), ("13.0", "no CUDA device here")):
        monkeypatch.setattr(torch.version, "cuda", version)
        with pytest.raises(SpecError, match=told) as found:
            check_device("cuda")
        assert ("processors" in str(found.value)) == (version is None)


@pytest.mark.parametrize("device", DEVICES)
def test_bf16_is_close_and_says_so(device):
    spec = RunSpec(modulus=11, train_size=90, d_model=16, epochs=50, n_evals=5)
    (run,) = train_many([spec], precision="bf16", device=device)
    plain = train(spec)
    if device == "cuda":  # sums inside a product stay float32
        assert not torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction
    assert run.engine == "stacked-bf16"
    assert run.curve["train_loss"][-1] == pytest.approx(plain.curve["train_loss"][-1], rel=0.3)
    data = [build(spec)]
    rounded, exact = (
        StackedEngine([spec], data, device=device, precision=name).gradients()[0]["W_U"]
        for name in ("bf16", "float32")
    )
    assert 1e-4 < error(rounded, exact) < 3e-2  # 8 significant bits, and not 24


@pytest.mark.parametrize(
    "wrong", [dict(device="tpu"), dict(precision="int8")], ids=["device", "precision"]
)
def test_an_unknown_device_is_one_line(wrong):
    with pytest.raises(SpecError, match=next(iter(wrong))):
        next(train_many([RunSpec()], **wrong))


def test_evaluations_in_slices_are_the_same(monkeypatch):
    spec = RunSpec(**MIXED)
    specs = [spec, spec.replace(seed=1), spec.replace(seed=2)]
    whole = StackedEngine(specs, [build(s) for s in specs]).evaluate("val")
    monkeypatch.setattr("lib.engines.torch.engine.EVALUATED", 1)
    assert np.allclose(StackedEngine(specs, [build(s) for s in specs]).evaluate("val"), whole)


@pytest.mark.parametrize(
    "change", [dict(init_from=RunSpec(train_size=4000)), dict(loss="float32"), dict(batch=100)]
)
def test_what_a_stack_cannot_do_is_refused_before_anything_is_trained(change):
    with pytest.raises(SpecError, match="one by one"):
        next(train_many([RunSpec(epochs=2, n_evals=2), RunSpec(**change)], device="cpu"))


def test_a_capture_that_fails_is_ended(monkeypatch):
    """Else nothing on that stream would work again; with a stand-in for CUDA."""
    said, calls = [], []

    class Graph:
        def capture_begin(self):
            said.append("begin")

        def capture_end(self):
            said.append("end")

    stream = Mock()
    fake = dict(current_stream=lambda: stream, default_stream=lambda: None, CUDAGraph=Graph,
                stream=lambda own: contextlib.nullcontext(), memory_reserved=lambda: 0,
                get_device_properties=lambda n: SimpleNamespace(total_memory=1))  # fmt: skip
    for name, value in fake.items():
        monkeypatch.setattr(torch.cuda, name, value)

    def work():
        calls.append(1)
        if len(calls) == 4:
            raise torch.OutOfMemoryError("full")

    with pytest.raises(torch.OutOfMemoryError):
        cuda.captured(work)
    assert said == ["begin", "end"]
    cuda.captured(work)
    assert said == ["begin", "end"] * 2
