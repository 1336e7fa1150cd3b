"""The compiled training step of deep models (`lib.engines.torch.gradient`)."""

import functools
import shutil

import numpy as np
import pytest
import torch
from oracles import error

from lib.data import build
from lib.engines.torch import gradient as operations
from lib.engines.torch.engine import StackedEngine
from lib.paper.mixtures import DEEP, EPOCHS_DEPTH
from lib.spec import RunSpec

DEEP_SPEC = RunSpec(
    task="multitask", modulus=13, train_size=60, memorize_size=50, d_model=16, n_layers=2,
    split_mlp=True, norm="pre",
)  # fmt: skip
LONG = RunSpec(task="multitask", modulus=59, train_size=1200, memorize_size=1200, d_model=128,
               n_layers=4, **DEEP | dict(epochs=EPOCHS_DEPTH))  # fmt: skip

with_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")


def engine(compile, spec=DEEP_SPEC):
    return StackedEngine([spec], [build(spec)], compile=compile)


@with_compiler
@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")  # its own, at import
def test_the_compiled_step_has_the_same_gradient_and_resumes_to_the_same_bits(capsys):
    plain, quick = engine(False), engine(True)
    truth, found = plain.gradients()[0], quick.gradients()[0]
    assert not capsys.readouterr().err  # else it was not compiled
    for name, gradient in found.items():
        assert error(gradient, truth[name]) <= 1e-5, name
    quick.advance(4)
    state = quick.state(0)
    quick.advance(4)
    before = {name: value.tobytes() for name, value in quick.parameters[0].items()}
    quick.restore([state])
    quick.advance(4)
    assert before == {name: value.tobytes() for name, value in quick.parameters[0].items()}


def test_where_compiling_fails_the_step_is_taken_without(monkeypatch, capsys):
    def broken(function, **how):
        def call(*args):
            raise RuntimeError("C++ compile error\nand a long story")

        return call

    monkeypatch.setattr(torch, "compile", broken)
    plain, quick = engine(False), engine(True)
    plain.advance(3)
    quick.advance(3)
    assert capsys.readouterr().err == "the training step is not compiled: C++ compile error\n"
    for name, value in plain.parameters[0].items():
        np.testing.assert_array_equal(value, quick.parameters[0][name])


def test_compiling_pays_for_long_runs_on_a_cpu_with_a_compiler(monkeypatch):
    monkeypatch.setattr(operations.shutil, "which", lambda name: "/usr/bin/" + name)
    assert operations.pays([DEEP_SPEC, LONG], "cpu")
    assert not operations.pays([DEEP_SPEC], "cpu")
    assert not operations.pays([LONG], "cuda")
    monkeypatch.setattr(operations.shutil, "which", lambda name: None)
    assert not operations.pays([LONG], "cpu")


@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")
def test_the_ninth_shape_of_a_process_is_compiled_like_the_first(monkeypatch):
    """Else its bits would hang on what was trained before it."""
    seen = []

    def count(graph, inputs):
        seen.append(graph)
        return graph.forward

    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend=count))
    for width in range(4, 44, 4):
        spec = RunSpec(modulus=5, train_size=10, d_model=width, norm="pre", n_heads=1)
        before = len(seen)
        engine(True, spec)
        assert len(seen) > before, width
