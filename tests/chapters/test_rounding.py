"""Runs that are stored in two precisions, side by side."""

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from fake_train import fake_run

import benchmarks.rounding as benchmark
from lib.chapters.stories.recipe.precision import COLUMNS, alike, lateness, two_precisions
from lib.paper.grid import Grid
from lib.runs.store import Store
from lib.spec import RunSpec
from lib.train import train


def with_end(spec, engine, value, last):
    run = fake_run(spec, last=last, engine=engine, digest=f"{engine:0<64}")
    run.curve["val_accuracy"][-1] = value
    return run


def test_only_runs_in_two_precisions_are_compared(tmp_path):
    store = Store(tmp_path)
    nothing = two_precisions(store)
    assert list(nothing) == COLUMNS and len(nothing) == alike(nothing) == 0
    a, b, c, d = (RunSpec(epochs=900, seed=seed) for seed in range(4))
    store.add_many(
        [
            with_end(a, "numba", 1.0, 400),
            with_end(a, "numba-bf16x3", 0.99, 500),
            with_end(a, "numba-bf16x6", 0.98, 450),
            with_end(b, "numba", 0.2, 900),
            with_end(b, "numba-bf16x3", 0.97, 900),
            with_end(c, "stacked", 0.5, 900),
            with_end(c, "numba", 1.0, 900),
        ]
    )
    for engine, value in (("stacked-bf16", 0.96), ("stacked", 0.97)):
        store.add(with_end(d, engine, value, 900))
        store.add(with_end(b, engine, value, 900))
    both = two_precisions(store)
    pairs = list(both["precision"] + " " + both["seed"].astype(str))
    assert pairs == ["bf16 1", "bf16 3", "bf16x3 0", "bf16x3 1", "bf16x6 0"]
    assert both["val_float32"].tolist() == [0.2, 0.97, 1.0, 0.2, 1.0]  # the kernel's, if any
    first = both.iloc[2]
    assert (first["val_float32"], first["val"]) == (1.0, 0.99)
    assert first["epoch_float32"] <= 400 < first["epoch"] <= 500
    assert alike(both) == 3
    shown = dict(zip(store.runs()["seed"], store.runs()["engine"]))  # figures go on with float32
    assert shown == {0: "numba", 1: "numba", 2: "numba", 3: "stacked"}


def test_lateness_is_a_geometric_mean_of_those_that_generalize_in_both():
    both = pd.DataFrame(
        [
            (0, 1.0, 1.0, 100, 200),
            (1, 1.0, 1.0, 800, 400),
            (1, 1.0, 1.0, 300, 150),
            (2, 1.0, 0.2, 100, 900),
        ],
        columns=["seed", "val_float32", "val", "epoch_float32", "epoch"],
    )
    mean, low, high = lateness(both)
    assert mean == pytest.approx(1.0)  # twice as late and half as late
    assert low < 0.5 < 2 < high and low * high == pytest.approx(1.0)
    one = lateness(both.head(1))
    assert one[0] == pytest.approx(2.0) and np.isnan(one[1:]).all()
    assert np.isnan(lateness(both.tail(1))).all()


def test_stored_runs_again_in_bf16(tmp_path, monkeypatch):
    """The whole way: a float32 run in the store, the benchmark, a pair in the table."""
    monkeypatch.setenv("GROKKING_RESULTS", str(tmp_path / "results"))
    base = RunSpec(modulus=5, train_size=10, d_model=4, epochs=20, n_evals=5, norm="pre")
    monkeypatch.setitem(benchmark.EXPERIMENTS, "figure2", Grid("figure2", "", base, seeds=3))
    store = Store()
    store.add_many(train(base.replace(seed=seed)) for seed in range(2))  # the third is missing

    def call(*words):
        return CliRunner().invoke(benchmark.main, ["figure2", *words])

    result = call("--precision", "bf16", "--seeds", "0:1")
    assert result.exit_code == 0 and "in both or in neither" in result.output, result.output
    assert list(two_precisions(store)["seed"]) == [0]
    assert call("--precision", "bf16").exit_code == 0
    assert list(two_precisions(store)["seed"]) == [0, 1]
    assert set(two_precisions(store)["precision"]) == {"bf16"} and len(store.keys()) == 2
    trained = len(store.runs(every=True))
    assert call("--precision", "bf16").exit_code == 0  # all are there: nothing is trained again
    assert len(store.runs(every=True)) == trained == 4
    refused = call("--precision", "bf16x3", "--device", "cuda")
    assert refused.exit_code == 2 and "cuda" in refused.output.lower()
