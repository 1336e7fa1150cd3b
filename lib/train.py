"""Train a spec and say what happened: `train(spec) -> Run`.

Nothing here knows where runs are kept or how progress is shown.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from lib.data import build
from lib.engines.choose import engine_for
from lib.runs.run import Progress, Record, Run
from lib.spec import RunSpec, SpecError

if TYPE_CHECKING:
    from lib.runs.checkpoints import Checkpoints


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
        precision: of matrix products, one of `lib.engines.precision.PRECISIONS`.

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
