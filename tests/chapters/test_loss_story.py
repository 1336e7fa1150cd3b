"""Double descent in the loss: made-up runs whose summit is known."""

import math

import pandas as pd
import pytest

from lib.chapters.stories.descent import loss
from lib.figures.accuracy import loss_by_width

WIDTHS = [4, 8, 16, 32, 64]
SHAPES = {3000: [3.0, 1.0, 12.0, 20.0, 0.5], 4000: [3.0, 1.0, 1.5, 0.1, 0.0]}


def made_up(shapes=SHAPES, perfect_from=4):
    rows = [
        (size, d, seed, value + 0.01 * seed, 0.0, float(d >= perfect_from))
        for size, values in shapes.items()
        for d, value in zip(WIDTHS, values)
        for seed in range(4)
    ]
    names = ["train_size", "d_model", "seed", "val_loss", "train_loss", "train_accuracy"]
    return pd.DataFrame(rows, columns=names)


def told(runs, sizes=SHAPES):
    found = loss.climbs(runs, sizes, WIDTHS)
    return loss.words(found, runs, modulus=113), loss.rows(found, runs)


def test_the_summit_is_found_and_a_hill_below_guessing_is_none():
    said, table = told(made_up())
    assert "With 3,000 points the loss climbs from 1.0 nats at width 8 to 20.0 at width 32" in said
    assert "4.2 times what guessing costs" in said
    assert "come down from 3.0 at width 4. In these seeds that is a double descent" in said
    assert "With 4,000 points it hardly climbs (0.5 nats; guessing costs 4.73)" in said
    rows = table.splitlines()
    assert len(rows) == 4 and rows[2].split("|")[2].strip() == "19.0"


def test_one_descent_is_not_called_double():
    said, _ = told(made_up({3000: [1.0, 3.0, 12.0, 20.0, 0.5]}), [3000])
    assert "climbs from 1.0 nats at width 4" in said and "double" not in said
    assert "do not show" in said


@pytest.mark.parametrize("perfect_from, by_heart", [(8, True), (32, True), (64, False)])
def test_whether_the_summit_knows_its_list_is_looked_up(perfect_from, by_heart):
    said, _ = told(made_up(perfect_from=perfect_from))
    assert ("know their list by heart" in said) == by_heart


def test_without_runs_it_claims_nothing():
    nothing = made_up()[:0]
    said, table = told(nothing)
    assert "do not tell" in said and table.count("–") >= 2
    assert "nan" not in told(made_up(), [3000, 3500])[0]
    assert len(loss_by_width(nothing, [3000], WIDTHS, math.log(113)).axes) == 1


def test_a_panel_for_each_training_size_also_for_one_without_runs():
    figure = loss_by_width(made_up(), [3000, 3500, 4000], WIDTHS, math.log(113))
    assert [ax.get_title() for ax in figure.axes] == ["D = 3,000", "D = 3,500", "D = 4,000"]
    (mean,) = [line for line in figure.axes[0].lines if line.get_label() == "validation"]
    assert mean.get_ydata().max() == 20.015
    assert figure.axes[1].texts[0].get_text() == "no runs stored"
