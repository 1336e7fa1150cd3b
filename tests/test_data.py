"""Tasks, labels and splits."""

from dataclasses import replace

import numpy as np
import pytest

from lib.data import all_pairs, build, stream
from lib.spec import RunSpec, SpecError
from lib.tasks import TASKS, task
from lib.train import train


def rows(split):
    return {tuple(r) for r in split.tokens.tolist()}


@pytest.mark.parametrize(
    "name, answer", [("add", lambda a, b: a + b), ("square", lambda a, b: (a + b) ** 2)]
)
def test_labels(name, answer):
    data = build(RunSpec(task=name))
    for split in (data.train, data.val):
        a, b, equals = split.tokens.T.astype(np.int64)
        assert (split.labels == answer(a, b) % 113).all()
        assert (equals == 113).all()


def test_train_and_validation_make_up_all_pairs():
    data = build(RunSpec(train_size=3000))
    assert len(data.train) == 3000 and len(data.val) == 113**2 - 3000
    assert not rows(data.train) & rows(data.val)
    assert len(rows(data.train) | rows(data.val)) == 113**2


def test_training_sets_are_nested_and_shared_by_widths():
    small, large = build(RunSpec(train_size=2000)), build(RunSpec(train_size=4000, d_model=64))
    assert np.array_equal(small.train.tokens, large.train.tokens[:2000])
    other = build(RunSpec(train_size=2000, seed=1))
    assert not np.array_equal(small.train.tokens, other.train.tokens)


def test_whole_table_has_no_validation_set():
    data = build(RunSpec(modulus=7, train_size=49))
    assert len(data.val) == 0 and len(data.train) == 49


def test_random_labels_commute_and_look_random():
    data = build(RunSpec(task="random", train_size=113**2))
    table = np.empty((113, 113), int)
    a, b, _ = data.train.tokens.T
    table[a, b] = data.train.labels
    assert (table == table.T).all()
    counts = np.bincount(table[np.triu_indices(113)], minlength=113)
    assert 20 < counts.min() and counts.max() < 100  # 57 expected


def test_squared_random_labels_are_as_frequent_as_the_squared_tasks():
    plain, squared = (
        build(RunSpec(task=task, train_size=113**2)).train for task in ("random", "random_square")
    )
    assert (squared.tokens == plain.tokens).all()
    assert (squared.labels == plain.labels**2 % 113).all()
    share = np.bincount(squared.labels, minlength=113) / 113**2
    task = np.bincount(build(RunSpec(task="square", train_size=113**2)).train.labels) / 113**2
    assert (share[task == 0] == 0).all() and abs(share - task).max() < 0.006


def test_multitask_mixture():
    spec = RunSpec(task="multitask", train_size=3000, memorize_size=4000)
    data = build(spec)
    assert len(data.train) == 7000 and len(data.memorize) == 4000
    a, op, b, equals = data.train.tokens.T
    plus = op == 114
    assert plus[:3000].all() and (op[3000:] == 115).all() and (equals == 113).all()
    assert (data.train.labels[plus] == (a + b)[plus] % 113).all()
    assert not rows(data.train) & rows(data.val)
    assert (data.val.tokens[:, 1] == 114).all()
    assert len(rows(data.memorize)) == 4000
    fit = np.mean(
        data.memorize.labels == (data.memorize.tokens[:, 0] - data.memorize.tokens[:, 2]) % 113
    )
    assert fit < 0.05  # random labels, not subtraction


def test_memorization_data_does_not_move_the_split():
    alone = build(RunSpec(train_size=1000))
    mixed = build(RunSpec(task="multitask", train_size=1000, memorize_size=10))
    assert np.array_equal(alone.train.tokens[:, 0], mixed.train.tokens[:1000, 0])


def test_a_new_task_is_one_registered_function():
    @task("multiply")
    def multiply(a, b, modulus, rng):
        return a * b % modulus

    try:
        spec = RunSpec(task="multiply", modulus=23, train_size=400, d_model=24, epochs=600)
        run = train(spec)
        a, b = all_pairs(23)
        assert (build(spec).train.labels == (a * b % 23)[_order(spec)][:400]).all()
        assert run.curve["train_accuracy"][-1] > 0.99
    finally:
        del TASKS["multiply"]


def _order(spec):
    """The pairs' numbers in the order of the training set."""
    tokens = build(spec.replace(train_size=spec.n_pairs)).train.tokens
    return tokens[:, 0] * spec.modulus + tokens[:, 1]


@pytest.mark.parametrize(
    "labels", [lambda sums: sums / 1, lambda sums: sums[:, None], list, max, lambda sums: sums[1:]]
)
def test_labels_that_are_not_a_whole_number_for_each_pair_are_refused(monkeypatch, labels):
    def add(a, b, modulus, rng):
        return labels((a + b) % modulus)

    monkeypatch.setitem(TASKS, "add", replace(TASKS["add"], labels=add))
    spec = RunSpec(modulus=5, train_size=3)
    if labels is list:  # as good as an array
        assert len(build(spec).train) == 3
        return
    with pytest.raises(SpecError, match="task 'add' must give a whole number for each pair"):
        build(spec)


@pytest.mark.parametrize("least", [-1, 1])
@pytest.mark.parametrize("part", ["labels", "memorize"])
def test_a_label_beyond_the_classes_is_refused(monkeypatch, part, least):
    def wrong(a, b, modulus, rng):
        return least + (a + b) % modulus

    monkeypatch.setitem(TASKS, "multitask", replace(TASKS["multitask"], **{part: wrong}))
    with pytest.raises(SpecError, match="label of task 'multitask'"):
        build(RunSpec(task="multitask", modulus=5, train_size=3, memorize_size=3))


def test_streams_are_apart_and_the_vocabulary_is_as_long_as_said():
    one, other = (
        stream(RunSpec(), name).integers(2**60) for name in ("memorize-labels", "memorize-slabel")
    )
    data = build(RunSpec(task="multitask", train_size=3000, memorize_size=3000))
    same = data.train.tokens[:3000, [0, 2]] == data.memorize.tokens[:, [0, 2]]
    assert one != other and not same.all()
    assert build(RunSpec()).n_tokens == 114 and data.n_tokens == 116
