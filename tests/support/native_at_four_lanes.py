"""The native engine with vectors of four floats, as WebAssembly has them, in a process of its own.

`python native_at_four_lanes.py FILE` reads from standard input a list of jobs, each a dict of a
spec's fields, and writes curves, gradients and weights to an .npz file.
"""

import json
import os
import subprocess
import sys

import numpy as np

from lib.data import build
from lib.engines.kernel.engine import Engine
from lib.paths import ROOT
from lib.spec import RunSpec

COLUMNS = ("epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "param_norm")


def at_four_lanes(jobs, path):
    """What this file makes of some jobs, by way of a file to write."""
    environment = os.environ | {"GROKKING_LANES": "4", "PYTHONPATH": str(ROOT)}
    subprocess.run(
        [sys.executable, __file__, str(path)],
        input=json.dumps(jobs), text=True, check=True, env=environment,
    )  # fmt: skip
    with np.load(path) as found:
        return dict(found)


def curve(engine, spec):
    """The `COLUMNS` of a run's curve at its own epochs, by any engine."""
    rows = []
    for epoch in spec.eval_epochs():
        engine.advance(int(epoch) - engine.epoch)
        rows.append((epoch, *engine.evaluate("train"), *engine.evaluate("val"), engine.param_norm))
    return np.array(rows)


def named(rows):
    """What `curve` found, by column."""
    return dict(zip(COLUMNS, rows.T))


def main(path):
    """All jobs, one after the other."""
    found = {}
    for i, fields in enumerate(json.load(sys.stdin)):
        spec = RunSpec(**fields)
        engine = Engine(spec, build(spec))
        found |= {f"start{i} {name}": value for name, value in engine.parameters.items()}
        found |= {f"gradient{i} {name}": value for name, value in engine.gradients().items()}
        found[f"curve{i}"] = curve(engine, spec)
    np.savez(path, **found)


if __name__ == "__main__":
    main(sys.argv[1])
