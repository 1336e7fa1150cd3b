"""The race of recipes: it ends where the whole search ends, and earlier."""

import numpy as np
import pandas as pd
import pytest

from lib.paper import race
from lib.paper.race import Racer, at_best, in_the_race, next_runs, standings
from lib.paper.scores import RECIPE_FIELDS, of_recipes, of_sentences, probability
from lib.paper.search import SEEDS_OF_PAPER, SENTENCES

TIMES = (60_000,)
CELL = ["task", "d_model", "train_size"]
ASKED = {s.cell: s for s in reversed(SENTENCES) if s.event == "accuracy"}  # each cell's first


def end_of(spec):
    """Where a made-up run ends: as asked the likelier, the nearer the recipe to (1e-3, 2)."""
    asked = ASKED[spec.task, spec.d_model, spec.train_size]
    far = abs(np.log2(spec.lr / 1e-3)) + abs(spec.weight_decay - 2)
    meets = np.random.default_rng([spec.seed, spec.d_model, spec.train_size]).random() > far / 4
    if asked.most < SEEDS_OF_PAPER:  # it must not
        return 0.3 if meets else 1.0
    return (asked.low + asked.high) / 2 if meets else 0.6 if asked.low == 0 else 0.05


def runs_of(specs):
    """Frames of made-up runs."""
    rows, curves = [], []
    for spec in specs:
        rows.append([getattr(spec, name) for name in ("key", *CELL, *RECIPE_FIELDS)])
        for epoch, part, norm in ((0, 0, 3), (25_000, 0.5, 2), (60_000, 1, 4)):
            curves.append((spec.key, epoch, part * end_of(spec), norm))
    return (
        pd.DataFrame(rows, columns=["key", *CELL, *RECIPE_FIELDS]),
        pd.DataFrame(curves, columns=["key", "epoch", "val_accuracy", "param_norm"]),
    )


@pytest.mark.parametrize("places", [1, 3])
def test_it_ends_with_the_recipes_of_the_whole_search_and_trains_less(places):
    specs = [spec for spec in race.specs() if spec.lr in (1e-3, 2e-3) and spec.beta2 == 0.98]
    specs = [spec for spec in specs if not (spec.loss or spec.init_scale)]
    done = []
    while todo := next_runs(standings(specs, *runs_of(done), TIMES), places, at_once=10):
        assert not set(todo) & set(done)
        done += todo
    best = of_recipes(of_sentences(*runs_of(specs), TIMES)).nlargest(places, "score")
    ended = standings(specs, *runs_of(done), TIMES)[:places]
    assert [racer.bound for racer in ended] == pytest.approx(best["score"].tolist())
    assert [racer.recipe[:2] for racer in ended] == list(zip(best["lr"], best["weight_decay"]))
    assert not any(racer.left for racer in ended)
    assert len(done) < {1: 0.5, 3: 0.8}[places] * len(specs)


def test_a_bound_is_never_below_what_the_runs_turn_out_to_show():
    specs = [spec for spec in race.specs() if spec.lr == 1e-3 and spec.weight_decay == 2.0]
    before = np.inf
    for seen in range(0, len(specs) + 1, 7):
        first = standings(specs, *runs_of(specs[:seen]), TIMES)
        bound = {racer.recipe: racer.bound for racer in first}[1e-3, 2.0, 0.98, None, None]
        assert bound <= before + 1e-15
        before = bound


def test_the_best_that_can_come():
    for number, sentence in enumerate(SENTENCES):
        assert at_best(number, 1, 2, 0) == probability(sentence, 1, 2)
        every = [probability(sentence, k, n) for n in (1, 2, 3) for k in range(1, n + 1)]
        assert at_best(number, 1, 1, 2) == max(every[:1] + [
            probability(sentence, 1 + k, 1 + n) for n in (1, 2) for k in range(n + 1)
        ])  # fmt: skip


def test_who_is_in_the_race_and_who_is_next():
    run = iter(race.specs())

    def racer(name, bound, left):
        return Racer((name,), bound, tuple(next(run) for _ in range(left)))

    a, b, c, d = (racer(*x) for x in (("a", 0.5, 3), ("b", 0.4, 1), ("c", 0.3, 0), ("d", 0.2, 9)))
    assert in_the_race([a, b, c, d]) == [a, b] and in_the_race([a, b, c, d], 2) == [a, b, d]
    assert next_runs([a, b, c, d], 1, 9) == [a.left[0], b.left[0], a.left[1], a.left[2]]
    assert next_runs([a, b, c, d], 2, 5) == [a.left[0], b.left[0], a.left[1], d.left[0], a.left[2]]
    assert next_runs([a, b, c, d], 1, 2) == [a.left[0], b.left[0]]
    assert next_runs([c, d]) == []
