"""Survival curves of made-up runs whose waits are known."""

import numpy as np
import pandas as pd

from lib.analysis.dynamics import waits
from lib.analysis.statistics import median_wait, survival
from lib.chapters.stories.dynamics import waiting as told
from lib.figures.curves import waiting

EPOCHS = np.array([0, 100, 200, 400, 800])


def made_up(**reached):
    """Runs at learning rate 0.01, weight decay 1: key -> epoch of generalization, or None."""
    runs = pd.DataFrame(
        [(key, 0.01, 1.0, 800, 800, 3000, i, 48) for i, key in enumerate(reached)],
        columns=["key", "lr", "weight_decay", "epoch", "epochs", "train_size", "seed", "d_model"],
    )
    curves = pd.concat(
        pd.DataFrame(dict(key=key, epoch=EPOCHS, val_accuracy=np.where(
            EPOCHS >= (at or np.inf), 0.97, 0.3))) for key, at in reached.items()
    )  # fmt: skip
    return runs, curves


def test_a_run_waits_until_it_generalizes_or_training_ends():
    found = waits(*made_up(a=200, b=None))
    assert found["waited"].tolist() == [2.0, 8.0] and found["came"].tolist() == [True, False]
    runs, curves = made_up(a=200)
    assert waits(runs.assign(weight_decay=0.0), curves).empty


def test_survival_is_the_share_that_has_not_come():
    found = waits(*made_up(a=100, b=200, c=400, d=None))
    times, left = survival(found)
    assert dict(zip(times, left)) == {0: 1, 1: 0.75, 2: 0.5, 4: 0.25, 8: 0.25}
    assert median_wait(found) == 2


def test_a_run_that_ended_early_without_it_counts_while_it_was_there():
    """Kaplan and Meier: one of two at risk comes after the third was lost sight of."""
    runs, curves = made_up(a=None, b=400, c=None)
    curves = curves[(curves["key"] != "a") | (curves["epoch"] <= 200)]
    times, left = survival(waits(runs.assign(epoch=[200, 800, 800]), curves))
    assert left[times == 4] == 0.5


def test_where_none_or_fewer_than_half_come_there_is_no_median_wait():
    never = waits(*made_up(a=None, b=None))
    assert survival(never)[1].tolist() == [1, 1] and survival(never)[0].tolist() == [0, 8]
    assert median_wait(never) == np.inf == median_wait(waits(*made_up(a=100, b=None, c=None)))
    assert survival(never[:0])[1].tolist() == [1, 1]


def test_the_grid_chapter_tells_it():
    sizes = {4000: 100, 3600: 200, 3000: None}
    found = pd.concat(
        waits(*made_up(a=at, b=at)).assign(train_size=size) for size, at in sizes.items()
    ).reset_index(drop=True)
    said = told.words(found)
    assert said.startswith("**The fewer the points, the longer the wait**: half of the networks")
    assert "after 1 decay times with 4,000 points, after 2 with 3,600" in said
    assert "with 3,000 fewer than half" in said
    table = told.rows(found).splitlines()
    assert "> 8 to > 8" in table[2] and "| 4,000" in table[4] and len(table) == 5
    assert "do not tell" in told.words(found[:0])
    turned = told.words(found.assign(train_size=-found["train_size"]))
    assert turned.startswith("Half of the networks") and "The fewer" not in turned
    gap = told.words(found.assign(train_size=found["train_size"].replace({3000: 3800})))
    assert gap.startswith("Half of the networks")  # a size between that never came
    assert "0 of 2 with 3,000 points" in told.longer_words(found)
    assert "2 of 2 with 4,000 points" in told.longer_words(found)
    assert "No run" in told.longer_words(found[:0])


def test_the_figure_has_a_staircase_for_each_size_and_epochs_above():
    shown = {3000: survival(waits(*made_up(a=100, b=None))), 4000: survival(waits(*made_up(a=100)))}
    (ax,) = waiting(shown, rate=0.01).axes
    assert [line.get_label() for line in ax.lines] == ["D = 3,000", "D = 4,000"]
    assert ax.lines[0].get_xydata()[-1].tolist() == [8, 0.5]
    assert ax.lines[1].get_xydata()[-1].tolist() == [8, 0]  # drawn to the end of the longest
    low, high = ax.get_xlim()
    assert low < 1 and high > 8
    above = ax.child_axes[0]
    assert above.get_xlabel() == "epoch" and above._functions[0](2.0) == 200
    assert waiting({}, rate=0.0).axes[0].texts[0].get_text() == "no runs stored"
