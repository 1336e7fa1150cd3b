"""The score of a recipe: made-up runs whose answer is known."""

import pandas as pd
import pytest

from lib.paper.race.scores import RECIPE_FIELDS, of_recipes, of_sentences, probability, shows
from lib.paper.search import SENTENCES, Sentence

CELL = ("add", 8, 3000)


def curve(accuracy, norm, epochs=(0, 1000, 20_000, 30_000, 60_000)):
    return pd.DataFrame({"epoch": epochs, "val_accuracy": accuracy, "param_norm": norm})


RISES_LATE = curve([0.01, 0.02, 0.05, 0.2, 0.7], [20, 21, 22, 25, 31])


@pytest.mark.parametrize(
    "sentence, by_30, by_60",
    [
        (Sentence("", CELL, 0.5, 1, 6), False, True),
        (Sentence("", CELL, 0, 0.1, 10), False, False),
        (Sentence("", CELL, 20_001, 50_000, 1, event="begins"), True, True),
        (Sentence("", CELL, 0, 19_000, 1, event="begins"), False, False),
        (Sentence("", CELL, 0, 1, 9, event="norm"), False, True),
    ],
)
def test_what_a_run_shows_depends_on_the_training_length(sentence, by_30, by_60):
    assert shows(sentence, RISES_LATE, 30_000) is by_30
    assert shows(sentence, RISES_LATE, 60_000) is by_60


def test_the_norm_is_asked_only_of_runs_that_generalize():
    flat = curve([0.01] * 5, [20, 21, 22, 25, 31])
    assert shows(Sentence("", CELL, 0, 1, 9, event="norm"), flat, 60_000) is None


def test_probability_grows_with_evidence_and_counts_what_the_sentence_counts():
    perfect = Sentence("", CELL, 0.95, 1, 10)
    assert probability(perfect, 1, 1) < probability(perfect, 3, 3) < probability(perfect, 9, 9)
    assert probability(perfect, 0, 3) < 0.01
    never = Sentence("", CELL, 0.95, 1, 0, 3)
    assert probability(never, 0, 5) > 0.9 and probability(never, 5, 5) < 0.05
    anything = Sentence("", CELL, 0, 1, 0, 11)
    assert probability(anything, 1, 2) == pytest.approx(1)


def test_a_recipe_is_the_product_of_its_sentences_and_says_what_is_missing():
    good, bad = curve([0, 0.2, 0.3, 0.4, 0.5], range(5)), curve([0] * 5, range(5))
    runs = pd.DataFrame(
        [("a", 1e-3, 2.0, *CELL), ("b", 1e-3, 1.0, *CELL)],
        columns=["key", "lr", "weight_decay", "task", "d_model", "train_size"],
    ).reindex(columns=["key", *RECIPE_FIELDS, "task", "d_model", "train_size"])
    curves = pd.concat([good.assign(key="a"), bad.assign(key="b")])
    sentences = of_sentences(runs, curves, times=(60_000,))
    assert len(sentences) == 2 * len(SENTENCES)
    recipes = of_recipes(sentences).set_index("weight_decay")
    assert recipes.loc[2.0, "score"] > recipes.loc[1.0, "score"]
    spoken = sum(sentence.cell == CELL for sentence in SENTENCES)
    assert (recipes["seen"] == spoken).all()  # one run of the two never rises, and has no norm then
    assert recipes["runs"].max() == 0
    assert 0 < recipes.loc[2.0, "met"] <= spoken and recipes.loc[1.0, "met"] == 0
