"""The kernel's path does not load PyTorch, which takes seconds."""

import subprocess
import sys

from lib.data import build
from lib.initial import initial_values, shapes
from lib.model import build_model
from lib.paths import ROOT
from lib.spec import RunSpec


def test_training_on_the_kernel_loads_no_pytorch(tmp_path):
    words = "train --modulus 5 --train-size 10 --d-model 8 --epochs 2 --n-evals 2".split()
    code = f"""
import sys
from lib.cli.main import main
try:
    main({[*words, "--results", str(tmp_path)]!r})
finally:
    assert "torch" not in sys.modules, sorted(name for name in sys.modules if "torch" in name)
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)


def test_both_draw_the_same_values():
    for spec in (RunSpec(d_model=16), RunSpec(d_model=8, n_layers=2, residual="scaled")):
        data = build(spec)
        model = dict(build_model(spec, data).named_parameters())
        assert {n: tuple(p.shape) for n, p in model.items()} == shapes(spec, data)
        assert list(model) == list(shapes(spec, data))
        for name, value in initial_values(spec, data).items():
            assert value.tobytes() == model[name].detach().numpy().tobytes(), name
