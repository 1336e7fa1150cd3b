"""Specs: what is refused, what names a run, when a run is looked at."""

import dataclasses
import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lib.spec
from lib.paper.grid import Grid, by_name
from lib.paths import ROOT
from lib.spec import KNOBS, RunSpec, SpecError

BAD = [
    dict(task="foo"),
    dict(modulus=1),
    dict(modulus=1001),
    dict(modulus=5),  # fewer pairs than the default train_size
    dict(train_size=0),
    dict(train_size=20_000),
    dict(train_size=3000.0),
    dict(train_size=True),
    dict(memorize_size=5),  # not a multitask run
    dict(task="multitask"),  # a multitask run without memorization points
    dict(d_model=30),
    dict(d_model=0),
    dict(d_model=-4),
    dict(d_model=8192),
    dict(n_heads=0),
    dict(n_layers=0),
    dict(lr=-1.0),
    dict(lr=0.0),
    dict(lr=float("nan")),
    dict(lr=float("inf")),
    dict(lr="fast"),
    dict(weight_decay=-0.1),
    dict(beta1=1.0),
    dict(beta2=-0.1),
    dict(eps=0.0),
    dict(eps=1e-38),  # 0 in the float32 of an engine
    dict(weight_decay=1e300),
    dict(epochs=0),
    dict(seed=-1),
    dict(seed=2**32),
    dict(n_evals=1),
    dict(stop_after=0),
    dict(stop_after=1.5),
    dict(norm="post"),
    dict(residual=0.5),
    dict(warmup=0),
    dict(warmup=2.5),
    dict(split_mlp=True),  # not a multitask run
    dict(split_mlp="yes"),
    dict(d_mlp=33, task="multitask", memorize_size=5, split_mlp=True),
    dict(d_head=0),
    dict(tied=1),
    dict(decayed="biases"),
    dict(d_mlp=64, init_from=RunSpec()),
]


@pytest.mark.parametrize("values", BAD, ids=str)
def test_an_impossible_run_is_refused_in_one_line(values):
    with pytest.raises(SpecError) as error:
        RunSpec(**values)
    message = str(error.value)
    assert message and "\n" not in message
    assert next(iter(values)) in message or "task" in message or "train_size" in message


def test_all_pairs_may_be_training_points():
    assert RunSpec(train_size=113**2).n_pairs == 12_769


PARENT = dict(train_size=5000, d_model=48, epochs=6000, seed=2)
STORED = {
    "366979136313fd03df61": dict(d_model=64),  # figure 2
    "54b8110c08aaaa4be84d": dict(d_model=44, seed=2, stop_after=1000),  # figure 3
    "21b7e52dab0f02776351": dict(task="random", train_size=12_769, seed=1),  # figure 4
    "f05d17654a52f830d550": dict(d_model=8, epochs=40_000, seed=2),  # figure 5
    "d585528412f182a6eed4": dict(task="random_square", train_size=12_769, d_model=24, seed=1),
    "9ddc89cf19c50c3c744c": dict(
        task="square", train_size=3600, d_model=48, seed=2, stop_after=1000
    ),
    "20f1d0a650c205b8f4c5": dict(task="multitask", memorize_size=3000, seed=1, stop_after=1000),
    "c09772afbd9c0eeecc07": dict(
        task="multitask", modulus=59, train_size=1200, memorize_size=1200, d_model=64, n_layers=2,
        lr=0.001, epochs=6000, seed=1, stop_after=1000, norm="pre", residual="scaled",
    ),
    "3bc57dc65824a37b7929": dict(d_model=28, weight_decay=1.0, seed=1001, stop_after=1000),
    "ff5cab968c08cf769118": PARENT,
    "04f654f69998209c0003": dict(train_size=700, d_model=48, seed=2, init_from=PARENT),
}  # fmt: skip


@pytest.mark.parametrize("key", STORED)
def test_the_key_is_what_it_always_was(key):
    """A changed key orphans every stored run: raise NUMERICS_VERSION instead, if you must."""
    fields = dict(STORED[key])
    if "init_from" in fields:
        fields["init_from"] = RunSpec(**fields["init_from"])
    assert RunSpec(**fields).key == key


def test_every_stored_run_is_found_by_its_spec():
    files = list((ROOT / "results" / "runs").glob("*.parquet"))
    assert files
    for file in files:
        for row in pq.read_table(file, columns=["key", "spec"]).to_pylist():
            assert RunSpec(**json.loads(row["spec"])).key == row["key"]


def test_every_field_and_the_numerics_version_are_in_the_key(monkeypatch):
    base = RunSpec(train_size=100)
    changed = dict(
        task="square", modulus=59, train_size=101, d_model=36, n_heads=2, n_layers=2, lr=1e-3,
        weight_decay=1.0, beta1=0.8, beta2=0.9, eps=1e-7, epochs=10, seed=1, n_evals=10,
        stop_after=5, norm="pre", residual="scaled", warmup=7, loss="float32", init_scale=2.0,
        batch=50, d_head=4, d_mlp=64, tied=True, decayed="matrices", init_from=base,
    )  # fmt: skip
    assert set(changed) | {"memorize_size", "split_mlp"} == set(KNOBS)
    keys = {base.key} | {base.replace(**{name: value}).key for name, value in changed.items()}
    keys.add(base.replace(task="multitask", memorize_size=7).key)
    keys.add(base.replace(task="multitask", memorize_size=8).key)
    keys.add(base.replace(task="multitask", memorize_size=8, split_mlp=True).key)
    assert len(keys) == len(changed) + 4
    monkeypatch.setattr(lib.spec, "NUMERICS_VERSION", lib.spec.NUMERICS_VERSION + 1)
    assert base.key not in keys


def test_equal_numbers_are_one_spec():
    assert RunSpec(weight_decay=1) == RunSpec(weight_decay=1.0)
    assert RunSpec(weight_decay=1).key == RunSpec(weight_decay=1.0).key


def test_a_split_that_is_off_is_no_split():
    mixed = RunSpec(task="multitask", memorize_size=8)
    assert (
        mixed.replace(split_mlp=False) == mixed and mixed.replace(split_mlp=False).key == mixed.key
    )


def test_a_spec_survives_its_dictionary():
    spec = RunSpec(d_model=64, stop_after=300)
    assert RunSpec(**spec.to_dict()) == spec


@given(epochs=st.integers(1, 10**8), n_evals=st.integers(2, 400))
def test_evaluations_rise_from_0_to_T_and_are_not_too_many(epochs, n_evals):
    points = RunSpec(epochs=epochs, n_evals=n_evals).eval_epochs()
    assert points.dtype == np.int64
    assert points[0] == 0 and points[-1] == epochs
    assert (np.diff(points) > 0).all() and len(points) <= n_evals


def test_the_early_phase_is_seen():
    points = RunSpec(epochs=20_000).eval_epochs()
    assert (points <= 100).sum() >= 20 and len(points) >= 250


def test_a_grid_is_its_product_seed_by_seed():
    base = RunSpec()
    grid = Grid("g", "a grid", base, axes={"d_model": (8, 16), "train_size": (50, 60)}, seeds=3)
    assert len(grid) == len(list(grid)) == 12
    first = [(s.seed, s.d_model, s.train_size) for s in grid][:5]
    assert first == [(0, 8, 50), (0, 8, 60), (0, 16, 50), (0, 16, 60), (1, 8, 50)]
    assert {s.seed for s in grid.specs([7])} == {7}


def test_a_grid_of_cells():
    grid = Grid("g", "a grid", RunSpec(), cells=({"d_model": 8}, {"train_size": 9}), seeds=2)
    assert [(s.d_model, s.train_size) for s in grid.specs([0])] == [(8, 3000), (32, 9)]
    assert len(grid) == 4


@pytest.mark.parametrize(
    "fields, said",
    [
        (dict(axes=dict(d_modell=(8,))), "no such field: d_modell"),
        (dict(cells=(dict(wide=8),)), "no such field: wide"),
        (dict(axes=dict(d_model=8)), "a tuple of values for d_model"),
        (dict(axes=dict(d_model=(8,)), cells=(dict(lr=1.0),)), "axes or cells"),
    ],
)
def test_a_mistaken_grid_says_which_it_is(fields, said):
    with pytest.raises(ValueError, match=f"experiment mine: .*{said}"):
        Grid("mine", "", RunSpec(), **fields)


def test_an_impossible_cell_names_its_experiment():
    with pytest.raises(SpecError, match="experiment mine: d_model must be a multiple of n_heads"):
        list(Grid("mine", "", RunSpec(), axes=dict(d_model=(30,))))


def test_two_experiments_of_one_name_are_refused():
    grids = [Grid("mine", title, RunSpec()) for title in ("one", "other")]
    assert list(by_name(grids[:1])) == ["mine"]
    with pytest.raises(ValueError, match="two experiments are called mine"):
        by_name(grids)


def test_numbers_of_numpy_are_numbers():
    spec = RunSpec(d_model=np.int64(8), lr=np.float32(0.5), tied=np.bool_(True))
    assert spec == RunSpec(d_model=8, lr=0.5, tied=True) and type(spec.d_model) is int
    assert spec.key == RunSpec(d_model=8, lr=0.5, tied=True).key


def test_a_grid_can_start_at_another_seed():
    grid = Grid("g", "", RunSpec(), cells=(dict(d_model=8), dict(d_model=16)), seeds=3)
    late = dataclasses.replace(grid, first_seed=1000)
    assert [s.seed for s in grid] == [0, 0, 1, 1, 2, 2]
    assert [s.seed for s in late] == [1000, 1000, 1001, 1001, 1002, 1002]
    assert len(late) == 6 and [s.seed for s in late.specs([5])] == [5, 5]


def test_every_field_says_what_it_is_and_what_it_may_be():
    for name, knob in lib.spec.KNOBS.items():
        assert knob.help.endswith(".") and knob.name == name
        assert knob.default is None or lib.spec.problem_of(name, knob.default) is None
        for end, step in (("low", -1), ("high", 1), ("above", 0), ("below", 0)):
            if end in knob.limits:
                assert knob.allowed in lib.spec.problem_of(name, knob.limits[end] + step)


def test_minus_zero_is_zero():
    """Equal specs have one key, whoever is asked for it first."""
    for name in ("weight_decay", "beta1", "beta2"):
        lib.spec._key.cache_clear()
        minus = RunSpec(**{name: -0.0}).key
        lib.spec._key.cache_clear()
        assert RunSpec(**{name: 0.0}).key == minus
