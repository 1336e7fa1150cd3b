"""Runs that are stored by two trainers or in two precisions, side by side."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from fake_train import fake_run

import benchmarks.again as benchmark
from lib.chapters.stories.again import gpu, trainers
from lib.chapters.stories.again.precision import (
    COLUMNS,
    alike,
    in_words,
    lateness,
    told,
    two_precisions,
)
from lib.paper.grid import Grid
from lib.runs.store import Store
from lib.spec import RunSpec, SpecError
from lib.train import train


def with_end(spec, engine, value, last):
    run = fake_run(spec, last=last, engine=engine, digest=f"{engine:0<64}")
    run.curve["val_accuracy"][-1] = value
    return run


def test_only_runs_in_two_precisions_are_compared(store):
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
    assert np.isinf(both.iloc[0]["epoch_float32"])  # it never got there
    assert alike(both) == 3
    shown = dict(zip(store.runs()["seed"], store.runs()["engine"]))  # figures go on with float32
    assert shown == {0: "numba", 1: "numba", 2: "numba", 3: "stacked"}


def test_lateness_is_a_geometric_mean_of_those_that_generalize_in_both():
    both = pd.DataFrame(
        [
            (0, 1.0, 1.0, 100, 200),
            (1, 1.0, 1.0, 800, 400),
            (1, 1.0, 1.0, 300, 150),
            (2, 1.0, 0.2, 100, np.inf),
        ],
        columns=["seed", "val_float32", "val", "epoch_float32", "epoch"],
    )
    mean, low, high = lateness(both)
    assert mean == pytest.approx(1.0)  # twice as late and half as late
    assert low < 0.5 < 2 < high and low * high == pytest.approx(1.0)
    one = lateness(both.head(1))
    assert one[0] == pytest.approx(2.0) and np.isnan(one[1:]).all()
    assert np.isnan(lateness(both.tail(1))).all()


def test_a_run_that_never_comes_does_not_come_later():
    both = pd.DataFrame(
        [("bf16", 0, 1.0, 0.2, 100, np.inf), ("bf16", 1, 1.0, 0.2, 100, np.inf)],
        columns=["precision", "seed", "val_float32", "val", "epoch_float32", "epoch"],
    )
    text = in_words(both)
    assert text.endswith("in 0 of 2 runs both precisions find the rule, or neither does.")


def test_stored_runs_again_in_bf16(tmp_path, monkeypatch):
    """The whole way: a float32 run in the store, the benchmark, a pair in the table."""
    monkeypatch.setenv("GROKKING_RESULTS", str(tmp_path / "results"))
    base = RunSpec(modulus=5, train_size=10, d_model=4, epochs=20, n_evals=5, norm="pre")
    monkeypatch.setitem(benchmark.EXPERIMENTS, "figure2", Grid("figure2", "", base, seeds=3))
    store = Store()
    store.add_many(train(base.replace(seed=seed)) for seed in range(2))  # the third is missing

    def call(*words):
        return CliRunner().invoke(benchmark.main, ["figure2", *words])

    result = call("--by", "bf16", "--seeds", "0:1")
    assert result.exit_code == 0 and "1 stored runs to train" in result.output, result.output
    assert list(two_precisions(store)["seed"]) == [0]
    assert call("--by", "bf16").exit_code == 0
    assert list(two_precisions(store)["seed"]) == [0, 1]
    assert set(two_precisions(store)["precision"]) == {"bf16"} and len(store.keys()) == 2
    assert "2 of 2 runs" in told(store, two_precisions(store))
    trained = len(store.runs(every=True))
    assert call("--by", "bf16").exit_code == 0  # all are there: nothing is trained again
    assert len(store.runs(every=True)) == trained == 4
    refused = call("--by", "bf16x3", "--device", "cuda")
    assert refused.exit_code == 2 and "cuda" in refused.output.lower()


def test_stored_runs_again_by_autograd(tmp_path, monkeypatch):
    """The textbook trains what the kernel has: the same run at first, and told next to it."""
    base = RunSpec(modulus=5, train_size=10, d_model=4, epochs=20, n_evals=5)
    monkeypatch.setitem(benchmark.EXPERIMENTS, "figure2", Grid("figure2", "", base, seeds=2))
    store = Store(tmp_path)
    specs = [base.replace(seed=seed) for seed in range(2)]
    store.add_many(train(spec) for spec in specs)
    before = store.curves()
    call = ["figure2", "--by", "reference", "--results", str(tmp_path)]
    assert CliRunner().invoke(benchmark.main, call).exit_code == 0
    assert store.curves().equals(before)  # figures go on with the kernel's
    runs, curves = trainers.trained_again(store, specs)
    assert sorted(runs["trainer"]) == ["PyTorch"] * 2 + ["this book"] * 2
    ends = runs.set_index(["seed", "trainer"])["param_norm"].unstack()
    np.testing.assert_allclose(ends["PyTorch"], ends["this book"], rtol=1e-5)
    assert set(curves["trainer"]) == set(runs["trainer"])
    assert np.isinf(trainers.parted(runs, curves)).all()


def test_jax_trains_nothing_that_it_does_not_know():
    """Else a run of another kind would be stored under the name of the real one."""
    pytest.importorskip("jax")
    plain = RunSpec(modulus=5, train_size=10, d_model=4, epochs=20, n_evals=5)
    assert benchmark.jax_run(plain).engine == "jax"
    for change in (dict(n_layers=2), dict(warmup=5), dict(init_from=plain), dict(norm="pre")):
        with pytest.raises(SpecError, match="JAX"):
            benchmark.jax_run(plain.replace(**change))


def test_no_jax_here_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.again.find_spec", lambda name: None)
    call = ["figure2", "--by", "jax", "--results", str(tmp_path)]
    result = CliRunner().invoke(benchmark.main, call)
    assert result.exit_code == 2 and "pip install jax" in result.output


def a_run(seed, engine, end, norm, fitted, came, size=3000):
    """A run as `trained_again` gives it; epochs of None never come."""
    times = [np.inf if epoch is None else epoch for epoch in (fitted, came)]
    logs = [np.nan if epoch is None else np.log(epoch) for epoch in (fitted, came)]
    return dict(
        key=f"{seed}-{size}", seed=seed, engine=engine, trainer=trainers.NAMES[engine], d_model=8,
        train_size=size, train_accuracy=1.0, val_accuracy=end, param_norm=norm, fitted=times[0],
        came=times[1], log_norm=np.log(norm), log_fitted=logs[0], log_came=logs[1],
    )  # fmt: skip


def test_trainers_are_compared_seed_by_seed():
    """A trainer that is a tenth later in every run differs; one that is late and early does not."""
    rows = []
    for seed in range(4):
        rows.append(a_run(seed, "numba", 1.0, 20.0, 100 * 2**seed, None))
        rows.append(a_run(seed, "jax", 1.0, 20.0, 110 * 2**seed * (1 + seed / 1000), None))
        odd = 2.0 if seed % 2 else 0.5
        rows.append(a_run(seed, "reference", 0.5 + seed / 10, 20 * odd, 100 * 2**seed, 900))
    found = trainers.differences(pd.DataFrame(rows)).set_index(["trainer", "measure"])
    late = found.loc["JAX", "log_fitted"]
    assert late["low"] > 0 and late["value"] == pytest.approx(np.log(1.1), abs=2e-3)
    assert found.loc["JAX", "log_came"]["seeds"] == 0  # the book's never came
    either = found.loc["PyTorch", "log_norm"]
    assert either["low"] < 0 < either["high"] and either["value"] == pytest.approx(0)
    (same, seeds) = trainers.spreads(pd.DataFrame(rows))
    assert same == pytest.approx((0.5 + 0.4 + 0.3 + 0.2) * 2 / 3 / 4)  # of three pairs a seed
    assert seeds == pytest.approx((0 + 0 + 1 / 6) / 3)


def test_equal_differences_have_no_scatter_to_compare_with():
    ends = {"numba": 0.5, "jax": 0.75}
    rows = [
        a_run(seed, engine, end, 20, 100, 200) for engine, end in ends.items() for seed in "012"
    ]
    assert trainers.differences(pd.DataFrame(rows))["p"].isna().all()


def test_pairs_of_which_one_comes_to_the_rule_are_counted():
    """A seed that only some trainers have trained counts for these alone."""
    rows = [a_run(0, "numba", 1, 1, 1, None), a_run(0, "jax", 1, 1, 1, None)]
    rows += [a_run(1, "numba", 1, 1, 1, 900), a_run(1, "jax", 1, 1, 1, None)]
    rows += [a_run(1, "reference", 1, 1, 1, 800), a_run(2, "numba", 1, 1, 1, None)]
    said = trainers._one_sided_words(pd.DataFrame(rows))
    assert said.startswith("In 1 of 3 pairs")


def test_when_two_trainings_part():
    runs = pd.DataFrame([a_run(0, "numba", 1, 1, 1, 1), a_run(0, "jax", 1, 1, 1, 1)])
    losses = {"numba": [4.0, 2.0, 1.0, 0.5], "jax": [4.0, 2.01, 0.98]}  # which stopped earlier
    curves = pd.concat(
        pd.DataFrame(dict(key="0-3000", engine=engine, epoch=range(0, 10 * len(own), 10),
                          train_loss=own)) for engine, own in losses.items()
    )  # fmt: skip
    assert trainers.parted(runs, curves).to_dict() == {("0-3000", "JAX"): 20}


@pytest.mark.parametrize("more, differs", [(2.0, True), (0.0, False)])
def test_the_words_name_what_differs(more, differs):
    """A norm that is larger by the same part in each seed differs; one that scatters does not."""
    runs = pd.DataFrame(
        a_run(seed, engine, 0.9, (10 + seed) * factor, 100, 1000)
        for seed in range(4)
        for engine, factor in (("numba", 1), ("jax", 1 + more + (-1) ** seed / 100))
    )
    curves = pd.DataFrame(
        dict(key=run.key, engine=run.engine, epoch=epoch, train_loss=1 + epoch * run.param_norm)
        for run in runs.itertuples() for epoch in (0, 50)
    )  # fmt: skip
    said = trainers.words(runs, curves)
    assert ("1 of 1 comparisons tell the trainers apart" in said) == differs
    assert ("JAX at (8, 3,000), log norm" in said) == differs
    assert ("none tells the trainers apart" in said and "2% in the norm" in said) != differs
    assert ("first differ by 1% at epoch 50 to 50" in said) == differs
    assert "In all 4 pairs both come to the rule" in said
    assert "No run" in trainers.words(runs.iloc[:0], curves)


def test_a_gpu_s_runs_stand_beside_their_twins(store):
    base = RunSpec(modulus=11, train_size=60, d_model=4, epochs=4, n_evals=4)
    assert "No run of a GPU" in gpu.told(store, gpu.twins(store))
    for seed in range(3):
        run = train(base.replace(seed=seed))
        other = {name: value + 0.1 for name, value in run.curve.items() if "accuracy" in name}
        losses = run.curve["train_loss"] * np.where(run.curve["epoch"] > 2, 1.02, 1.0)
        curve = run.curve | other | dict(train_loss=losses)
        store.add(replace(run, engine="stacked", device="a GPU", curve=curve))
        if seed:
            store.add(run)
    both = gpu.twins(store)
    assert list(both["seed"]) == [1, 2] and (both["parted"] > 2).all()
    value, low, high = gpu.differences(both)["val_accuracy"]
    assert value == pytest.approx(0.1) and low == pytest.approx(0.1) == high
    assert gpu.differences(both)["log_norm"][0] == 0
    said = gpu.told(store, both)
    assert "3 stored runs were trained on a GPU (a GPU)" in said and "2 of them, 1 cells" in said
