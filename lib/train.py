"""Train a spec and say what happened: `train(spec) -> Run`.

Nothing here knows where runs are kept or how progress is shown.
"""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from lib.data import build
from lib.spec import STOP_ACCURACY, RunSpec, SpecError

if TYPE_CHECKING:
    from lib.checkpoint import Checkpoints

CURVE = (
    "train_loss",
    "val_loss",
    "train_accuracy",
    "val_accuracy",
    "memorize_accuracy",
    "param_norm",
)
"""Columns of a curve, beside "epoch"."""


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
    """Where a run is: passed to `on_progress` at each evaluation."""

    epoch: int
    epochs: int
    train_accuracy: float
    val_accuracy: float
    seconds: float


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
        values = self.latest
        accuracies = values["train_accuracy"], values["val_accuracy"]
        return Progress(int(values["epoch"]), self.spec.epochs, *accuracies, seconds)

    def run(self, parameters: dict, engine: str, threads: int, seconds: float, device="cpu") -> Run:
        """The finished run."""
        columns = np.array(self.rows, dtype=np.float64).T
        curve = dict(zip(("epoch", *CURVE), columns))
        curve["epoch"] = curve["epoch"].astype(np.int64)
        return Run(self.spec, self.status, curve, parameters, engine, threads, seconds, device)


def engine_for(spec: RunSpec, precision: str = "float32") -> Callable:
    """The fastest engine of a processor that covers a spec, in a precision.

    Raises:
        SpecError: if what covers it has no such precision.
    """
    from lib import engine  # compiles on first use: not before it is needed

    if engine.covers(spec):
        return partial(engine.Engine, precision=precision)
    if precision != "float32":
        raise SpecError(f"{precision} is for the plain model of one layer, not for {spec.label()}")
    from lib import single

    return single.Engine


def train(
    spec: RunSpec,
    *,
    threads: int = 1,
    on_progress: Callable[[Progress], None] | None = None,
    on_evaluation: Callable[[int, dict[str, np.ndarray]], None] | None = None,
    start: dict[str, np.ndarray] | None = None,
    checkpoints: "Checkpoints | None" = None,
    precision: str = "float32",
) -> Run:
    """Train one run from its seed to epoch T, to its early stop, or until it diverges.

    Args:
        spec: what to train.
        threads: cores to use; with the Numba engine the bits do not depend on it.
        on_progress: called at each evaluation; what it raises ends the training.
        on_evaluation: called at each evaluation with the epoch and the weights by name.
        start: the final weights of `spec.init_from`, where somebody has kept them; by default
            that run is trained first, to the same bits.
        checkpoints: where a long run keeps its state, and finds it when it begins again.
        precision: of matrix products, one of `lib.processor.PRECISIONS`.

    Raises:
        SpecError: if `start` is given to a run without a parent, or the precision does not fit.
    """
    began = time.perf_counter()
    if spec.init_from is None and start is not None:
        raise SpecError("start is for a spec with init_from")
    if spec.init_from is not None and start is None:
        told = on_progress and (lambda p: on_progress(replace(p, epoch=0, epochs=spec.epochs)))
        start = train(spec.init_from, threads=threads, on_progress=told).parameters
    make = engine_for(spec, precision)
    network = make(spec, build(spec), threads, start)
    record = Record(spec)
    if checkpoints and (saved := checkpoints.load(spec, network.name)):
        try:
            network.restore(saved)
            began -= float(saved["seconds"])
            for row in saved["rows"].tolist():
                record.add(tuple(row))
        except (KeyError, ValueError) as error:
            checkpoints.reject(spec, network.name, error)
            network, record = make(spec, build(spec), threads, start), Record(spec)
    with np.errstate(over="ignore", invalid="ignore"):  # a diverging run is no surprise
        for epoch in spec.eval_epochs()[len(record.rows) :].tolist():
            network.advance(epoch - network.epoch)
            ended = record.add((epoch, *_measure(network)))
            seconds = time.perf_counter() - began
            if on_evaluation and record.status != "diverged":
                on_evaluation(epoch, network.parameters)
            if on_progress and record.status != "diverged":
                on_progress(record.progress(seconds))
            if ended:
                break
            if checkpoints and checkpoints.due():
                checkpoints.save(spec, network.name, network.state(), record.rows, seconds)
    seconds = time.perf_counter() - began
    return record.run(network.parameters, network.name, threads, seconds)


def _measure(network) -> tuple[float, ...]:
    """One row of the curve, in the order of `CURVE`."""
    train_loss, train_accuracy = network.evaluate("train")
    val_loss, val_accuracy = network.evaluate("val")
    _, memorize_accuracy = network.evaluate("memorize")
    return train_loss, val_loss, train_accuracy, val_accuracy, memorize_accuracy, network.param_norm
