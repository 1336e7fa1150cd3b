"""The search's tables from the stored runs."""

import re
from dataclasses import replace

import made_up
import numpy as np
import pandas as pd
import pytest
from worlds import jump

from lib.analysis.gather import gather
from lib.chapters.stories.recipe import batches, cells, leader, variants
from lib.chapters.stories.recipe import search as story
from lib.figures.recipes import search_map, sentence_map
from lib.paper.experiments import EXPERIMENTS
from lib.paper.race.scores import RECIPE_FIELDS, in_words
from lib.paper.race.standings import Racer, specs, standings
from lib.paper.search import (
    A_SIXTH,
    ARMS,
    BATCHES,
    CALIBRATION_SEED,
    NORMED,
    RECIPES,
    SENTENCES,
    SHAPES,
)
from lib.runs.store import Store
from lib.spec import RunSpec


@pytest.fixture(scope="module")
def told():
    found = gather(specs())
    return found, *story.scored(found)


def test_the_map_has_a_row_for_each_recipe_with_runs(told):
    found, _, recipes = told
    met, seen = story.map_of(recipes)
    tried = len(found.runs.groupby(RECIPE_FIELDS, dropna=False))
    assert len(met) == len(seen) == tried <= len((*RECIPES, *ARMS, *BATCHES, *NORMED, *SHAPES))
    figure = search_map(met, seen, len(SENTENCES))
    assert len(figure.axes[0].get_yticklabels()) == tried


def test_tables_say_what_stands_behind_them(told):
    found, sentences, recipes = told
    racers = standings(specs(), found.runs, found.curves)
    assert len(story.best_of_each(recipes, racers).splitlines()) == 2 + recipes["recipe"].nunique()
    assert len(story.of_the_best(sentences, recipes).splitlines()) == 2 + len(SENTENCES)
    assert f"{len(found.runs):,} of the search's {found.wanted:,}" in story.standing(found, recipes)


def test_the_books_recipe_is_scored_on_as_few_seeds_as_others():
    """Seed by seed, and two at once, which a product of chances does not punish alike."""
    own = gather(story.unseen()).whole()
    three = own.runs[own.runs["seed"].isin(sorted(own.runs["seed"].unique())[:3])]
    others = pd.DataFrame(dict(recipe=["a", "b", "c"], score=[1e-9, 2e-9, 1e-8], runs=[1, 1, 0]))
    said = leader.by_twos(replace(own, runs=three, specs=own.specs), others)
    _, low, high, middle, often, seldom, best = map(float, re.findall(r"[\d.]+e-\d+", said))
    assert low <= middle <= high and low < high and often < seldom and best == 1e-8
    assert "of 3 recipes" in said and "c has" in said
    assert leader.by_twos(replace(own, runs=own.runs[own.runs["seed"] == 0]), others) == ""
    assert leader.by_twos(replace(own, runs=three, specs=own.specs), others[:0]) == ""


def test_how_far_luck_goes():
    """One recipe of one outcome has no luck; each cell draws on its own, and sentences of a cell
    draw together."""

    def pair(*chances):
        return pd.DataFrame(dict(sentence=[0, 1, 2], probability=chances))

    assert leader.by_luck([pair(0.5, 0.5, 0.5)], 4) == pytest.approx(0.125)
    two = [pair(1.0, 1.0, 1.0), pair(0.5, 0.5, 0.5)]
    same = SENTENCES[0].cell, SENTENCES[1].cell, SENTENCES[2].cell
    cells = len(set(same))
    assert np.mean(leader.by_luck(two, 1) == 1) == pytest.approx(0.5**cells, abs=0.05)
    assert np.mean(leader.by_luck(two, 9) == 1) > np.mean(leader.by_luck(two, 1) == 1)


def recipe(**fields):
    return tuple(getattr(RunSpec(lr=1e-3, **fields), name) for name in RECIPE_FIELDS)


def test_recipes_in_words():
    assert in_words(recipe(weight_decay=2.0)) == "lr 0.001, wd 2"
    slow = recipe(weight_decay=2.0, beta2=0.999)
    assert in_words([float("nan") if v is None else v for v in slow]).endswith("β₂ 0.999")
    more = dict(loss="float32", init_scale=0.5, batch=512, norm="pre")
    assert in_words(recipe(weight_decay=1.0, **more)) == (
        "lr 0.001, wd 1, float32 loss, weights × 0.5, batches of 512, LayerNorm"
    )
    more = dict(d_head=32, d_mlp=512, tied=True, decayed="matrices")
    assert in_words(recipe(weight_decay=1.0, **more)) == (
        "lr 0.001, wd 1, heads of 32, 512 hidden units, tied embeddings, biases without decay"
    )


def test_the_race_in_words():
    def racer(lr, bound, left):
        own = (lr, *recipe(weight_decay=1.0)[1:])
        return Racer(own, bound, tuple(specs()[:left]))

    open_, whole = racer(2e-3, 0.5, 3), racer(1e-3, 0.1, 0)
    assert story.race([open_, racer(1e-3, 0.1, 2)]).startswith(
        "No recipe has all its runs yet, so none of the 2 is out"
    )
    assert "1 of 3 recipes may still pass it" in story.race([open_, whole, racer(3e-3, 0.05, 9)])
    assert story.race([whole, racer(3e-3, 0.05, 9)]).startswith("**lr 0.001, wd 1 has won**")


def answered(**met):
    """Sentences 4 and 5 (both "zero", 10 of 11) of some recipes at one T; None: no run."""
    rows = [
        (recipe, 60_000, number, 0 if not ok else 4, 0 if ok is None else 4)
        for recipe, answers in met.items()
        for number, ok in zip((4, 5), answers)
    ]
    return pd.DataFrame(rows, columns=["recipe", "T", "sentence", "k", "n"])


def test_what_no_recipe_gives_together():
    apart = answered(a=(True, False), b=(False, True))
    assert story.never_together(apart) == [(SENTENCES[4].says, SENTENCES[5].says)]
    assert story.never_together(answered(a=(True, False), b=(True, True))) == []
    assert story.never_together(answered(a=(True, None), b=(None, True))) == []  # not seen
    assert story.never_together(answered(a=(True, False))) == []  # none meets the second
    assert SENTENCES[5].says in story.conflicts(apart)
    assert "are known to exclude each other" in story.conflicts(answered(a=(False, False)))


def test_the_sentences_by_one_epoch():
    share, met = story.at(answered(b=(True, None), a=(False, True)), 60_000)
    assert share.index.tolist() == ["b", "a"] and share.loc["b", 4] == 1
    assert pd.isna(share.loc["b", 5]) and not met.loc["a", 4] and met.loc["a", 5]
    figure = sentence_map(share, met, ["one", "other"])
    drawn = {line.get_label(): line.get_xydata().tolist() for line in figure.axes[0].lines}
    assert drawn == {"✓": [[0, 0], [1, 1]], "x": [[0, 1]]}


def test_out_of_sample_is_scored_on_other_seeds(store):
    specs = story.unseen()
    assert specs and max(spec.seed for spec in specs) < CALIBRATION_SEED
    assert "No run" in story.out_of_sample(gather(specs, store=store))
    for spec in specs[::7]:
        store.add(jump(spec, val=1.0))
    words = story.out_of_sample(gather(specs, store=store))
    met, seen = map(int, re.search(r"meets (\d+) of the (\d+)", words).groups())
    assert 0 < met < seen <= len(SENTENCES)  # all at 1: no sentence that asks for zero is met
    rows = story.sentence_by_sentence(gather(specs, store=store)).splitlines()[2:]
    assert len(rows) == seen and sum("| yes" in row.replace("  ", "") for row in rows) == met


def test_the_leader_on_new_seeds(store):
    """One seed of one cell of figure 6."""
    experiment = EXPERIMENTS["figure6_tied"]
    book = gather(story.unseen(), store=store)
    nothing = leader.on_new_seeds(gather(experiment, store=store), book)
    assert nothing == "*None of these runs is in a cell that a sentence speaks of yet.*"
    (spec,) = [s for s in experiment if (s.d_model, s.train_size, s.seed) == (64, 3000, 1002)]
    store.add(jump(spec, 1.0))
    found = gather(experiment, store=store)
    told = leader.on_new_seeds(found, book)
    assert told.startswith("**On new seeds the search's best meets 1 of the 1 sentences")
    assert "one seed" in told and "book" not in told
    table = story.sentence_by_sentence(found)
    assert "1 of 1" in table and "near-perfect at (64, 3000)" in table
    at = [s for s in story.unseen() if (s.d_model, s.train_size, s.seed) == (64, 3000, 0)]
    store.add(jump(at[0], 0.2))
    told = leader.on_new_seeds(found, gather(story.unseen(), store=store))
    assert ". The book's own meets 0 of them on seed 0. **So on new seeds it does better" in told
    store.add(jump(at[0].replace(seed=1), 1.0))
    told = leader.on_new_seeds(found, gather(story.unseen(), store=store))
    said = (
        "meets 0 of them on seeds 0–1; on one seed drawn from these, with repetition, 0 to 1 "
        "(95% of draws). **So the two"
    )
    assert said in told
    none = "*No seed has all of figure 6 yet.*"
    assert leader.shape(found) == leader.shape(gather(experiment, store=Store(store.folder / "x")))
    store.add_many(jump(s, 1.0) for seed in (1003, 1004) for s in experiment.specs([seed])[:40])
    assert leader.shape(gather(experiment, store=store)) == none  # in all there are enough
    store.add_many(jump(s, 1.0 - 0.9 * (28 <= s.d_model <= 36)) for s in experiment.specs([1002]))
    told = leader.shape(gather(experiment, store=store))
    assert told.startswith("With all of figure 6 (seed 1002) its mean accuracy")
    assert "3,000 points (1.00 at width 4, 0.10 at 28, up to 1.00 beyond)" in told


def test_training_lengths_that_are_as_good_are_all_said():
    rows = [("a", 5000, 0.1), ("a", 10_000, 0.2), ("a", 20_000, 0.2), ("b", 5000, 0.3)]
    frame = pd.DataFrame(rows, columns=["recipe", "T", "score"])
    assert story._lengths(frame, frame.iloc[1]) == "10,000 to 20,000"
    assert story._lengths(frame, frame.iloc[3]) == "5,000"


def test_runs_with_batches_stand_beside_the_same_without(store):
    wanted = batches.compared()
    assert {spec.batch for spec in wanted} == {None, 256, 512} and set(wanted) <= set(specs())
    nothing = batches.pairs(gather(wanted, store=store))
    assert "No run" in batches.by_heart(nothing) and "No run" in batches.in_words(nothing)
    small = next(s for s in wanted if s.batch == 512 and s.train_size == 2600)
    store.add(jump(small, val=1.0))  # one without its other half, which counts nowhere
    other = small.replace(seed=small.seed + 1)
    store.add(jump(other.replace(weight_decay=A_SIXTH)))
    store.add(jump(other.replace(batch=None)))
    said = batches.in_words(batches.pairs(gather(wanted, store=store)))
    assert "0.17, 1.0 times as much" in said and "**1 of 1 know" in said and "\n" not in said
    rule = made_up.run(other, [0, 9], train_accuracy=[0, 1], val_accuracy=[0, 1])
    store.add(rule)  # it knows its list as soon as it has the rule, and not by heart
    both = batches.pairs(gather(wanted, store=store))
    said = batches.in_words(both).split("\n\n")
    assert "1, 6.0 times" in said[0] and "**0 of 1 know" in said[0] and "one step 1" in said[0]
    keys = {*both["key"], *both["key_plain"]}
    assert len(keys) == 3 and small.key not in keys
    told = batches.by_heart(both).splitlines()
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in (told[0], *told[2:])]
    assert rows == [
        [*rows[0][:3], "progression", "ungrokking"],
        ["512", "1", "–", "1", "–"],
        ["all", "1", "30,000", "–", "1"],
        ["512", "0.17", "30,000", "–", "1"],
        ["all", "1", "30,000", "–", "1"],
    ]


def test_runs_with_a_variant_stand_beside_the_plain_one_and_two_seeds_beside_each_other(store):
    wanted = variants.compared()
    assert set(wanted) <= set(specs()) and all(s.batch is None for s in wanted)
    assert "No run" in variants.told(variants.pairs(gather(wanted, store=store)))
    tied = next(s for s in wanted if s.tied and s.train_size == 2600)
    plain = tied.replace(tied=None)
    other = tied.replace(tied=None, seed=plain.seed + 1)
    for spec in (tied, other, next(s for s in wanted if s.norm)):  # the last without its other half
        store.add(jump(spec, val=0.0))
    assert "No run" in variants.told(variants.pairs(gather(wanted, store=store)))
    store.add(made_up.run(plain, [0, 9], train_accuracy=[0, 1], val_accuracy=[0, 1]))
    both = variants.pairs(gather(wanted, store=store))
    assert both["changed"].tolist() == [variants.SEED, "tied embeddings"]
    assert (both["key"].tolist(), set(both["key_plain"])) == ([other.key, tied.key], {plain.key})
    said = variants.told(both)
    assert "another seed 0 of 1 runs" in said and "tied embeddings, 0 of 1." in said
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in said.splitlines()[4:]]
    assert rows[1] == ["tied embeddings", "0 of 1", "1 (plain 0)", "0 (plain 1)"]


def test_how_much_hangs_on_the_recipe():
    """By the stated cells that every recipe has with all its seeds."""

    def own(**accuracy):
        rows = [(8, 3000, seed, accuracy["low"]) for seed in range(2)]
        rows += [(64, 3000, seed, accuracy["high"]) for seed in range(2)]
        rows += [(32, 2600, seed, 0.9) for seed in range(2)]
        rows += [(24, 2600, 0, 0.0)]  # lacks a seed
        return pd.DataFrame(rows, columns=[*cells.CELL, "val_accuracy"])

    runs = {"one": own(low=0.5, high=1.0), "other": own(low=0.4, high=0.0)}
    said = cells.hangs_on_it(runs | {"untrained": runs["one"][:0]}, 2)
    assert "2 recipes are compared below on 3 cells. In 1 of these" in said
    assert "under all recipes, in 1 under some, in 1 under none" in said
    assert said.endswith("; at (64, 3,000) it goes from 0.00 to 1.00.")
    assert cells.hangs_on_it({"one": runs["one"]}, 2) == ""
