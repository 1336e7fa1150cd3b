"""Measures that are kept: what is measured, what comes back, what is done again."""

import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from click.testing import CliRunner
from tqdm import tqdm

import lib.circuits.measures
import lib.train
from lib.circuits.fourier import measure
from lib.circuits.measures import (
    Measured,
    checkpoints_of,
    folder_of,
    gather_measures,
    lacking,
    measure_run,
    measures,
)
from lib.cli.circuits import command as circuits_command
from lib.cli.main import main
from lib.data import build
from lib.model import build_model
from lib.paper.grid import Grid
from lib.runs import shard
from lib.runs.checkpoints import Checkpoints
from lib.runs.locks import Locks
from lib.runs.store import Store
from lib.spec import RunSpec
from lib.train import train

BASE = RunSpec(modulus=11, train_size=60, d_model=8, epochs=60, n_evals=12)
TINY = Grid("tiny", "A tiny experiment", BASE, axes=dict(train_size=(50, 60)), seeds=2)
EVEN = Grid("even", "An even modulus", BASE.replace(modulus=12), cells=({},))
SMALL = dict(tiny=TINY, even=EVEN)


@pytest.fixture
def store(known):
    known(**SMALL)
    return Store()


def call(*arguments):
    return CliRunner().invoke(circuits_command, [str(a) for a in arguments])


def test_the_course_of_a_run_is_measured(store):
    measure_run(BASE, store, checkpoints=5)
    frame, run = measures(store), train(BASE)
    assert frame["epoch"].tolist() == sorted(checkpoints_of(BASE, 5))
    assert frame["epoch"].iloc[0] == 0 and frame["epoch"].iloc[-1] == 60
    assert frame["last"].tolist() == [False] * 4 + [True]
    assert set(frame["digest"]) == {run.digest}
    at = [run.curve["epoch"].tolist().index(epoch) for epoch in frame["epoch"]]
    np.testing.assert_array_equal(frame["val_accuracy"], run.curve["val_accuracy"][at])
    model = build_model(BASE, build(BASE))
    model.load_state_dict({name: torch.tensor(v) for name, v in run.parameters.items()})
    end, expected = frame.iloc[-1], measure(model, build(BASE))
    assert end["trig_share"] == expected.trig_share
    assert list(end["frequencies"]) == expected.frequencies
    np.testing.assert_allclose(end["logit_spectrum"], expected.logit_spectrum, rtol=1e-6)
    # earlier moments are measured at the frequencies of the end
    assert all(list(f) == expected.frequencies for f in frame["frequencies"])
    assert store.keys() == {BASE.key}  # it was trained anyway: kept


def test_the_end_alone_comes_from_kept_weights(store, monkeypatch):
    run = train(BASE)
    store.add(run)
    store.save_weights(run)
    monkeypatch.setattr(lib.train, "train", lambda *_, **__: pytest.fail("trained again"))
    measure_run(BASE, store, checkpoints=1)
    (row,) = measures(store).to_dict("records")
    assert row["last"] and row["epoch"] == 60 and row["digest"] == run.digest
    assert row["param_norm"] == pytest.approx(run.curve["param_norm"][-1])


def test_weights_of_another_training_are_not_measured_as_the_stored_run(store):
    """Another machine or precision gives the same spec other weights, under the same name."""
    run = train(BASE)
    store.add(run)
    other = {name: values * np.float32(1.001) for name, values in run.parameters.items()}
    store.save_weights(replace(run, parameters=other))
    measure_run(BASE, store, checkpoints=1)
    (row,) = measures(store).to_dict("records")
    model = build_model(BASE, build(BASE))
    model.load_state_dict({name: torch.tensor(v) for name, v in run.parameters.items()})
    assert row["margin"] == measure(model, build(BASE)).margin


def test_what_a_first_measurement_lacks_a_later_one_says(store):
    """As when a measure was added: runs are not trained again for it."""
    measure_run(BASE, store, checkpoints=3)
    (path,) = folder_of(store).iterdir()
    old = pq.read_table(path).drop_columns(["margin"])
    path.unlink()
    shard.write(folder_of(store), old)
    assert measures(store)["margin"].isna().all()
    measure_run(BASE, store, checkpoints=1)
    found = measures(store)
    assert found["margin"].notna().tolist() == [False, False, True]
    assert found["trig_share"].notna().all()


def test_the_longer_measurement_is_taken(store):
    measure_run(BASE, store, checkpoints=1)
    assert lacking([BASE], store, 1) == [] and lacking([BASE, BASE], store, 5) == [BASE]
    measure_run(BASE, store, checkpoints=5)
    assert lacking([BASE], store, 5) == [] and lacking([BASE], store, 20) == [BASE]
    assert len(measures(store)) == 5 and len(list(folder_of(store).iterdir())) == 2
    before = measures(store)
    Measured(store).compact()
    assert len(list(folder_of(store).iterdir())) == 1
    columns = ["key", "epoch", "trig_share"]
    pd.testing.assert_frame_equal(measures(store)[columns], before[columns])


def test_the_command_measures_what_is_missing_once(store):
    result = call("tiny", "--checkpoints", 3, "--seeds", "0")
    assert result.exit_code == 0, result.output
    assert "tiny: 2 of 2 runs are not measured" in result.output
    assert "2 are trained again" in result.output and "[2/2] add d=8 D=60 seed=0" in result.output
    again = call("tiny", "--checkpoints", 3, "--dry-run")
    assert "tiny: 2 of 4 runs are not measured" in again.output
    call("tiny", "--checkpoints", 1)
    assert len(measures(store)) == 2 * 3 + 2
    assert len(list(folder_of(store).glob("*.parquet"))) == 1
    frame = gather_measures(TINY.specs([1]))
    assert set(frame["seed"]) == {1} and set(frame["train_size"]) == {50, 60}


def test_a_run_in_flight_elsewhere_is_left_and_said(store):
    """A sweep has the same locks, and measures nothing."""
    others = Locks(store)
    assert others.take(BASE.replace(train_size=50).key)
    result = call("tiny", "--checkpoints", 3, "--seeds", "0")
    assert "1 are in flight elsewhere; the same command measures them" in result.output
    others.close()
    assert "1 of 2 runs are not measured" in call("tiny", "--checkpoints", 3, "--seeds", 0).output


def test_a_merge_that_was_cut_off_doubles_nothing(store):
    for seed in (0, 1):
        measure_run(BASE.replace(seed=seed), store, checkpoints=2)
    before = {path: path.read_bytes() for path in folder_of(store).iterdir()}
    for _ in range(2):
        Measured(store).compact()
        for path, data in before.items():  # as if it had been killed before it removed them
            path.write_bytes(data)
    Measured(store).compact()
    (path,) = folder_of(store).iterdir()
    assert pq.read_metadata(path).num_rows == 4


def test_a_large_file_is_left_alone(store, monkeypatch):
    """Git keeps each for ever: one file of all was written anew with every run."""
    monkeypatch.setattr("lib.runs.compaction.SHARD", 4)
    for seed in range(2):
        measure_run(BASE.replace(seed=seed), store, checkpoints=2)
    (large,) = Measured(store).compact()
    for seed in range(2, 4):
        measure_run(BASE.replace(seed=seed), store, checkpoints=1)
    Measured(store).compact()
    assert (folder_of(store) / large).exists() and len(list(folder_of(store).iterdir())) == 2
    assert set(measures(store)["key"]) == {BASE.replace(seed=seed).key for seed in range(4)}


def test_what_cannot_be_measured_or_kept_is_seen_before_anything_is_trained(
    store, known, monkeypatch
):
    monkeypatch.setattr("lib.cli.circuits.measure_run", lambda *_, **__: pytest.fail("trained"))
    kinds = [{}, dict(n_layers=2)]
    known(**SMALL, mixed=Grid("mixed", "", BASE, cells=kinds))
    for name, why in (("mixed", "in one layer"), ("even", "odd number")):
        result = CliRunner().invoke(main, ["circuits", name])
        assert result.exit_code == 2 and why in result.stderr and result.stderr.count("\n") == 1
    store.folder.mkdir()
    store.runs_folder.write_text("in the way")
    result = CliRunner().invoke(main, ["circuits", "tiny"])
    assert result.exit_code == 2 and result.stderr.count("\n") == 1


def test_those_that_end_half_way_can_be_asked_for_alone(store):
    """Of the four runs one is stored, and ends half-way."""
    run = train(TINY.specs()[1])
    assert "4 of 4 runs are not measured" in call("tiny", "--dry-run").stdout
    assert "0 of 0 runs" in call("tiny", "--half-way", "--dry-run").stdout
    run.curve["train_accuracy"][-1], run.curve["val_accuracy"][-1] = 1.0, 0.4
    store.add(run)
    assert "1 of 1 runs are not measured" in call("tiny", "--half-way", "--dry-run").stdout


def test_a_bar_goes_on_within_a_run(store, monkeypatch):
    """Three of four runs count as measured, and of the last one half."""

    class Seen(tqdm):
        def __init__(self, **options):
            super().__init__(**options | dict(disable=False, mininterval=0))

    def measured(spec, *_, on_progress):
        if spec == TINY.specs()[-1]:
            on_progress(SimpleNamespace(epoch=30, epochs=60))

    monkeypatch.setattr("lib.cli.circuits.tqdm", Seen)
    monkeypatch.setattr("lib.cli.circuits.measure_run", measured)
    result = call("tiny")
    assert result.exit_code == 0, result.output
    parts = [int(part) for part in re.findall(r"(\d+)%", result.stderr)]
    assert any(80 < part < 95 for part in parts) and max(parts) == 100
    assert "3/4 runs" in result.stderr and "left" in result.stderr
    assert "[4/4] add d=8 D=60 seed=1: measured in" in result.stdout


def test_a_measurement_goes_on_only_where_no_weights_on_the_way_are_asked_for(store):
    def begin(checkpoints):
        def leave(progress):
            if progress.epoch > 20:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            train(BASE, on_progress=leave, checkpoints=Checkpoints(store.own, every=0))
        epochs = []
        measure_run(BASE, store, checkpoints, on_progress=lambda p: epochs.append(p.epoch))
        assert not list((store.own / "checkpoints").iterdir())
        return epochs[0]

    assert begin(1) > 0 and set(measures(store)["digest"]) == {train(BASE).digest}
    assert begin(5) == 0 and len(measures(store)) == 5


def test_a_broken_file_is_named_and_left_out(store, capsys):
    path = measure_run(BASE, store, checkpoints=2)
    measure_run(BASE.replace(seed=1), store, checkpoints=2)
    path.write_bytes(path.read_bytes()[:-7])
    assert set(measures(store)["key"]) == {BASE.replace(seed=1).key}
    assert "is broken and left out" in capsys.readouterr().err
    assert call("tiny", "--dry-run").exit_code == 2
    Measured(store).compact()
    assert path.exists()  # not ours to remove


def test_nothing_measured_is_an_empty_table(store):
    frame = measures(store)
    assert frame.empty and "trig_share" in frame and not folder_of(store).exists()
    assert gather_measures([BASE]).empty
    assert pa.types.is_list(lib.circuits.measures.SCHEMA.field("logit_spectrum").type)


def test_training_again_is_announced(store, monkeypatch, capsys):
    monkeypatch.setenv("GROKKING_RESULTS", str(store.folder))
    monkeypatch.setenv("GROKKING_CACHE", str(store.cache))
    again = []
    instead = lambda spec, *_, **__: again.append(spec)  # noqa: E731
    monkeypatch.setattr("lib.circuits.measures.measure_run", instead)
    gather_measures(TINY.specs([1]), train_missing=True)
    assert again == TINY.specs([1])
    assert f"training {len(again)} runs again, to look inside" in capsys.readouterr().err
