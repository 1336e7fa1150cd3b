"""Train a spec and say what happened: `train(spec) -> Run`.

Nothing here knows where runs are kept or how progress is shown; `lib.engines` has how an
epoch is computed, in the plainest way in `lib.engines.reference`.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from lib.data import build
from lib.engines.choose import Engine, choose
from lib.runs.machine import machine
from lib.runs.run import CURVE, Progress, Run, kept_as
from lib.spec import STOP_ACCURACY, RunSpec, SpecError

if TYPE_CHECKING:
    from lib.runs.checkpoints import Checkpoints


HEARD = 0.2
"""Seconds of training, about, after which Ctrl-C is heard: an engine does not listen."""


def train(
    spec: RunSpec,
    *,
    engine: str | None = None,
    device: str = "cpu",
    precision: str = "float32",
    threads: int = 1,
    on_progress: Callable[[Progress], None] | None = None,
    on_evaluation: Callable[[int, dict[str, np.ndarray]], None] | None = None,
    start: dict[str, np.ndarray] | None = None,
    checkpoints: "Checkpoints | None" = None,
) -> Run:
    """Train one run from its seed to epoch T, to its early stop, or until it diverges.

    Args:
        spec: what to train.
        engine, device, precision: how (`lib.engines.choose.choose`); by default the fastest.
        threads: cores to use; with the Numba engine the bits do not depend on it.
        on_progress: called at each evaluation; what it raises ends the training.
        on_evaluation: called at each evaluation with the epoch and the weights by name.
        start: the final weights of `spec.init_from`, where somebody has kept them; by default
            that run is trained first, to the same bits.
        checkpoints: where a long run keeps its state, and finds it when it begins again.

    Raises:
        SpecError: if `start` is given to a run without a parent, or the engine does not fit.
    """
    make = choose(spec, engine, precision, device)
    if spec.init_from is None and start is not None:
        raise SpecError("start is for a spec with init_from")
    if spec.init_from is not None and start is None:
        told = on_progress and (lambda p: on_progress(replace(p, epoch=0, epochs=spec.epochs)))
        how = dict(engine=engine, device=device, precision=precision, threads=threads)
        start = train(spec.init_from, **how, on_progress=told).parameters
    data = build(spec)  # and an engine compiles when it is made: not the run's own time
    network, training = make(spec, data, threads, start), Training(spec, on_progress)
    name = kept_as(network.name, network.device)
    if checkpoints and (saved := checkpoints.load(spec, name)):
        try:
            network.restore(saved)
            training.resume(saved)
        except (KeyError, ValueError) as error:
            checkpoints.reject(spec, name, error)
            network, training = make(spec, data, threads, start), Training(spec, on_progress)
    before, count = time.perf_counter(), 1
    while not training.ended:
        while left := training.next_epoch - network.epoch:
            begun, done = time.perf_counter(), min(left, count)
            network.advance(done)
            count = max(1, int(done * HEARD / max(time.perf_counter() - begun, 1e-9)))
            if checkpoints and checkpoints.due() and done < left:  # evaluations may lie hours apart
                training.seconds += time.perf_counter() - before
                before = time.perf_counter()
                training.save(network, checkpoints)
        training.evaluate(network)
        training.seconds += time.perf_counter() - before
        training.tell(network, on_evaluation)  # who is told may pause it: not the run's own time
        before = time.perf_counter()
        if checkpoints and checkpoints.due() and not training.ended:
            training.save(network, checkpoints)
    return training.run(network, getattr(network, "threads", threads))


class Training:
    """What is kept of a run in training beside its network: the curve, the time, who watches.

    Attributes:
        seconds: how long it was trained.
        ended: whether it is over.
    """

    def __init__(self, spec: RunSpec, on_progress: Callable[[Progress], None] | None = None):
        self.spec, self.seconds, self.ended = spec, 0.0, False
        self._rows: list[tuple] = []  # the epoch and then `CURVE`, an evaluation each
        self._status, self._good_since = "finished", None
        self._epochs, self._on_progress = spec.eval_epochs().tolist(), on_progress
        machine()  # what trains is the code of now, whatever is edited before the run is stored

    def resume(self, saved: dict[str, np.ndarray]) -> None:
        """Take up what a checkpoint has of the curve and the time.  Raises KeyError."""
        rows, self.seconds = saved["rows"].tolist(), float(saved["seconds"])
        for row in rows:
            self._add(tuple(row))

    @property
    def next_epoch(self) -> int:
        """When the network is evaluated next."""
        return self._epochs[len(self._rows)]

    def evaluate(self, network: Engine) -> None:
        """Add the network's present values to the curve."""
        with np.errstate(over="ignore", invalid="ignore"):  # a diverging run is no surprise
            train_loss, train_accuracy = network.evaluate("train")
            val_loss, val_accuracy = network.evaluate("val")
            _, memorize_accuracy = network.evaluate("memorize")
            accuracies = train_accuracy, val_accuracy, memorize_accuracy
            self._add((network.epoch, train_loss, val_loss, *accuracies, network.param_norm))

    def _add(self, row: tuple) -> None:
        """Take in one evaluation, and with it whether the run ends here, and how."""
        self._rows.append(row)
        epoch, latest = int(row[0]), self._latest
        if not np.isfinite([latest["train_loss"], latest["param_norm"]]).all():
            self._status, self.ended = "diverged", True
            return
        if not latest["val_accuracy"] >= STOP_ACCURACY:
            self._good_since = None
        elif self._good_since is None:
            self._good_since = epoch
        held = 0 if self._good_since is None else epoch - self._good_since
        self.ended = epoch >= self.spec.epochs
        if self.spec.stop_after is not None and held >= self.spec.stop_after and not self.ended:
            self._status, self.ended = "stopped", True

    @property
    def _latest(self) -> dict[str, float]:
        """The last evaluation by name."""
        return dict(zip(("epoch", *CURVE), self._rows[-1]))

    def tell(self, network: Engine, on_evaluation: Callable | None = None) -> None:
        """Show the latest values to who watches."""
        if self._status == "diverged":
            return
        if on_evaluation:
            on_evaluation(network.epoch, network.parameters)
        if self._on_progress:
            epochs = int(self._rows[-1][0]), self.spec.epochs
            self._on_progress(Progress(*epochs, self.seconds, self._latest))

    def save(self, network: Engine, checkpoints: "Checkpoints") -> None:
        """Keep the state of the run."""
        name = kept_as(network.name, network.device)
        checkpoints.save(self.spec, name, network.state(), self._rows, self.seconds)

    def run(self, network: Engine, threads: int) -> Run:
        """The finished run."""
        curve = dict(zip(("epoch", *CURVE), np.array(self._rows, dtype=np.float64).T))
        curve["epoch"] = curve["epoch"].astype(np.int64)
        made = network.parameters, network.name, threads, self.seconds, network.device
        return Run(self.spec, self._status, curve, *made)
