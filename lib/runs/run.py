"""A finished run (`Run`), and where one is in training (`Progress`)."""

import hashlib
from dataclasses import dataclass

import numpy as np

from lib.spec import RunSpec

CURVE = {
    "train_loss": np.float32,  # carries all that float32 training knows
    "val_loss": np.float32,
    "train_accuracy": np.float64,  # stays exact: k / n
    "val_accuracy": np.float64,
    "memorize_accuracy": np.float64,
    "param_norm": np.float32,
}
"""Columns of a curve, beside "epoch": their order, and the type in which each is kept."""


def kept_as(engine: str, device: str) -> str:
    """What names the weights and states of an engine: a GPU's are others than a processor's."""
    return engine if device == "cpu" else f"{engine}-gpu"


@dataclass(frozen=True)
class Run:
    """What a finished run left behind.

    Attributes:
        spec: what was trained.
        status: "finished" (reached epoch T), "stopped" (the spec's early stop) or "diverged".
        curve: "epoch" (int64) and the columns of `CURVE` (float64), one value an evaluation;
            losses in nats, NaN where a column does not apply (no validation set, say).
        parameters: final weights (float32) by their names in `lib.model.Transformer`.
        engine: which engine trained it.
        threads: threads that it used.
        wall_seconds: how long that took (a share of it where runs were stacked).
        device: "cpu", or the name of a GPU.
    """

    spec: RunSpec
    status: str
    curve: dict[str, np.ndarray]
    parameters: dict[str, np.ndarray]
    engine: str
    threads: int
    wall_seconds: float
    device: str = "cpu"

    @property
    def digest(self) -> str:
        """SHA-256 over the bits of the curve and of the final parameters, in hex."""
        sha = hashlib.sha256()
        for name, values in (*self.curve.items(), *self.parameters.items()):
            sha.update(name.encode())
            sha.update(np.ascontiguousarray(values).tobytes())
        return sha.hexdigest()


@dataclass(frozen=True)
class Progress:
    """Where a run is: passed to `on_progress` at each evaluation.

    Attributes:
        epoch, epochs: trained so far, of so many.
        seconds: how long that took.
        latest: the whole evaluation, "epoch" and the columns of `CURVE` by name.
    """

    epoch: int
    epochs: int
    seconds: float
    latest: dict[str, float]
