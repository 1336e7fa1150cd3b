"""The sentences on depth follow the trials, and nothing is said before they are there."""

import pandas as pd

from lib.chapters.stories.recipe import depth
from lib.paper.mixtures import DEPTHS, RECIPES_DEEP

SEEDS = [1000, 1001]


def trials(outcome, seeds=SEEDS, names=tuple(RECIPES_DEEP)):
    """Runs of the trials; outcome(choice, layers, seed) gives validation accuracy."""
    rows = [
        dict(
            key=key,
            n_layers=layers,
            norm=RECIPES_DEEP[name].get("norm"),
            lr=RECIPES_DEEP[name].get("lr", 3e-3),
            val_accuracy=outcome(name, layers, seed),
        )
        for name in names
        for layers in DEPTHS
        for seed, key in depth.keys_of(name, layers, seeds).items()
    ]
    return pd.DataFrame(rows, columns=["key", "n_layers", "norm", "lr", "val_accuracy"])


def expected(name, layers, seed):
    """A world in which the choice is right, and costs one layer a little."""
    if layers == 1:
        return 0.9 if name == depth.CHOSEN else 1.0
    return 0.95 if "pre-LayerNorm" in name else 0.1


def test_nothing_is_said_before_the_runs():
    none = trials(expected, seeds=[])
    assert all("no choice has all its runs" in line for line in depth.which_train(none, SEEDS))
    assert "not all trained" in depth.verdict(none, SEEDS)
    assert depth.against_plain(none, SEEDS)[0] == (1, "–", 0, "–", 0, "–")
    assert "No trial" in depth.falls(pd.DataFrame(columns=["key", "val_accuracy"]), none)
    one = trials(expected, seeds=SEEDS[:1])
    assert "not all trained" in depth.verdict(one, SEEDS)
    assert depth.against_plain(one, SEEDS)[0] == (1, "1.00", 1, "0.90", 1, "-0.10")
    assert "no choice has all its runs" in depth.which_train(one, SEEDS)[0]
    some = trials(expected, names=("plain",))
    assert "0 of the 1 choices" in depth.which_train(some, SEEDS)[0]
    assert "Not trained yet: 7" in depth.which_train(some, SEEDS)[0]


def test_the_choice_is_right_only_where_the_runs_say_so():
    runs = trials(expected)
    four, eight = depth.which_train(runs, SEEDS)
    assert four.startswith("At 4 layers 4 of the 8") and "plain" not in four
    assert eight.startswith("At 8 layers 4 of the 8") and depth.CHOSEN in eight
    text = depth.verdict(runs, SEEDS)
    assert "reaches 0.9 at 4 and 8 layers" in text and "-0.10 over 2 seeds" in text

    def wrong(name, layers, seed):
        return 0.0 if layers == 8 else expected(name, layers, seed)

    assert "does not reach 0.9 at 8 layers" in depth.verdict(trials(wrong), SEEDS)


def test_a_run_that_diverged_is_no_missing_run():
    runs = trials(lambda name, layers, seed: float("nan") if seed == 1001 else 1.0)
    assert depth.values(runs, "plain", 4, SEEDS).tolist() == [1.0, 0.0]
    assert "0 of the 8 choices" in depth.which_train(runs, SEEDS)[0]


def test_falls_are_counted_from_the_best_on_the_way():
    runs = trials(lambda name, layers, seed: 0.5 if layers == 4 and name == "plain" else 1.0)
    text = depth.falls(runs.assign(val_accuracy=1.0), runs)
    assert "way: 2 of 16 without LayerNorm at learning rate 0.003" in text
    assert "0 of 12 with LayerNorm at learning rate 0.003" in text
    assert "0 of 4 with LayerNorm at learning rate 0.001" in text
