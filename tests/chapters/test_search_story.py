"""The search's tables from the stored runs."""

import math
import re

import pytest
from worlds import jump

from lib.analysis.gather import gather
from lib.chapters.stories.recipe import search as story
from lib.figures.recipes import search_map
from lib.paper.search import FIRST_SEED, RECIPES, SENTENCES


@pytest.fixture(scope="module")
def told():
    found = gather(story.specs())
    return found, *story.scored(found)


def test_the_map_has_a_row_for_each_recipe_with_runs(told):
    found, _, recipes = told
    met, seen = story.map_of(recipes)
    tried = len(found.runs.groupby(["lr", "weight_decay", "beta2"]))
    assert len(met) == len(seen) == tried <= len(RECIPES) + 1
    figure = search_map(met, seen, len(SENTENCES))
    assert len(figure.axes[0].get_yticklabels()) == tried


def test_tables_say_what_stands_behind_them(told):
    found, sentences, recipes = told
    assert len(story.best_of_each(recipes).splitlines()) == 2 + recipes["recipe"].nunique()
    assert len(story.of_the_best(sentences, recipes).splitlines()) == 2 + len(SENTENCES)
    assert f"{len(found.runs):,} of the search's {found.wanted:,}" in story.standing(found, recipes)


def test_recipes_in_words():
    assert story.in_words((1e-3, 2.0, 0.98, None, math.nan)) == "lr 0.001, wd 2"
    assert story.in_words((1e-3, 2.0, 0.999, None, math.nan)).endswith("β₂ 0.999")


def test_out_of_sample_is_scored_on_other_seeds(store):
    specs = story.unseen()
    assert specs and max(spec.seed for spec in specs) < FIRST_SEED
    assert "No run" in story.out_of_sample(gather(specs, store=store))
    for spec in specs[::7]:
        store.add(jump(spec, val=1.0))
    words = story.out_of_sample(gather(specs, store=store))
    met, seen = map(int, re.search(r"meets (\d+) of the (\d+)", words).groups())
    assert 0 < met < seen <= len(SENTENCES)  # all at 1: no sentence that asks for zero is met
