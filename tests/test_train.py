"""Whole runs: schedule, early stop, divergence, no validation set, repeatability."""

import numpy as np
import pytest

from lib.runs.run import CURVE
from lib.spec import RunSpec
from lib.train import train

QUICK = RunSpec(modulus=31, train_size=500, d_model=24, epochs=2500)


def test_a_small_network_groks():
    run = train(QUICK)
    curve = run.curve
    assert run.status == "finished" and run.engine == "numba"
    assert list(curve) == ["epoch", *CURVE]
    assert np.array_equal(curve["epoch"], QUICK.eval_epochs())
    assert curve["train_accuracy"][-1] == 1 and curve["val_accuracy"][-1] > 0.95
    delay = curve["epoch"][(curve["val_accuracy"] > 0.95).argmax()]
    assert delay > 5 * curve["epoch"][(curve["train_accuracy"] > 0.99).argmax()]
    assert np.isnan(curve["memorize_accuracy"]).all()


def test_early_stop_is_a_prefix_of_the_whole_run():
    whole, stopped = train(QUICK), train(QUICK.replace(stop_after=100))
    count = len(stopped.curve["epoch"])
    assert stopped.status == "stopped" and count < len(whole.curve["epoch"])
    for name, values in stopped.curve.items():
        assert np.array_equal(values, whole.curve[name][:count], equal_nan=True), name
    val, epoch = stopped.curve["val_accuracy"], stopped.curve["epoch"]
    assert (val[epoch >= epoch[-1] - 100] >= 0.999).all()


@pytest.mark.xdist_group("kernel")  # whose worker compiles the parallel code
def test_same_spec_same_bits_whatever_ran_before():
    small = QUICK.replace(epochs=200)
    first = train(small)
    train(small.replace(seed=5, d_model=32))
    assert train(small).digest == first.digest == train(small, threads=2).digest
    assert train(small.replace(seed=1)).digest != first.digest


def test_a_diverging_run_ends_as_such():
    run = train(QUICK.replace(lr=1e6, epochs=300))
    assert run.status == "diverged"
    assert run.curve["epoch"][-1] < 300


def test_no_validation_set():
    run = train(RunSpec(modulus=7, train_size=49, d_model=16, epochs=300, stop_after=10))
    assert run.status == "finished"  # nothing to stop on
    assert np.isnan(run.curve["val_accuracy"]).all() and np.isnan(run.curve["val_loss"]).all()
    assert run.curve["train_accuracy"][-1] == 1


def test_memorization_is_measured_apart():
    spec = RunSpec(
        task="multitask", modulus=13, train_size=80, memorize_size=40, d_model=32, epochs=400
    )
    curve = train(spec).curve
    assert curve["memorize_accuracy"][-1] == 1
    assert curve["train_accuracy"][-1] == 1
    assert np.isfinite(curve["val_accuracy"]).all()


def test_progress_is_reported_and_can_end_the_run():
    seen = []

    def stop_soon(progress):
        seen.append(progress.epoch)
        if len(seen) == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(QUICK, on_progress=stop_soon)
    assert seen == QUICK.eval_epochs()[:5].tolist()


def test_depth_and_norm_are_trained_by_pytorch():
    run = train(QUICK.replace(n_layers=2, norm="pre", epochs=5))
    assert run.engine == "stacked" and run.curve["epoch"][-1] == 5
    assert run.curve["train_loss"][-1] < run.curve["train_loss"][0]
