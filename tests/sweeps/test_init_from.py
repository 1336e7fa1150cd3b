"""Continued runs: what is refused, what names them, where their start comes from."""

import json

import fake_train
import numpy as np
import pyarrow as pa
import pytest
from processes import Here, rate

from lib.paper.grid import Grid
from lib.runs import shard
from lib.runs.locks import Locks
from lib.runs.store import Store
from lib.spec import RunSpec, SpecError
from lib.sweeps.plan import costs_of, estimate, in_order
from lib.sweeps.sweep import sweep
from lib.sweeps.weights import load_model, start_of
from lib.sweeps.workers import _train
from lib.train import train

PARENT = RunSpec(modulus=13, train_size=169, d_model=8, epochs=60, n_evals=5)
CHILD = PARENT.replace(train_size=60, epochs=40, init_from=PARENT)


@pytest.mark.parametrize(
    "changes",
    [
        dict(init_from="a run"),
        dict(init_from=PARENT.replace(d_model=12)),
        dict(init_from=PARENT.replace(modulus=31)),
        dict(init_from=PARENT.replace(n_heads=2)),
        dict(init_from=PARENT.replace(task="multitask", memorize_size=3)),
    ],
    ids=str,
)
def test_an_impossible_parent_is_refused_in_one_line(changes):
    with pytest.raises(SpecError, match="init_from") as error:
        CHILD.replace(**changes)
    assert "\n" not in str(error.value)


def test_the_parent_is_in_the_key_and_survives_its_dictionary():
    keys = {
        CHILD.key,
        CHILD.replace(init_from=None).key,
        CHILD.replace(init_from=PARENT.replace(epochs=61)).key,
        CHILD.replace(init_from=CHILD).key,
    }
    assert len(keys) == 4
    grandchild = CHILD.replace(init_from=CHILD)
    assert RunSpec(**grandchild.to_dict()) == grandchild
    assert hash(grandchild) == hash(RunSpec(**grandchild.to_dict()))
    assert "from D=169" in CHILD.label()


def test_seeds_reach_the_parents():
    grid = Grid("g", "", CHILD, axes=dict(train_size=(50, 60)), seeds=3)
    assert [s.init_from.seed for s in grid] == [s.seed for s in grid] == [0, 0, 1, 1, 2, 2]
    assert CHILD.replace(init_from=CHILD).with_seed(4).init_from.init_from.seed == 4


def test_it_starts_where_the_parent_ended():
    parent, child = train(PARENT), train(CHILD)
    assert child.curve["param_norm"][0] == parent.curve["param_norm"][-1]
    assert train(CHILD, start=parent.parameters).digest == child.digest
    scratch = train(CHILD.replace(init_from=None))
    assert child.curve["train_loss"][0] < scratch.curve["train_loss"][0]
    with pytest.raises(SpecError, match="init_from"):
        train(PARENT, start=parent.parameters)


def test_progress_of_the_parent_does_not_count():
    seen = []
    train(CHILD, on_progress=lambda p: seen.append((p.epoch, p.epochs)))
    assert {epochs for _, epochs in seen} == {40}
    assert [e for e, _ in seen] == [0] * len(PARENT.eval_epochs()) + CHILD.eval_epochs().tolist()


def test_weights_on_the_way_are_those_of_a_shorter_run():
    taken = {}
    run = train(PARENT, on_evaluation=lambda epoch, weights: taken.update({epoch: weights}))
    assert list(taken) == run.curve["epoch"].tolist()
    for name, values in run.parameters.items():
        assert np.array_equal(taken[60][name], values)
    middle = int(run.curve["epoch"][2])
    shorter = train(PARENT.replace(epochs=middle))
    for name, values in shorter.parameters.items():
        assert np.array_equal(taken[middle][name], values)
    assert train(PARENT).digest == run.digest


def test_it_comes_back_from_the_store(store):
    store.add_many([fake_train.fake_run(PARENT), fake_train.fake_run(CHILD)])
    runs = Store(store.folder).runs().set_index("key")
    assert runs.loc[CHILD.key, "init_from"] == PARENT.key
    assert runs["init_from"].isna().sum() == 1
    (file,) = store.files()
    texts = shard.read(store.runs_folder / file, ["key", "spec"]).to_pylist()
    specs = {row["key"]: RunSpec(**json.loads(row["spec"])) for row in texts}
    assert specs == {PARENT.key: PARENT, CHILD.key: CHILD}


def test_files_from_before_are_read_and_merged_with_new_ones(store):
    old = shard.table([fake_train.fake_run(PARENT)]).drop_columns(["init_from"])
    shard.write(store.runs_folder, old)
    shard.write(store.runs_folder, old.slice(0, 0))
    store.add(fake_train.fake_run(CHILD))
    assert set(store.runs()["key"]) == {PARENT.key, CHILD.key}
    (file,) = store.compact()
    assert pa.types.is_string(shard.read(store.runs_folder / file).schema.field("init_from").type)
    again = Store(store.folder).runs().set_index("key")
    assert again.loc[CHILD.key, "init_from"] == PARENT.key
    assert again.isna().loc[PARENT.key, "init_from"]


def test_a_parent_is_trained_once_and_kept(store):
    trained = []

    def counting(spec, **options):
        trained.append(spec)
        return train(spec, **options)

    first = start_of(CHILD, store, counting)["start"]
    second = start_of(CHILD, store, counting)["start"]
    assert trained == [PARENT]
    assert all(np.array_equal(first[name], second[name]) for name in first)
    grandchild = CHILD.replace(init_from=CHILD, epochs=10)
    start_of(grandchild, store, counting)
    assert trained == [PARENT, CHILD]  # the parent's weights were there
    assert start_of(PARENT, store, counting) == {}


def test_a_parent_is_trained_as_its_child_is(store):
    """Weights that another engine left are another parent's."""
    store.save_weights(train(PARENT))
    how = dict(engine="reference")
    kind, value = _train(CHILD, store, 1, None, lambda message: None, how)
    assert kind == "done", value
    assert store.runs()["digest"].item() == train(CHILD, **how).digest
    assert train(CHILD, **how).digest != train(CHILD).digest


def test_a_worker_hands_them_over(store):
    kind, value = _train(CHILD, store, 1, None, lambda message: None)
    assert kind == "done", value
    assert store.keys() == {CHILD.key}  # the parent is a means: only its weights are kept
    assert store.load_weights(PARENT) is not None
    assert store.runs()["digest"].item() == train(CHILD).digest
    model = load_model(CHILD, store)
    assert np.array_equal(model.W_E.detach().numpy(), train(CHILD).parameters["W_E"])


def test_estimates_and_order_see_the_cell(store):
    grid = Grid("g", "", CHILD.replace(stop_after=5), axes=dict(train_size=(50, 60)), seeds=3)
    specs = list(grid)
    short = grid.base.replace(train_size=50)
    store.add(fake_train.fake_run(short, last=20, status="stopped"))
    known = estimate(specs, lambda width: 1e9, store.runs())
    whole = estimate(specs, lambda width: 1e9)
    assert (known < 0.5 * whole).all()  # other seeds of the cell, and its neighbours
    plain = [s.replace(init_from=None) for s in specs]
    assert (estimate(plain, lambda width: 1e9, store.runs()) == whole).all()
    costs = dict(zip(specs, known))
    del costs[specs[0]]  # stored: D = 50 has a seed already
    order = in_order(costs, specs)
    assert order[0] == specs[1]


def test_estimates_have_the_parents_that_are_trained_again(store, monkeypatch):
    monkeypatch.setattr("lib.sweeps.sweep.Crew", lambda jobs, settings: Here(store))
    second = CHILD.replace(train_size=50)
    third = PARENT.replace(epochs=10, init_from=CHILD)
    own = dict(zip(some := [PARENT, CHILD, second, third], estimate(some, rate), strict=True))
    told = costs_of([CHILD, second, third], rate, store)
    first = own[PARENT] + own[CHILD]
    assert list(told.values()) == [first, own[second], own[third]]
    there = costs_of([second, third], rate, store, shared=False)
    assert list(there.values()) == pytest.approx([own[PARENT] + own[second], own[third] + first])
    assert sweep([CHILD], store, jobs=1, rate=rate).predicted == first
    assert list(costs_of([second, third], rate, store).values()) == [own[second], own[third]]


def test_a_budget_counts_the_parent_of_each_child(store, monkeypatch):
    """Not of the first alone: a second would begin, and train the parent all the same."""
    monkeypatch.setattr("lib.sweeps.sweep.Crew", lambda jobs, settings: Here(store))
    children = [CHILD, CHILD.replace(train_size=50)]
    parent, child = estimate([PARENT, CHILD], rate)
    how = dict(jobs=1, rate=rate, budget_s=(parent + child) / 2)
    assert child < how["budget_s"] and sweep(children, store, **how).done == 0
    store.save_weights(train(PARENT))
    assert sweep(children[:1], store, **how | dict(budget_s=1e9)).done == 1


def test_a_parent_that_is_asked_for_comes_first_and_is_trained_once(store):
    trained = []

    def counting(spec, **options):
        trained.append(spec)
        return train(spec, **options)

    grandchild = PARENT.replace(epochs=10, init_from=CHILD)
    specs = [grandchild, CHILD, PARENT]
    costs = costs_of(specs, rate, store)
    assert sum(costs.values()) == pytest.approx(sum(estimate(specs, rate)))
    order = in_order(costs, specs, [[grandchild]])  # asked for first, and yet last
    assert order == [PARENT, CHILD, grandchild]
    report = sweep(specs, store, rate=rate, crew=lambda: Here(store, counting))
    assert report.done == 3 and trained == order


def test_waiting_for_a_parent_is_not_slowness(store, monkeypatch):
    """A sweep that took it for that would believe all the rest to take as much longer."""
    locks, waited = Locks(store), []
    assert locks.take(PARENT.key)

    def sleep(seconds):
        waited.append(seconds)
        if len(waited) == 3:
            store.save_weights(train(PARENT))
            locks.close()

    monkeypatch.setattr("lib.sweeps.weights.time.sleep", sleep)
    told = []
    start_of(CHILD, store, train, on_wait=told.append)
    assert told == waited and len(told) == 3


def test_a_sweep_of_children_trains_their_parent_once(store):
    """Two processes, four runs, one parent: the second process waits for the first."""
    specs = [CHILD.replace(train_size=size) for size in (30, 40, 50, 60)]
    report = sweep(specs, store, jobs=2, rate=lambda width: 1e9, nice=False, progress=False)
    assert (report.done, report.left, report.failed) == (4, 0, [])
    runs = store.runs().set_index("key")
    assert set(runs["init_from"]) == {PARENT.key}
    for spec in specs:
        assert runs.loc[spec.key, "digest"] == train(spec).digest
    kept = {path.stem for path in (store.own / "weights").iterdir()}
    assert kept == {f"{spec.key}-numba" for spec in (PARENT, *specs)}
