"""The race of recipes: it ends where the whole search ends, and earlier."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lib.paper.race import standings as race
from lib.paper.race.scores import RECIPE_FIELDS, of_recipes, of_sentences
from lib.paper.race.standings import Racer, at_best, in_the_race, next_runs, standings
from lib.paper.search import SEEDS_OF_PAPER, SENTENCES
from lib.spec import RunSpec

TIMES = (25_000, 60_000)
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
        # At this rate what is reached at 25,000 epochs is lost later: another T suits it.
        parts = (0, 1, 0.5) if spec.lr == 2e-3 else (0, 0.5, 1)
        for epoch, part, norm in zip((0, 25_000, 60_000), parts, (3, 2, 4)):
            curves.append((spec.key, epoch, part * end_of(spec), norm))
    return (
        pd.DataFrame(rows, columns=["key", *CELL, *RECIPE_FIELDS]),
        pd.DataFrame(curves, columns=["key", "epoch", "val_accuracy", "param_norm"]),
    )


def _plain_but(spec, *names):
    """Whether a run has none of the variants, but for some."""
    variants = set(RECIPE_FIELDS[3:]) - {*names}
    return all(getattr(spec, name) is None for name in variants)


@pytest.mark.parametrize("places", [1, 3])
def test_it_ends_with_the_recipes_of_the_whole_search_and_trains_less(places):
    specs = [spec for spec in race.specs() if spec.lr in (1e-3, 2e-3) and spec.beta2 == 0.98]
    specs = [s for s in specs if _plain_but(s, "loss")]  # two arms among them
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


@pytest.mark.parametrize(
    "lr, weight_decay, loss", [(1e-3, 2.0, None), (2e-3, 3.0, None), (1e-3, 1.0, "float32")]
)
def test_a_bound_is_never_below_what_the_runs_turn_out_to_show(lr, weight_decay, loss):
    recipe = race._recipe(RunSpec(lr=lr, weight_decay=weight_decay, loss=loss))
    specs = [s for s in race.specs() if race._recipe(s) == recipe]
    whole = of_recipes(of_sentences(*runs_of(specs), TIMES))["score"].max()
    bounds = []
    for seen in range(len(specs) + 1):
        (racer,) = standings(specs, *runs_of(specs[:seen]), TIMES)
        assert racer.recipe == recipe and len(racer.left) == len(specs) - seen
        bounds.append(racer.bound)
    assert all(b <= a * (1 + 1e-12) for a, b in zip(bounds, bounds[1:]))
    assert bounds[-1] == racer.score == pytest.approx(whole)


def test_the_best_that_can_come():
    """Of 11 seeds at most 3, when 1 of 1 showed it: the posterior's mean of that probability."""
    never = next(i for i, s in enumerate(SENTENCES) if (s.least, s.most) == (0, 3))
    mean = stats.beta(1.5, 0.5).expect(lambda p: stats.binom.cdf(3, 11, p))
    assert at_best(never, 1, 1, 0) == pytest.approx(mean, rel=1e-4)
    assert at_best(never, 0, 0, 1) == at_best(never, 0, 1, 0)  # the run does not show it
    assert at_best(never, 1, 1, 1) == at_best(never, 1, 2, 0) > at_best(never, 1, 1, 0)
    norm = next(i for i, s in enumerate(SENTENCES) if s.event == "norm")
    assert at_best(norm, 0, 1, 1) == at_best(norm, 1, 2, 0)


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


def test_a_cell_that_has_told_much_comes_before_a_cheaper_one_that_told_nothing():
    specs = [s for s in race.specs() if s.lr in (1e-3, 2e-3)]
    specs = [s for s in specs if _plain_but(s)]
    cheap, dear = ("add", 8, 3000), ("add", 24, 2600)  # the second is to end at zero
    runs, curves = runs_of([s for s in specs if race._cell(s) in (cheap, dear) and s.seed == 1000])
    failed = curves["key"].isin(runs[runs["d_model"] == 24]["key"])
    curves["val_accuracy"] = curves["val_accuracy"].mask(failed, 0.6)

    def order(runs, curves):
        cells = [race._cell(s) for s in standings(specs, runs, curves, TIMES)[0].left]
        return cells.index(cheap) < cells.index(dear)

    assert order(runs[:0], curves[:0]) and not order(runs, curves)
