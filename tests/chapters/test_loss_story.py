"""Double descent in the loss: made-up runs whose summit is known."""

import math

import pandas as pd

from lib.chapters.stories import loss
from lib.figures.accuracy import loss_by_width

WIDTHS = [4, 8, 16, 32, 64]
SHAPES = {3000: [3.0, 1.0, 12.0, 20.0, 0.5], 4000: [3.0, 1.0, 1.5, 0.1, 0.0]}


def made_up(perfect_from=4):
    rows = [
        (size, d, seed, value + 0.01 * seed, 0.0, float(d >= perfect_from))
        for size, values in SHAPES.items()
        for d, value in zip(WIDTHS, values)
        for seed in range(4)
    ]
    names = ["train_size", "d_model", "seed", "val_loss", "train_loss", "train_accuracy"]
    return pd.DataFrame(rows, columns=names)


def test_the_summit_is_found_and_a_hill_below_guessing_is_none():
    runs = made_up()
    found = loss.climbs(runs, SHAPES, WIDTHS)
    assert (found[3000].peak, found[3000].valley) == (8, 32)
    said = loss.words(found, runs, modulus=113)
    assert "beyond doubt with 3,000 points" in said and "with 3,000 and" not in said
    assert "from 1.0 nats at width 8 to 20.0 at width 32, 4.2 times what guessing costs" in said
    assert "it climbs by 0.5 with 4,000" in said
    rows = loss.rows(found, runs).splitlines()
    assert len(rows) == 4 and rows[2].split("|")[2].strip() == "19.0"


def test_where_the_summit_stands_is_said_if_it_stands_there():
    found = loss.climbs(made_up(), SHAPES, WIDTHS)
    said = [loss.words(found, made_up(perfect_from=d), 113) for d in (8, 32, 64)]
    assert ["just hold its list" in words for words in said] == [False, True, False]


def test_without_runs_it_claims_nothing():
    nothing = made_up()[:0]
    found = loss.climbs(nothing, SHAPES, WIDTHS)
    assert "do not tell" in loss.words(found, nothing, 113)
    assert loss.rows(found, nothing).count("–") >= 2
    assert loss_by_width(nothing, WIDTHS, math.log(113)).axes


def test_a_panel_for_each_training_size():
    figure = loss_by_width(made_up(), WIDTHS, math.log(113))
    assert [ax.get_title() for ax in figure.axes] == ["D = 3,000", "D = 4,000"]
    (mean,) = [line for line in figure.axes[0].lines if line.get_label() == "validation"]
    assert mean.get_ydata().max() == 20.015
