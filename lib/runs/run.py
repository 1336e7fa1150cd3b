"""A run in training (`Record`) and finished (`Run`)."""

import hashlib
from dataclasses import dataclass, field

import numpy as np

from lib.spec import STOP_ACCURACY, RunSpec

CURVE = {
    "train_loss": np.float32,  # carries all that float32 training knows
    "val_loss": np.float32,
    "train_accuracy": np.float64,  # stays exact: k / n
    "val_accuracy": np.float64,
    "memorize_accuracy": np.float64,
    "param_norm": np.float32,
}
"""Columns of a curve, beside "epoch": their order, and the type in which each is kept."""


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


@dataclass
class Record:
    """The curve of a run in training, and what it says about its end."""

    spec: RunSpec
    rows: list[tuple] = field(default_factory=list)
    status: str = "finished"
    good_since: int | None = None

    def add(self, row: tuple) -> bool:
        """Take in one evaluation, the epoch and then `CURVE`.  Whether the run ends here."""
        self.rows.append(row)
        epoch, latest = int(row[0]), self.latest
        if not np.isfinite([latest["train_loss"], latest["param_norm"]]).all():
            self.status = "diverged"
            return True
        if not latest["val_accuracy"] >= STOP_ACCURACY:
            self.good_since = None
        elif self.good_since is None:
            self.good_since = epoch
        held = 0 if self.good_since is None else epoch - self.good_since
        if self.spec.stop_after is not None and held >= self.spec.stop_after:
            self.status = "stopped" if epoch < self.spec.epochs else "finished"
            return True
        return epoch >= self.spec.epochs

    @property
    def latest(self) -> dict[str, float]:
        """The last evaluation by name."""
        return dict(zip(("epoch", *CURVE), self.rows[-1]))

    def progress(self, seconds: float) -> Progress:
        """The last evaluation for whoever watches."""
        return Progress(int(self.rows[-1][0]), self.spec.epochs, seconds, self.latest)

    def run(self, parameters: dict, engine: str, threads: int, seconds: float, device="cpu") -> Run:
        """The finished run."""
        columns = np.array(self.rows, dtype=np.float64).T
        curve = dict(zip(("epoch", *CURVE), columns))
        curve["epoch"] = curve["epoch"].astype(np.int64)
        return Run(self.spec, self.status, curve, parameters, engine, threads, seconds, device)
