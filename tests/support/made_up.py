"""Runs that nobody trained: the one place where tests make them."""

from dataclasses import dataclass

import numpy as np

import lib.runs.run
from lib.runs.run import CURVE


@dataclass(frozen=True)
class Run(lib.runs.run.Run):
    """A run whose digest is what the test says, or its key."""

    digest: str = ""


def run(spec, epochs, parameters=None, **given) -> Run:
    """A finished run of the kernel whose curve holds these columns.

    Args:
        epochs: when it was evaluated.
        given: columns of the curve (a number stands for itself at every evaluation; those
            not given are 0.1 throughout) and fields of `Run`.
    """
    columns = {name: given.pop(name, 0.1) for name in CURVE}
    curve = {"epoch": np.asarray(epochs)}
    curve |= {name: np.full(len(epochs), value, float) for name, value in columns.items()}
    fields = dict(status="finished", engine="numba", threads=1, wall_seconds=0.25)
    fields |= dict(digest=f"{spec.key:0<64}") | given
    return Run(spec, curve=curve, parameters=parameters or {"w": np.zeros(1, np.float32)}, **fields)


def fake_run(spec, last=None, **given) -> Run:
    """A run with a plausible, noisy curve (up to epoch `last`) that depends on the spec alone."""
    rng = np.random.default_rng(int(spec.key, 16))
    epochs = spec.eval_epochs()
    epochs = epochs[epochs <= (last or spec.epochs)]
    rise = np.linspace(0, 1, len(epochs))
    columns = dict(
        train_loss=np.exp(-9 * rise) * rng.uniform(0.9, 1.1, len(epochs)),
        val_loss=5 + rng.standard_normal(len(epochs)),
        train_accuracy=np.round(rise * 3000) / 3000,
        val_accuracy=np.round(rise * rng.uniform(0, 9769, len(epochs))) / 9769,
        memorize_accuracy=np.nan,
        param_norm=30 + rng.standard_normal(len(epochs)),
    )
    parameters = {
        "W_E": rng.standard_normal((3, 4)).astype(np.float32),
        "blocks.0.mlp.b_in": np.zeros(4, np.float32),
    }
    return run(spec, epochs, parameters, **columns | given)
